"""Who is due now: every zone, both changes of the clock, and nobody twice."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from sqlalchemy import Engine

from newsletter.core.database import session_scope
from newsletter.core.models import Cadence, DeliveryKind, NoDigest, SubscriberStatus
from newsletter.editions import schedule
from tests.support import factories

FRIDAY = factories.ISSUE_DATE


def test_everywhere_each_hour_of_the_year_comes_once_and_the_local_clock_shows_it() -> None:
    assert len(available_timezones()) > 400
    for name in available_timezones():
        zone = ZoneInfo(name)
        day = date(2026, 1, 1)
        before = schedule.send_moment(day - timedelta(days=1), 7, name)
        while day.year == 2026:
            moment = schedule.send_moment(day, 7, name)
            local = moment.astimezone(zone)
            assert (local.date(), local.hour) == (day, 7), name
            assert abs(moment - before - timedelta(days=1)) <= timedelta(hours=2), name
            before, day = moment, day + timedelta(days=1)


@pytest.mark.parametrize(
    ("issue_date", "hour", "utc"),
    [
        (date(2026, 3, 29), 2, "2026-03-29 01:00"),  # skipped in Berlin: 2 o'clock is 3 o'clock
        (date(2026, 3, 29), 7, "2026-03-29 05:00"),
        (date(2026, 3, 28), 7, "2026-03-28 06:00"),
        (date(2026, 10, 25), 2, "2026-10-25 00:00"),  # comes twice: the first one
    ],
)
def test_a_change_of_the_clock_neither_skips_nor_doubles(
    issue_date: date, hour: int, utc: str
) -> None:
    moment = schedule.send_moment(issue_date, hour, "Europe/Berlin")
    assert f"{moment:%Y-%m-%d %H:%M}" == utc


@pytest.mark.parametrize(
    ("now", "hour", "zone", "due"),
    [
        ("2026-11-20 06:59", 7, "UTC", None),
        ("2026-11-20 07:00", 7, "UTC", FRIDAY),
        ("2026-11-20 18:59", 7, "UTC", FRIDAY),
        ("2026-11-20 19:00", 7, "UTC", None),  # missed by half a day: tomorrow's is nearer
        ("2026-11-19 17:00", 7, "Pacific/Kiritimati", FRIDAY),  # their Friday, 14 hours ahead
        ("2026-11-20 19:00", 7, "Etc/GMT+12", FRIDAY),
        ("2026-11-21 01:00", 23, "UTC", FRIDAY),  # missed before midnight
        ("2026-11-20 07:00", 7, "Atlantis/Capital", FRIDAY),  # unknown zones count as UTC
        ("2026-11-20 07:00", 7, "../../etc/passwd", FRIDAY),
    ],
)
def test_the_date_that_is_due(now: str, hour: int, zone: str, due: date | None) -> None:
    moment = datetime.strptime(now, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    assert schedule.due_date(moment, hour, zone) == due


def test_only_active_subscribers_without_that_date_s_digest_are_due(engine: Engine) -> None:
    now = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        early = factories.make_subscriber(session, "early@there.example", send_hour=7)
        factories.make_subscriber(session, "late@there.example", send_hour=8)
        tokyo = factories.make_subscriber(
            session, "tokyo@there.example", send_hour=16, time_zone="Asia/Tokyo"
        )
        done = factories.make_subscriber(session, "done@there.example")
        factories.make_delivery(session, edition, done)
        nothing = factories.make_subscriber(session, "nothing@there.example")
        session.add(
            NoDigest(edition_id=edition.id or 0, subscriber_id=nothing.id or 0, reason="nothing")
        )
        factories.make_subscriber(
            session, "away@there.example", status=SubscriberStatus.UNSUBSCRIBED
        )
    with session_scope(engine) as session:
        assert schedule.due(session, now) == {FRIDAY: [early.id, tokyo.id]}


def test_cadence_weekday_and_vacation_are_respected(engine: Engine) -> None:
    saturday = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
    with session_scope(engine) as session:
        daily = factories.make_subscriber(session, "daily@there.example", cadence=Cadence.DAILY)
        factories.make_subscriber(session, "workdays@there.example", cadence=Cadence.WEEKDAYS)
        weekly = factories.make_subscriber(
            session, "saturdays@there.example", cadence=Cadence.WEEKLY, weekday=5
        )
        factories.make_subscriber(
            session, "mondays@there.example", cadence=Cadence.WEEKLY, weekday=0
        )
        factories.make_subscriber(
            session, "away@there.example", cadence=Cadence.DAILY, vacation_until=saturday.date()
        )
        back = factories.make_subscriber(
            session, "back@there.example", cadence=Cadence.DAILY, vacation_until=FRIDAY
        )
    with session_scope(engine) as session:
        assert schedule.due(session, saturday) == {saturday.date(): [daily.id, weekly.id, back.id]}


def test_a_new_subscriber_is_due_at_any_hour_and_cadence(
    engine: Engine,
) -> None:
    now = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        found = {
            name: factories.make_subscriber(
                session, f"{name}@there.example", cadence=Cadence.WEEKLY, weekday=0, confirmed_at=at
            )
            for name, at in {
                "new": now - timedelta(minutes=6),
                "judging": now - timedelta(minutes=2),
                "old": now - timedelta(days=1),
                "mailed": now - timedelta(minutes=6),
                "imported": now - timedelta(minutes=6),
            }.items()
        }
        for name in ("new", "judging", "old", "mailed"):
            factories.make_delivery(
                session, edition, found[name], edition_id=None, kind=DeliveryKind.CONFIRMATION
            )
        factories.make_delivery(session, edition, found["mailed"])
    with session_scope(engine) as session:
        assert schedule.due(session, now) == {FRIDAY: [found["new"].id]}


def test_the_next_turn_is_the_earliest_that_has_not_come_yet(engine: Engine) -> None:
    now = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)  # a Friday; it is seven in London
    with session_scope(engine) as session:
        assert schedule.next_turn(session, now) is None
        factories.make_subscriber(session, "gone@there.example", status=SubscriberStatus.PAUSED)
        assert schedule.next_turn(session, now) is None
        factories.make_subscriber(
            session, "week@there.example", send_hour=7, cadence=Cadence.WEEKLY, weekday=4
        )
        assert schedule.next_turn(session, now) == (now + timedelta(days=7), 1)
        away = {"send_hour": 6, "cadence": Cadence.WEEKDAYS, "vacation_until": date(2026, 11, 20)}
        factories.make_subscriber(session, "away@there.example", **away)
        monday = datetime(2026, 11, 23, 6, tzinfo=UTC)
        assert schedule.next_turn(session, now) == (monday, 1)
        for number in range(2):
            factories.make_subscriber(
                session, f"{number}@there.example", send_hour=9, time_zone="Europe/Berlin"
            )
        assert schedule.next_turn(session, now) == (now + timedelta(hours=1), 2)
