"""Find the subscribers who are due now, by their own hour and time zone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy
from sqlmodel import Session, SQLModel, col, exists, func, select

from newsletter.core.models import (
    Cadence,
    Delivery,
    DeliveryKind,
    Edition,
    NoDigest,
    Subscriber,
    SubscriberStatus,
)

# A daily digest missed for longer than this is skipped: the next one is nearer.
CATCH_UP = timedelta(hours=12)
# Between confirmation and first digest: time to rate ten papers on the page.
WELCOME_AFTER = timedelta(minutes=5)
SATURDAY = 5


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone; UTC for a name that tzdata does not know (any more)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def send_moment(issue_date: date, hour: int, zone_name: str) -> datetime:
    """When, in UTC, it is ``hour`` on that date there.

    An hour that the clocks skip comes as much later as they jump; of one that comes twice it is
    the first (PEP 495).
    """
    return datetime.combine(issue_date, time(hour), tzinfo=zone(zone_name)).astimezone(UTC)


def due_date(now: datetime, hour: int, zone_name: str) -> date | None:
    """The date whose digest is due now at that hour there; None if none is."""
    today = now.astimezone(zone(zone_name)).date()
    # Yesterday's may still be due: a reader who wants it at 23:00 and was missed gets it now.
    for issue_date in (today, today - timedelta(days=1)):
        if timedelta(0) <= now - send_moment(issue_date, hour, zone_name) < CATCH_UP:
            return issue_date
    return None


def is_due(issue_date: date, cadence: Cadence, weekday: int, vacation_until: date | None) -> bool:
    """Whether a subscriber's cadence has a digest on ``issue_date``; 0 is Monday."""
    if vacation_until and vacation_until >= issue_date:
        return False
    if cadence is Cadence.WEEKLY:
        return issue_date.weekday() == weekday
    return cadence is Cadence.DAILY or issue_date.weekday() < SATURDAY


@dataclass(frozen=True, slots=True)
class Turn:
    """The latest digest that a cadence had: its date, its moment, and until when it is caught up.

    After that the next one is nearer.
    """

    issue_date: date
    at: datetime
    until: datetime


