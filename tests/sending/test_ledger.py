"""The ledger: nobody twice, nobody lost, and readers who left a moment ago get nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Edition,
    EditionStatus,
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
)
from newsletter.sending import ledger
from newsletter.sending.ledger import LEASE, Result
from tests.support import factories

NOW = utc_now()


@pytest.fixture
def edition(engine: Engine) -> Edition:
    """An edition being sent, with three queued deliveries."""
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        for name in ("ada", "bob", "eve"):
            subscriber = factories.make_subscriber(session, f"{name}@reader.example")
            factories.make_delivery(session, edition, subscriber)
    return edition


def claim(session: Session, edition: Edition, owner: str = "one", limit: int = 10) -> list[int]:
    return ledger.claim(session, edition.id, owner=owner, now=NOW, limit=limit)


def only(session: Session, status: DeliveryStatus) -> list[Delivery]:
    return list(session.exec(select(Delivery).where(Delivery.status == status)))


def test_two_owners_share_the_rows_and_never_get_the_same(engine: Engine, edition: Edition) -> None:
    with session_scope(engine) as session:
        first = claim(session, edition, "one", limit=2)
    with session_scope(engine) as session:
        second = claim(session, edition, "two")
        assert len(first) == 2
        assert len(second) == 1
        assert not set(first) & set(second)
        assert claim(session, edition, "three") == []


def test_a_lease_that_ended_is_claimed_again(engine: Engine, edition: Edition) -> None:
    with session_scope(engine) as session:
        first = claim(session, edition)
        later = NOW + LEASE + timedelta(seconds=1)
        again = ledger.claim(session, edition.id, owner="two", now=later, limit=10)
        assert again == first


def test_only_the_owner_of_a_lease_begins(engine: Engine, edition: Edition) -> None:
    with session_scope(engine) as session:
        ids = claim(session, edition, "one")
        assert [*ledger.begin(session, ids, owner="two", now=NOW)] == []
        assert [*ledger.begin(session, ids, owner="one", now=NOW)] == ids
        assert [*ledger.begin(session, ids, owner="one", now=NOW)] == []


@pytest.mark.parametrize("status", [SubscriberStatus.UNSUBSCRIBED, SubscriberStatus.PAUSED])
def test_a_reader_who_left_after_the_claim_is_not_begun(
    engine: Engine, edition: Edition, status: SubscriberStatus
) -> None:
    with session_scope(engine) as session:
        ids = claim(session, edition)
        leaver = session.get_one(Delivery, ids[0]).subscriber_id
    with session_scope(engine) as session:
        session.get_one(Subscriber, leaver).status = status
    with session_scope(engine) as session:
        assert [*ledger.begin(session, ids, owner="one", now=NOW)] == ids[1:]
        [refused] = only(session, DeliveryStatus.SUPPRESSED)
        assert refused.id == ids[0]
        assert refused.smtp_response
        assert refused.lease_owner is None


def test_a_suppressed_address_is_not_begun(engine: Engine, edition: Edition) -> None:
    with session_scope(engine) as session:
        ids = claim(session, edition)
        session.add(
            Suppression(
                address_hash="hash of bob@reader.example", reason=SuppressionReason.COMPLAINED
            )
        )
    with session_scope(engine) as session:
        assert len(ledger.begin(session, ids, owner="one", now=NOW)) == 2
        [refused] = only(session, DeliveryStatus.SUPPRESSED)
        assert refused.to_address == "bob@reader.example"


@pytest.mark.parametrize(
    ("reason", "goes"),
    [
        (SuppressionReason.UNSUBSCRIBED, True),
        (SuppressionReason.ERASED, True),
        (SuppressionReason.BOUNCED, True),  # who signs up is asked, once a month at most
        (SuppressionReason.COMPLAINED, False),
        (SuppressionReason.OPERATOR, False),
    ],
)
def test_a_confirmation_reaches_who_may_come_back_and_nobody_else(
    engine: Engine, reason: SuppressionReason, goes: bool
) -> None:
    with session_scope(engine) as session:
        subscriber = factories.make_subscriber(
            session, status=SubscriberStatus.PENDING, confirmed_at=None
        )
        edition = factories.make_edition(session)
        row = factories.make_delivery(
            session, edition, subscriber, edition_id=None, kind=DeliveryKind.CONFIRMATION
        )
        session.add(Suppression(address_hash=subscriber.address_hash, reason=reason))
    with session_scope(engine) as session:
        ids = ledger.claim(session, None, owner="one", now=NOW, limit=10)
        assert ids == [row.id]
        assert [*ledger.begin(session, ids, owner="one", now=NOW)] == (ids if goes else [])


@pytest.mark.parametrize("status", [EditionStatus.PAUSED, EditionStatus.CANCELLED])
def test_nothing_of_a_paused_edition_begins_and_its_rows_are_given_back(
    engine: Engine, edition: Edition, status: EditionStatus
) -> None:
    with session_scope(engine) as session:
        ids = claim(session, edition)
        session.get_one(Edition, edition.id).status = status
    with session_scope(engine) as session:
        assert [*ledger.begin(session, ids, owner="one", now=NOW)] == []
        rows = only(session, DeliveryStatus.QUEUED)
        assert len(rows) == 3
        assert all(row.lease_owner is None for row in rows)


def test_messages_of_a_dead_process_are_uncertain_and_resent_once(
    engine: Engine, edition: Edition
) -> None:
    with session_scope(engine) as session:
        ids = claim(session, edition, "dead")
        ledger.begin(session, ids[:1], owner="dead", now=NOW)
    with session_scope(engine) as session:
        assert ledger.recover(session, now=NOW) == 0, "its lease has not ended"
        assert ledger.recover(session, now=NOW, dead_owners=["dead"]) == 1
        # The other two were claimed, not begun: they are simply free again.
        assert claim(session, edition, "two") == ids
        assert [*ledger.begin(session, ids[:1], owner="two", now=NOW)] == ids[:1]
    with session_scope(engine) as session:
        assert ledger.recover(session, now=NOW, dead_owners=["two"]) == 1
        assert ids[0] not in claim(session, edition, "three"), "a third copy would be insistence"
        row = session.get_one(Delivery, ids[0])
        assert (row.attempts, row.resends) == (2, 1)


def test_a_result_is_taken_only_by_a_row_that_is_sending(engine: Engine, edition: Edition) -> None:
    with session_scope(engine) as session:
        ids = claim(session, edition)
        ledger.begin(session, ids[:1], owner="one", now=NOW)
        ledger.record(
            session,
            [Result(number, 1, DeliveryStatus.SENT, 250, "ok", NOW) for number in ids],
            owner="one",
        )
    with session_scope(engine) as session:
        counts = ledger.counts(session, edition.id)
        assert counts[DeliveryStatus.SENT] == 1
        assert counts[DeliveryStatus.QUEUED] == 2
        ledger.record(
            session, [Result(ids[0], 1, DeliveryStatus.FAILED, 550, "late", NOW)], owner="one"
        )
        assert session.get_one(Delivery, ids[0]).smtp_response == "ok"


def test_a_late_result_never_overwrites_the_new_owners_attempt(
    engine: Engine, edition: Edition
) -> None:
    lapsed = NOW + LEASE + timedelta(seconds=1)
    with session_scope(engine) as session:
        first, second, _ = ids = claim(session, edition, "slow")
        ledger.begin(session, ids, owner="slow", now=NOW)
    with session_scope(engine) as session:
        assert ledger.recover(session, now=lapsed) == 3
        ledger.claim(session, edition.id, owner="next", now=lapsed, limit=2)
        ledger.begin(session, [first, second], owner="next", now=lapsed)
    with session_scope(engine) as session:
        late = [Result(number, 1, DeliveryStatus.FAILED, 550, "late", lapsed) for number in ids]
        ledger.record(session, late, owner="slow")
        ledger.record(
            session, [Result(first, 2, DeliveryStatus.SENT, 250, "ok", lapsed)], owner="next"
        )
    with session_scope(engine) as session:
        taken, going, waiting = (session.get_one(Delivery, number) for number in ids)
        assert (taken.status, taken.smtp_response) == (DeliveryStatus.SENT, "ok")
        assert (going.status, going.lease_owner) == (DeliveryStatus.SENDING, "next")
        # Nobody had tried that one again: the late answer is the truth about it.
        assert (waiting.status, waiting.smtp_response) == (DeliveryStatus.FAILED, "late")


def test_renewing_keeps_a_lease_and_a_clock_set_back_ends_it(
    engine: Engine, edition: Edition
) -> None:
    with session_scope(engine) as session:
        ids = claim(session, edition, "slow")
        ledger.begin(session, ids, owner="slow", now=NOW)
        ledger.renew(session, "slow", NOW + LEASE / 2)
        assert ledger.recover(session, now=NOW + LEASE + timedelta(seconds=1)) == 0
        assert ledger.recover(session, now=NOW - timedelta(days=1)) == 3


def test_a_deferred_row_waits_until_it_is_time(engine: Engine, edition: Edition) -> None:
    later = NOW + timedelta(minutes=5)
    with session_scope(engine) as session:
        ids = claim(session, edition)
        ledger.begin(session, ids, owner="one", now=NOW)
        ledger.record(
            session,
            [Result(number, 1, DeliveryStatus.DEFERRED, 451, "busy", NOW, later) for number in ids],
            owner="one",
        )
    with session_scope(engine) as session:
        assert claim(session, edition) == []
        assert ledger.is_unfinished(session, edition.id or 0)
        assert ledger.claim(session, edition.id, owner="b", now=later, limit=9) == ids


def test_counts_add_up_with_bounces_and_complaints_counted_as_sent(
    engine: Engine, edition: Edition
) -> None:
    with session_scope(engine) as session:
        rows = session.exec(select(Delivery).order_by(Delivery.to_address)).all()
        for row, status in zip(
            rows,
            (DeliveryStatus.BOUNCED, DeliveryStatus.COMPLAINED, DeliveryStatus.FAILED),
            strict=True,
        ):
            row.status = status
    with read_scope(engine) as session:
        counts = ledger.counts(session, edition.id)
        assert sum(counts.values()) == 3
        assert counts[DeliveryStatus.SENT] == 2
        assert not ledger.is_unfinished(session, edition.id or 0)


def test_retry_takes_only_the_given_statuses(engine: Engine, edition: Edition) -> None:
    with session_scope(engine) as session:
        rows = session.exec(select(Delivery).order_by(Delivery.to_address)).all()
        rows[0].status, rows[1].status = DeliveryStatus.FAILED, DeliveryStatus.SENT
    with session_scope(engine) as session:
        assert ledger.requeue(session, edition.id or 0, [DeliveryStatus.FAILED]) == 1
        assert len(only(session, DeliveryStatus.SENT)) == 1
        assert len(only(session, DeliveryStatus.QUEUED)) == 2


def test_cancelling_ends_waiting_deliveries_and_lets_the_rest_finish(
    engine: Engine, edition: Edition
) -> None:
    with session_scope(engine) as session:
        ids = claim(session, edition)
        ledger.begin(session, ids[:1], owner="one", now=NOW)
        assert ledger.cancel(session, edition.id or 0, NOW) == 2
        ledger.record(
            session, [Result(ids[0], 1, DeliveryStatus.SENT, 250, "ok", NOW)], owner="one"
        )
        counts = ledger.counts(session, edition.id)
        assert counts[DeliveryStatus.CANCELLED] == 2
        assert counts[DeliveryStatus.SENT] == 1
        ended = session.exec(select(Delivery).where(Delivery.status == DeliveryStatus.CANCELLED))
        assert [(row.finished_at, row.lease_owner) for row in ended] == [(NOW, None)] * 2
