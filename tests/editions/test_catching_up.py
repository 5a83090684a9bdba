"""A digest missed in an outage comes when the machine is back, or the loss is told."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import Cadence, DeliveryStatus, NoDigest, Subscriber
from newsletter.editions import overlooked, schedule
from tests.support import factories

MONDAY = date(2026, 11, 16)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def subscribe(engine: Engine, **fields: Any) -> int:
    with session_scope(engine) as session:
        values: dict[str, Any] = {"send_hour": 6, "confirmed_at": LONG_AGO} | fields
        return factories.make_subscriber(session, **values).id or 0


def waiting(engine: Engine, now: datetime) -> tuple[dict[date, list[int]], dict[date, list[int]]]:
    with read_scope(engine) as session:
        found = schedule.waiting(session, now)
    return found.due, found.overlooked


@pytest.mark.parametrize("hours", [0, 1, 12, 13, 48, 80])
def test_a_weekly_reader_gets_the_digest_when_the_machine_is_back(
    engine: Engine, hours: int
) -> None:
    reader = subscribe(engine, cadence=Cadence.WEEKLY, weekday=0)
    assert waiting(engine, at(MONDAY, 6) + timedelta(hours=hours)) == ({MONDAY: [reader]}, {})


def test_after_half_a_week_the_next_one_is_nearer_and_the_loss_is_told(engine: Engine) -> None:
    reader = subscribe(engine, cadence=Cadence.WEEKLY, weekday=0)
    assert waiting(engine, at(MONDAY, 6) + timedelta(hours=90)) == ({}, {MONDAY: [reader]})


def test_who_reads_on_weekdays_gets_fridays_on_saturday(engine: Engine) -> None:
    friday = MONDAY - timedelta(days=3)
    reader = subscribe(engine, cadence=Cadence.WEEKDAYS)
    assert waiting(engine, at(friday, 23)) == ({friday: [reader]}, {})
    assert waiting(engine, at(friday + timedelta(days=1), 14)) == ({friday: [reader]}, {})
    assert waiting(engine, at(MONDAY, 5)) == ({}, {friday: [reader]})
    assert waiting(engine, at(MONDAY, 6)) == ({MONDAY: [reader]}, {})
    tuesday = MONDAY + timedelta(days=1)
    assert waiting(engine, at(tuesday, 5)) == ({}, {MONDAY: [reader]})


def test_a_daily_digest_is_caught_up_for_half_a_day(engine: Engine) -> None:
    reader = subscribe(engine)
    assert waiting(engine, at(MONDAY, 17, 59)) == ({MONDAY: [reader]}, {})
    assert waiting(engine, at(MONDAY, 18)) == ({}, {MONDAY: [reader]})


def test_nobody_is_late_for_a_turn_before_the_confirmation(engine: Engine) -> None:
    subscribe(engine, cadence=Cadence.WEEKLY, weekday=0, confirmed_at=at(MONDAY, 20))
    assert waiting(engine, at(MONDAY, 23)) == ({}, {})


def test_nobody_is_late_on_vacation_or_after_another_digest(engine: Engine) -> None:
    subscribe(engine, cadence=Cadence.WEEKLY, weekday=0, vacation_until=MONDAY)
    other = subscribe(engine, cadence=Cadence.WEEKLY, weekday=0, email="bob@reader.example")
    with session_scope(engine) as session:
        edition = factories.make_edition(session, MONDAY + timedelta(days=1))
        reader = session.get_one(Subscriber, other)
        factories.make_delivery(
            session, edition, reader, status=DeliveryStatus.SENT,
            created_at=at(MONDAY + timedelta(days=1), 9),
        )  # fmt: skip
    assert waiting(engine, at(MONDAY + timedelta(days=2), 9)) == ({}, {})


def test_a_loss_is_recorded_once_and_not_before_the_first_edition(engine: Engine) -> None:
    reader = subscribe(engine)
    now = at(MONDAY, 20)
    for _ in range(2):
        assert overlooked.record(engine, waiting(engine, now)[1], now) == 0
    with session_scope(engine) as session:
        factories.make_edition(session, MONDAY - timedelta(days=1))
    assert overlooked.record(engine, waiting(engine, now)[1], now) == 1
    assert waiting(engine, now) == ({}, {})
    with read_scope(engine) as session:
        [row] = session.exec(select(NoDigest)).all()
    assert row.subscriber_id == reader
    assert row.reason == overlooked.REASON