def latest_turn(
    now: datetime, hour: int, zone_name: str, cadence: Cadence, weekday: int
) -> Turn | None:
    """The latest turn that has come; a weekly one is caught up for three and a half days."""
    today = now.astimezone(zone(zone_name)).date()
    days = (today - timedelta(days=back) for back in range(9))
    turns = (day for day in days if is_due(day, cadence, weekday, None))
    for issue_date in turns:
        at = send_moment(issue_date, hour, zone_name)
        if at <= now:
            later = (issue_date + timedelta(days=ahead) for ahead in range(1, 8))
            following = next(day for day in later if is_due(day, cadence, weekday, None))
            gap = send_moment(following, hour, zone_name) - at
            return Turn(issue_date, at, at + max(CATCH_UP, gap / 2))
    return None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Active subscribers by the date of their edition: due now, and overlooked for good."""

    due: dict[date, list[int]]
    overlooked: dict[date, list[int]]


def due(session: Session, now: datetime) -> Mapping[date, list[int]]:
    """Ids of the active subscribers whose hour has come, by the date of their edition.

    A subscriber who has just confirmed is due at once: the welcome. Left
    out are those who already have that edition's digest or were found to have no papers.
    """
    return waiting(session, now).due


def waiting(session: Session, now: datetime, within: range | None = None) -> Waiting:
    """Who is due, and who missed a digest that is no longer caught up.

    A turn that came before the confirmation, or before a digest of another edition, is over.
    ``within`` asks of the subscribers with these ids only.
    """
    row = SQLModel.metadata.tables["subscriber"].c
    rows = session.connection().execute(
        sqlalchemy.select(
            row.id,
            row.send_hour,
            row.time_zone,
            row.cadence,
            row.weekday,
            row.vacation_until,
            row.confirmed_at,
        )
        .where(row.status == SubscriberStatus.ACTIVE, _is_within(row.id, within))
        .order_by(row.id)
    )
    newcomers = _newcomers(session, now, within)
    # 100,000 subscribers share some hundreds of zones and hours.
    known: dict[tuple[int, str, Cadence, int], Turn | None] = {}
    found = Waiting({}, {})
    late: dict[int, Turn] = {}
    for subscriber_id, hour, zone_name, cadence, weekday, vacation_until, confirmed_at in rows:
        if subscriber_id in newcomers:
            found.due.setdefault(now.astimezone(zone(zone_name)).date(), []).append(subscriber_id)
            continue
        key = (hour, zone_name, cadence, weekday)
        if key not in known:
            known[key] = latest_turn(now, *key)
        turn = known[key]
        if turn is None or not is_due(turn.issue_date, cadence, weekday, vacation_until):
            continue
        if now - turn.at >= CATCH_UP:
            if confirmed_at is None or confirmed_at > turn.at:
                continue
            late[subscriber_id] = turn
        which = found.due if now < turn.until else found.overlooked
        which.setdefault(turn.issue_date, []).append(subscriber_id)
    mailed_since = _mailed_since(session, late, within)
    for by_date in (found.due, found.overlooked):
        for issue_date, ids in by_date.items():
            settled = _settled(session, issue_date, within) | mailed_since
            ids[:] = [subscriber_id for subscriber_id in ids if subscriber_id not in settled]
    return Waiting(_filled(found.due), _filled(found.overlooked))


def _filled(by_date: dict[date, list[int]]) -> dict[date, list[int]]:
    return {issue_date: ids for issue_date, ids in sorted(by_date.items()) if ids}


def _is_within(column: Any, within: range | None) -> sqlalchemy.ColumnElement[bool]:
    if within is None:
        return sqlalchemy.true()
    return sqlalchemy.and_(column >= within.start, column < within.stop)


def _mailed_since(session: Session, late: Mapping[int, Turn], within: range | None) -> set[int]:
    """Those of ``late`` who had a digest since their turn."""
    if not late:
        return set()
    last = session.exec(
        select(Delivery.subscriber_id, func.max(Delivery.created_at))
        .where(
            Delivery.kind == DeliveryKind.DIGEST,
            col(Delivery.created_at) >= min(turn.at for turn in late.values()),
            _is_within(col(Delivery.subscriber_id), within),
        )
        .group_by(col(Delivery.subscriber_id))
    )
    return {
        subscriber_id
        for subscriber_id, at in last
        if subscriber_id in late and at > late[subscriber_id].at
    }


def _newcomers(session: Session, now: datetime, within: range | None) -> set[int]:
    """Subscribers who confirmed a few minutes ago and have had no digest yet."""
    asked = exists().where(
        col(Delivery.subscriber_id) == Subscriber.id,
        col(Delivery.kind) == DeliveryKind.CONFIRMATION,
    )
    mailed = exists().where(
        col(Delivery.subscriber_id) == Subscriber.id, col(Delivery.kind) == DeliveryKind.DIGEST
    )
    return {
        subscriber_id or 0
        for subscriber_id in session.exec(
            select(Subscriber.id).where(
                Subscriber.status == SubscriberStatus.ACTIVE,
                col(Subscriber.confirmed_at) > now - CATCH_UP,
                col(Subscriber.confirmed_at) <= now - WELCOME_AFTER,
                asked,
                ~mailed,
                _is_within(col(Subscriber.id), within),
            )
        )
    }


def _settled(session: Session, issue_date: date, within: range | None) -> set[int]:
    """Subscribers prepared for the date's edition, with or without a digest."""
    edition_id = session.exec(select(Edition.id).where(Edition.issue_date == issue_date)).first()
    if edition_id is None:
        return set()
    found: set[int] = set()
    for table in (Delivery, NoDigest):
        found.update(
            session.exec(
                select(table.subscriber_id).where(
                    table.edition_id == edition_id, _is_within(col(table.subscriber_id), within)
                )
            )
        )
    return found


def next_turn(session: Session, now: datetime) -> tuple[datetime, int] | None:
    """The next moment at which digests come due, and how many readers it concerns.

    None where no subscriber is active. Groups of equal wishes are few, whatever the list's size.
    """
    row = SQLModel.metadata.tables["subscriber"].c
    wishes = (row.send_hour, row.time_zone, row.cadence, row.weekday, row.vacation_until)
    groups = session.connection().execute(
        sqlalchemy.select(func.count(), *wishes)
        .where(row.status == SubscriberStatus.ACTIVE)
        .group_by(*wishes)
    )
    at: dict[datetime, int] = {}
    for number, hour, zone_name, *wish in groups:
        today = now.astimezone(zone(zone_name)).date()
        moments = (send_moment(day, hour, zone_name) for day in _days_due(today, *wish))
        moment = next(each for each in moments if each > now)
        at[moment] = at.get(moment, 0) + number
    return min(at.items(), default=None)


def next_digest(subscriber: Subscriber, now: datetime) -> datetime | None:
    """When a subscriber's next digest is due, in UTC; None for who is not active."""
    if subscriber.status is not SubscriberStatus.ACTIVE:
        return None
    hour, zone_name = subscriber.send_hour, subscriber.time_zone
    today = now.astimezone(zone(zone_name)).date()
    wish = (subscriber.cadence, subscriber.weekday, subscriber.vacation_until)
    moments = (send_moment(day, hour, zone_name) for day in _days_due(today, *wish))
    return next(each for each in moments if each > now)


def _days_due(
    today: date, cadence: Cadence, weekday: int, vacation_until: date | None
) -> Iterator[date]:
    """Days with a digest, from today or the end of a vacation on."""
    day = max(today, vacation_until + timedelta(days=1)) if vacation_until else today
    while True:
        if is_due(day, cadence, weekday, vacation_until):
            yield day
        day += timedelta(days=1)
