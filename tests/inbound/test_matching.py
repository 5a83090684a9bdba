"""Whose mail a report is about: the surest evidence decides, and no evidence is no match."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.core.models import Delivery, DeliveryStatus, Permanence
from newsletter.core.tokens import Signer
from newsletter.inbound.bounces.outcome import BouncedRecipient, Kind, Outcome
from newsletter.inbound.matching import LATELY, MatchBasis, match
from tests.support import factories

SIGNER = Signer(("a key for tests" * 3,))
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


def mailed(session: Session, *readers: str, **fields: Any) -> list[Delivery]:
    edition = factories.make_edition(session)
    fields = {"status": DeliveryStatus.SENT, "created_at": NOW} | fields
    return [
        factories.make_delivery(
            session,
            edition,
            factories.make_subscriber(session, f"{reader}@reader.example"),
            message_id=f"{reader}@papers.example",
            **fields,
        )
        for reader in readers
    ]


def report(*recipients: str, original: str = "", **clues: Any) -> Outcome:
    said = tuple(
        BouncedRecipient(address=address, permanence=Permanence.PERMANENT, original=original)
        for address in recipients
    )
    return Outcome(kind=Kind.BOUNCE, recipients=said, **clues)


def found(session: Session, outcome: Outcome) -> list[tuple[str, str, str]]:
    """By match: the basis, whose delivery, and whom the report names."""
    return [
        (
            each.clue.value,
            each.delivery.to_address,
            each.recipient.address if each.recipient else "",
        )
        for each in match(session, SIGNER, outcome, now=NOW)
    ]


def test_the_surest_evidence_decides_where_several_point_elsewhere(session: Session) -> None:
    ada, bob, cid, dan = mailed(session, "ada", "bob", "cid", "dan")
    clues: dict[str, Any] = {
        "sent_to": ("x@papers.example", SIGNER.verp_address(ada.id or 0, "papers.example")),
        "marks": (("x-mark", SIGNER.verp_address(bob.id or 0, "papers.example")),),
        "message_ids": (cid.message_id,),
    }
    named = dan.to_address
    for basis, owner, lost in (
        (MatchBasis.VERP, ada, "sent_to"),
        (MatchBasis.MARK, bob, "marks"),
        (MatchBasis.MESSAGE_ID, cid, "message_ids"),
        (MatchBasis.RECIPIENT, dan, ""),
    ):
        assert found(session, report(named, **clues)) == [(basis, owner.to_address, named)]
        clues.pop(lost, None)


def test_a_forged_or_unknown_address_of_ours_is_no_evidence(session: Session) -> None:
    [ada] = mailed(session, "ada")
    other = Signer(("another key for tests" * 3,))
    for address in (
        other.verp_address(ada.id or 0, "papers.example"),
        SIGNER.verp_address((ada.id or 0) + 1, "papers.example"),
        "bounce@papers.example",
    ):
        assert found(session, report(sent_to=(address,), marks=(("x-mark", address),))) == []


def test_of_a_thread_the_first_message_named_is_the_one_that_is_meant(session: Session) -> None:
    mailed(session, "ada", "bob")
    ids = ("bob@papers.example", "ada@papers.example", "unknown@papers.example")
    assert found(session, report(message_ids=ids)) == [("message_id", "bob@reader.example", "")]


def test_a_report_that_only_names_addresses_matches_each_that_was_mailed_lately(
    session: Session,
) -> None:
    mailed(session, "ada", "bob")
    named = ["ADA@reader.example", "ada@reader.example", "cid@reader.example", "bob@reader.example"]
    assert found(session, report(*named)) == [
        ("recipient", "ada@reader.example", "ADA@reader.example"),
        ("recipient", "bob@reader.example", "bob@reader.example"),
    ]


def test_the_address_before_forwarding_counts_too(session: Session) -> None:
    mailed(session, "ada")
    outcome = report("ada@elsewhere.example", original="Ada@reader.example")
    assert found(session, outcome) == [("recipient", "ada@reader.example", "ada@elsewhere.example")]


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({"created_at": NOW - LATELY}, True),
        ({"created_at": NOW - LATELY - timedelta(seconds=1)}, False),
        ({"status": DeliveryStatus.SENDING}, True),
        ({"status": DeliveryStatus.UNCERTAIN}, True),
        ({"status": DeliveryStatus.BOUNCED}, True),
        ({"status": DeliveryStatus.COMPLAINED}, True),
        ({"status": DeliveryStatus.QUEUED}, False),
        ({"status": DeliveryStatus.DEFERRED}, False),
        ({"status": DeliveryStatus.FAILED}, False),
        ({"to_address": "before@reader.example"}, False),  # renamed since
    ],
)
def test_a_named_address_counts_only_where_a_relay_may_have_had_a_mail_to_it_lately(
    session: Session, fields: dict[str, Any], matches: bool
) -> None:
    mailed(session, "ada", **fields)
    assert bool(found(session, report("ada@reader.example"))) is matches


def test_what_a_report_says_of_a_forwarded_address_is_told_of_the_one_that_was_mailed(
    session: Session,
) -> None:
    [ada] = mailed(session, "ada")
    outcome = report("inner@elsewhere.example", message_ids=(ada.message_id,))
    [one] = match(session, SIGNER, outcome, now=NOW)
    assert one.recipient is not None
    assert (one.recipient.address, one.recipient.original) == (
        "inner@elsewhere.example",
        "ada@reader.example",
    )
