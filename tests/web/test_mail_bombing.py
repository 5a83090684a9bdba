"""Strangers who have us mail somebody: bounded by mailbox, network and site, and never told."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    RateLimit,
    SubscriberStatus,
    SuppressionReason,
    SuppressionRemoval,
)
from newsletter.core.tokens import Purpose
from newsletter.sending.ledger import attempts, leases
from newsletter.subscribers.mailbox import mailbox_of
from newsletter.subscribers.suppression import suppress, suppressions
from newsletter.web import rate_limit, steady
from newsletter.web.rate_limit import MOST_TO_MAILBOX
from tests.support.signing_up import confirm, only
from tests.support.visits import EMAIL, SIGNER, add_reader, notes, visit


def mails(engine: Engine) -> int:
    return len(notes(engine))


@pytest.mark.parametrize(
    "spelling",
    [
        lambda n: f"victim+{n}@reader.example",
        lambda n: f"Victim+{'x' * n}@Reader.example",
        lambda n: f"{'v.i.c.t.i.m'[: 2 * (n % 5) + 1]}{'victim'[(n % 5) + 1 :]}+{n}@gmail.com",
        lambda n: f"victim+{n}@{'googlemail' if n % 2 else 'gmail'}.com",
        lambda n: f"victim-{n}@yahoo.com",
    ],
)
def test_spellings_of_one_mailbox_share_one_limit(engine: Engine, spelling: object) -> None:
    assert callable(spelling)
    with visit(engine) as client:
        answers = {
            client.post("/sign-up", data={"email": spelling(number)}).text
            for number in range(MOST_TO_MAILBOX + 6)
        }
    assert len(answers) == 1  # nobody learns that a limit was reached
    assert mails(engine) == MOST_TO_MAILBOX


def test_mailboxes_are_told_apart() -> None:
    names = ("ada@x.example", "a.da@x.example", "ada-l@x.example", "ada@y.example", "ada@gmail.com")
    assert len({mailbox_of(name) for name in names}) == len(names)
    assert mailbox_of("+x@y.example") == "+x@y.example"
    assert mailbox_of("no address") == "no address"


def test_a_link_to_the_account_is_mailed_once_a_day(engine: Engine) -> None:
    add_reader(engine)
    with visit(engine) as client:
        for _ in range(3):
            client.post("/account", data={"email": EMAIL})
        assert mails(engine) == 1
        with session_scope(engine) as session:
            session.exec(select(Delivery)).one().created_at -= timedelta(hours=23)
        client.post("/account", data={"email": EMAIL})
        assert mails(engine) == 1
        with session_scope(engine) as session:
            session.exec(select(Delivery)).one().created_at -= timedelta(hours=2)
        client.post("/account", data={"email": EMAIL})
    assert mails(engine) == 2


def test_all_networks_together_queue_an_hours_worth(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "MOST_MAILS", 7)
    with visit(engine) as client:
        codes = [
            client.post("/sign-up", data={"email": f"r{number}@reader.example"}).status_code
            for number in range(12)
        ]
        refused = client.post("/account", data={"email": EMAIL})
    assert codes == [200] * 7 + [429] * 5
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert mails(engine) == 7


def test_what_was_typed_wrong_counts_for_no_mailbox(engine: Engine) -> None:
    with visit(engine) as client:
        for _ in range(3):
            client.post("/sign-up", data={"email": EMAIL, "cadence": "hourly"})
    with read_scope(engine) as session:
        assert [row.count for row in session.exec(select(RateLimit))] == [3]  # the network's


@pytest.mark.parametrize("site", ["cross-site", "Cross-Site"])
def test_another_site_cannot_have_its_visitors_post(engine: Engine, site: str) -> None:
    public_id = add_reader(engine)
    leave = f"/unsubscribe/{SIGNER.sign(Purpose.UNSUBSCRIBE, public_id)}"
    with visit(engine) as client:
        for path in ("/sign-up", "/account"):
            answer = client.post(path, data={"email": EMAIL}, headers={"Sec-Fetch-Site": site})
            assert answer.status_code == 403
        assert mails(engine) == 0
        assert client.post(leave, headers={"Sec-Fetch-Site": site}).status_code == 200
    assert only(engine).status is SubscriberStatus.UNSUBSCRIBED


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none", None])
def test_the_site_itself_and_programs_may_post(engine: Engine, site: str | None) -> None:
    headers = {"Sec-Fetch-Site": site} if site else {}
    with visit(engine) as client:
        assert client.post("/sign-up", data={"email": EMAIL}, headers=headers).status_code == 200
    assert mails(engine) == 1


def begin(engine: Engine) -> set[int]:
    """The deliveries that a send run may begin now."""
    with session_scope(engine) as session:
        ids = leases.claim(session, None, owner="test", limit=10, now=utc_now())
        return set(attempts.begin(session, ids, owner="test", now=utc_now()))


@pytest.mark.parametrize("is_subscribed", [True, False])
def test_a_bounced_address_may_ask_to_come_back_once_a_month(
    engine: Engine, is_subscribed: bool
) -> None:
    address_hash = SIGNER.hash_address(EMAIL)
    if is_subscribed:
        add_reader(engine)
    with session_scope(engine) as session:
        suppress(session, address_hash, SuppressionReason.BOUNCED)
    with visit(engine) as client:
        for age in (0, 1, 20, 29):
            client.post("/sign-up", data={"email": EMAIL})
            assert notes(engine) == [(DeliveryKind.CONFIRMATION, EMAIL)]
            if age == 0:  # the ledger lets this one mail through
                assert len(begin(engine)) == 1
            with session_scope(engine) as session:
                session.exec(select(Delivery)).one().created_at = utc_now() - timedelta(days=age)
        with session_scope(engine) as session:
            session.exec(select(Delivery)).one().created_at = utc_now() - timedelta(days=31)
            session.execute(RateLimit.__table__.delete())  # type: ignore[attr-defined]
        client.post("/sign-up", data={"email": EMAIL})
        assert len(notes(engine)) == 2
        with read_scope(engine) as session:
            assert suppressions(session, [address_hash])
        confirm(client, engine)
    with read_scope(engine) as session:
        assert suppressions(session, [address_hash]) == {}
        [removal] = session.exec(select(SuppressionRemoval)).all()
    assert (removal.reason, removal.address_hash) == (SuppressionReason.BOUNCED, address_hash)
    assert only(engine).status is SubscriberStatus.ACTIVE


@pytest.mark.parametrize("reason", [SuppressionReason.COMPLAINED, SuppressionReason.OPERATOR])
def test_who_complained_is_never_asked(engine: Engine, reason: SuppressionReason) -> None:
    with session_scope(engine) as session:
        suppress(session, SIGNER.hash_address(EMAIL), reason)
    with visit(engine) as client:
        client.post("/sign-up", data={"email": EMAIL})
    assert mails(engine) == 0


def test_an_answer_is_sent_after_whole_steps_of_time() -> None:
    for passed, left in ((0.0, 0.1), (0.03, 0.07), (0.1, 0.0), (0.101, 0.099), (0.25, 0.05)):
        assert steady.seconds_left(passed) == pytest.approx(left)


def test_known_and_unknown_addresses_get_the_same_answer_and_headers(engine: Engine) -> None:
    add_reader(engine)
    told: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    with visit(engine) as client:
        for email in (EMAIL, "nobody@reader.example"):
            for path in ("/sign-up", "/account"):
                answer: httpx.Response = client.post(path, data={"email": email})
                headers = {**answer.headers, "date": ""}
                told.add((path + answer.text, tuple(sorted(headers.items()))))
    assert len(told) == 2


def test_counters_that_ran_out_are_forgotten(engine: Engine) -> None:
    with visit(engine) as client:
        client.post("/sign-up", data={"email": EMAIL})
        with session_scope(engine) as session:
            for row in session.exec(select(RateLimit)):
                row.until = utc_now() - timedelta(seconds=1)
        client.post("/account", data={"email": "other@reader.example"})
    with read_scope(engine) as session:
        ages = session.exec(select(RateLimit).where(col(RateLimit.until) < utc_now())).all()
    assert ages == []
