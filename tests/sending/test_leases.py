"""Leases and attempts: whose a row is, until when, and which answer belongs to which attempt."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.database import session_scope
from newsletter.core.models import Delivery, DeliveryStatus
from newsletter.sending import ledger
from newsletter.sending.ledger import LEASE, Result, attempts
from tests.support import factories

NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
LATER = NOW + LEASE + timedelta(seconds=1)
NEXT_HOUR = NOW + timedelta(hours=1)


@pytest.fixture
def rows(engine: Engine) -> list[int]:
    """Ids of three queued deliveries of one edition, which is number 1."""
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        return [
            factories.make_delivery(
                session, edition, factories.make_subscriber(session, f"{name}@reader.example")
            ).id
            or 0
            for name in ("ada", "bob", "eve")
        ]


def claim(session: Session, owner: str, now: datetime = NOW, limit: int = 10) -> list[int]:
    [edition_id] = session.exec(select(Delivery.edition_id).distinct())
    return ledger.claim(session, edition_id, owner=owner, now=now, limit=limit)


def get(session: Session, number: int) -> Delivery:
    session.expire_all()
    return session.get_one(Delivery, number)


def test_a_message_being_sent_is_not_claimed_even_after_its_lease_ends(
    engine: Engine, rows: list[int]
) -> None:
    with session_scope(engine) as session:
        claim(session, "slow")
        ledger.begin(session, rows[:1], owner="slow", now=NOW)
        assert claim(session, "next", LATER) == rows[1:]
        assert get(session, rows[0]).lease_owner == "slow"
        assert ledger.recover(session, now=LATER) == 1
        assert claim(session, "next", LATER) == rows[:1]
        assert get(session, rows[0]).status is DeliveryStatus.UNCERTAIN


def test_a_lease_ends_after_its_time_and_not_at_it(engine: Engine, rows: list[int]) -> None:
    with session_scope(engine) as session:
        claim(session, "slow")
        assert claim(session, "next", NOW + LEASE) == []
        assert claim(session, "next", LATER) == rows


def test_postponing_affects_only_rows_the_owner_claimed_and_did_not_begin(
    engine: Engine, rows: list[int]
) -> None:
    with session_scope(engine) as session:
        mine, begun = claim(session, "one", limit=2)
        ledger.begin(session, [begun], owner="one", now=NOW)
        [others] = claim(session, "two")
        ledger.postpone(session, dict.fromkeys(rows, NEXT_HOUR), owner="one", reason="closed")
        assert get(session, mine).not_before == NEXT_HOUR
        assert get(session, mine).lease_owner is None
        assert get(session, mine).status is DeliveryStatus.DEFERRED
        assert get(session, mine).smtp_response == "closed"
        for number, owner, status in (
            (begun, "one", DeliveryStatus.SENDING),
            (others, "two", DeliveryStatus.QUEUED),
        ):
            row = get(session, number)
            assert (row.lease_owner, row.status, row.not_before) == (owner, status, None)


def test_messages_waiting_for_our_own_rate_stay_queued(engine: Engine, rows: list[int]) -> None:
    with session_scope(engine) as session:
        claim(session, "one")
        ledger.postpone(session, {rows[0]: NEXT_HOUR}, owner="one")
        row = get(session, rows[0])
        assert (row.status, row.not_before) == (DeliveryStatus.QUEUED, NEXT_HOUR)
        assert claim(session, "two", NEXT_HOUR - timedelta(seconds=1)) == rows[1:]
        assert claim(session, "two", NEXT_HOUR) == [*rows[:1]]


def test_renewing_prolongs_only_the_owners_leases(engine: Engine, rows: list[int]) -> None:
    with session_scope(engine) as session:
        claim(session, "one", limit=1)
        claim(session, "two")
        ledger.renew(session, "one", NOW + LEASE / 2)
        assert get(session, rows[0]).lease_until == NOW + LEASE / 2 + LEASE
        assert get(session, rows[1]).lease_until == NOW + LEASE
        assert claim(session, "three", LATER) == rows[1:]


def test_a_dead_owners_leases_end_at_once_and_nobody_elses(engine: Engine, rows: list[int]) -> None:
    with session_scope(engine) as session:
        claim(session, "dead", limit=2)
        claim(session, "alive")
        ledger.begin(session, rows[:1], owner="dead", now=NOW)
        ledger.begin(session, rows[2:], owner="alive", now=NOW)
        assert ledger.owners(session) in (["alive", "dead"], ["dead", "alive"])
        assert ledger.recover(session, now=NOW, dead_owners=["dead"]) == 1
        assert ledger.owners(session) == ["alive"]
        assert claim(session, "next") == rows[:2]
        lost = get(session, rows[0])
        assert (lost.status, lost.smtp_code) == (DeliveryStatus.UNCERTAIN, None)
        assert "stopped before" in lost.smtp_response


def test_giving_back_reaches_only_the_owners_rows_that_were_not_begun(
    engine: Engine, rows: list[int]
) -> None:
    with session_scope(engine) as session:
        claim(session, "one", limit=2)
        claim(session, "two")
        ledger.begin(session, rows[:1], owner="one", now=NOW)
        ledger.release(session, "one", rows)
        assert [get(session, number).lease_owner for number in rows] == ["one", None, "two"]
        ledger.release(session, "two")
        assert [get(session, number).lease_owner for number in rows] == ["one", None, None]


def test_retries_come_first_the_longest_due_before_the_others(
    engine: Engine, rows: list[int]
) -> None:
    with session_scope(engine) as session:
        for number, minutes in ((rows[2], 5), (rows[1], 1)):
            row = session.get_one(Delivery, number)
            row.status, row.not_before = DeliveryStatus.DEFERRED, NOW - timedelta(minutes=minutes)
    with session_scope(engine) as session:
        assert claim(session, "one", limit=1) == rows[2:]
        assert claim(session, "two", limit=2) == rows[:2]


def test_one_subscribers_row_can_be_claimed_alone(engine: Engine, rows: list[int]) -> None:
    with session_scope(engine) as session:
        row = session.get_one(Delivery, rows[1])
        found = ledger.claim(
            session, row.edition_id, owner="o", now=NOW, limit=9, subscriber_id=row.subscriber_id
        )
        assert found == rows[1:2]


def result(number: int, attempt: int, status: DeliveryStatus = DeliveryStatus.FAILED) -> Result:
    return Result(number, attempt, status, 550, f"of attempt {attempt}", LATER)


def test_a_late_result_of_the_first_attempt_never_settles_the_second(
    engine: Engine, rows: list[int]
) -> None:
    sending, uncertain = rows[:2]
    with session_scope(engine) as session:
        # One owner throughout: only the attempt's number tells the two apart.
        for number in (1, 2):
            claim(session, "one", limit=2)
            ledger.begin(session, rows[:2], owner="one", now=NOW)
            if number == 1:
                ledger.recover(session, now=NOW, dead_owners=["one"])
        ledger.record(session, [result(uncertain, 2, DeliveryStatus.UNCERTAIN)], owner="one")
    with session_scope(engine) as session:
        ledger.record(session, [result(number, 1) for number in rows[:2]], owner="one")
        assert get(session, sending).status is DeliveryStatus.SENDING
        assert get(session, uncertain).smtp_response == "of attempt 2"
        ledger.record(session, [result(number, 2) for number in rows[:2]], owner="one")
        assert get(session, sending).status is DeliveryStatus.FAILED
        assert get(session, uncertain).status is DeliveryStatus.FAILED


def test_only_the_owner_of_a_running_attempt_records_it(engine: Engine, rows: list[int]) -> None:
    with session_scope(engine) as session:
        claim(session, "one")
        ledger.begin(session, rows, owner="one", now=NOW)
        ledger.record(session, [result(rows[0], 1)], owner="two")
        assert get(session, rows[0]).status is DeliveryStatus.SENDING
        assert ledger.sending(session, "one") == dict.fromkeys(rows, 1)
        assert ledger.sending(session, "two") == {}


def test_a_result_frees_the_row_and_says_when_it_ended_or_goes_on(
    engine: Engine, rows: list[int]
) -> None:
    with session_scope(engine) as session:
        claim(session, "one")
        ledger.begin(session, rows, owner="one", now=NOW)
        waits = Result(rows[0], 1, DeliveryStatus.DEFERRED, 451, "busy", NOW, NEXT_HOUR)
        ledger.record(session, [waits, result(rows[1], 1, DeliveryStatus.SENT)], owner="one")
        waiting, done = get(session, rows[0]), get(session, rows[1])
        assert (waiting.not_before, waiting.finished_at) == (NEXT_HOUR, None)
        assert (done.not_before, done.finished_at) == (None, LATER)
        assert (waiting.smtp_code, waiting.lease_owner, waiting.lease_until) == (451, None, None)


def test_putting_back_undoes_the_begin_of_the_owner_and_of_nobody_else(
    engine: Engine, rows: list[int]
) -> None:
    with session_scope(engine) as session:
        claim(session, "one", limit=2)
        claim(session, "two")
        ledger.begin(session, rows[:1], owner="one", now=NOW)
        ledger.begin(session, rows[2:], owner="two", now=NOW)
        assert ledger.put_back(session, rows, owner="one") == 1
        back, claimed, others = (get(session, number) for number in rows)
        assert (back.status, back.attempts, back.lease_owner) == (DeliveryStatus.QUEUED, 0, None)
        assert (claimed.status, claimed.lease_owner) == (DeliveryStatus.QUEUED, "one")
        assert (others.status, others.attempts) == (DeliveryStatus.SENDING, 1)


def test_a_resend_that_is_put_back_is_uncertain_again_and_still_to_come(
    engine: Engine, rows: list[int]
) -> None:
    with session_scope(engine) as session:
        for _ in range(2):
            claim(session, "one")
            ledger.begin(session, rows[:1], owner="one", now=NOW)
            if get(session, rows[0]).attempts == 1:
                ledger.recover(session, now=NOW, dead_owners=["one"])
        assert ledger.put_back(session, rows[:1], owner="one") == 1
        row = get(session, rows[0])
        assert (row.status, row.attempts, row.resends) == (DeliveryStatus.UNCERTAIN, 1, 0)
        assert rows[0] in claim(session, "two")


def test_the_outlook_names_lease_owners_and_the_next_free_row(
    engine: Engine, rows: list[int]
) -> None:
    with session_scope(engine) as session:
        created = [
            row.created_at for row in session.exec(select(Delivery).order_by(col(Delivery.id)))
        ]
        [edition_id] = session.exec(select(Delivery.edition_id).distinct())
        left = ledger.outlook(session, edition_id)
        assert (left.leased, left.next_queued) == (0, min(created))
        claim(session, "one")
        assert ledger.outlook(session, edition_id) == ledger.Outlook(3, None)
        ledger.postpone(session, {rows[0]: NEXT_HOUR}, owner="one")
        assert ledger.outlook(session, edition_id) == ledger.Outlook(2, NEXT_HOUR)
        ledger.postpone(session, {rows[1]: NOW}, owner="one", reason="a retry is not waited for")
        assert ledger.outlook(session, edition_id) == ledger.Outlook(1, NEXT_HOUR)


def test_retry_leaves_leased_rows_alone(engine: Engine, rows: list[int]) -> None:
    with session_scope(engine) as session:
        for number in rows[:2]:
            row = session.get_one(Delivery, number)
            row.status, row.not_before, row.resends = DeliveryStatus.UNCERTAIN, NEXT_HOUR, 1
        session.get_one(Delivery, rows[1]).lease_owner = "one"
    with session_scope(engine) as session:
        [edition_id] = session.exec(select(Delivery.edition_id).distinct())
        assert ledger.requeue(session, edition_id or 0, [DeliveryStatus.UNCERTAIN]) == 1
        again, held = get(session, rows[0]), get(session, rows[1])
        assert (again.status, again.not_before, again.resends) == (DeliveryStatus.QUEUED, None, 0)
        assert held.status is DeliveryStatus.UNCERTAIN


def test_what_is_known_to_have_arrived_is_sent_and_nothing_else_is(
    engine: Engine, rows: list[int]
) -> None:
    with session_scope(engine) as session:
        for number in rows[:2]:
            row = session.get_one(Delivery, number)
            row.status, row.not_before, row.lease_owner = (
                DeliveryStatus.UNCERTAIN,
                NEXT_HOUR,
                "one",
            )
    with session_scope(engine) as session:
        assert attempts.settle_arrived(session, delivery_id=rows[0]) == 1
        assert attempts.settle_arrived(session, delivery_id=rows[2]) == 0, "not mailed yet"
        known, waiting, queued = (get(session, number) for number in rows)
        assert (known.status, known.not_before, known.lease_owner) == (
            DeliveryStatus.SENT,
            None,
            None,
        )
        assert known.finished_at
        assert (waiting.status, waiting.lease_owner) == (DeliveryStatus.UNCERTAIN, "one")
        assert queued.status is DeliveryStatus.QUEUED
        found = attempts.settle_arrived(session, subscriber_id=waiting.subscriber_id)
        assert (found, get(session, rows[1]).status) == (1, DeliveryStatus.SENT)
