"""Find the subscribers who are due now, by their own hour and time zone."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy
from sqlmodel import Session, SQLModel, col, exists, select

from newsletter.core.models import (
    Cadence,
    Delivery,
    DeliveryKind,
    Edition,
    NoDigest,
    Subscriber,
    SubscriberStatus,
)

# A subscriber whose hour passed longer ago than this waits for the next one, which is nearer.
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


def due(session: Session, now: datetime) -> Mapping[date, list[int]]:
    """Ids of the active subscribers whose hour has come, by the date of their edition.

    A subscriber who has just confirmed is due at once: the welcome. Left
    out are those who already have that edition's digest or were found to have no papers.
    """
    row = SQLModel.metadata.tables["subscriber"].c
    rows = session.connection().execute(
        sqlalchemy.select(
            row.id, row.send_hour, row.time_zone, row.cadence, row.weekday, row.vacation_until
        )
        .where(row.status == SubscriberStatus.ACTIVE)
        .order_by(row.id)
    )
    newcomers = _newcomers(session, now)
    # 100,000 subscribers share some hundreds of zones and hours.
    known: dict[tuple[int, str], date | None] = {}
    found: dict[date, list[int]] = {}
    for number, hour, zone_name, *wish in rows:
        if number in newcomers:
            found.setdefault(now.astimezone(zone(zone_name)).date(), []).append(number)
            continue
        key = (hour, zone_name)
        if key not in known:
            known[key] = due_date(now, hour, zone_name)
        issue_date = known[key]
        if issue_date is not None and is_due(issue_date, *wish):
            found.setdefault(issue_date, []).append(number)
    for issue_date, ids in found.items():
        settled = _settled(session, issue_date)
        ids[:] = [number for number in ids if number not in settled]
    return {issue_date: ids for issue_date, ids in sorted(found.items()) if ids}


def _newcomers(session: Session, now: datetime) -> set[int]:
    """Subscribers who confirmed a few minutes ago and have had no digest yet."""
    asked = exists().where(
        col(Delivery.subscriber_id) == Subscriber.id,
        col(Delivery.kind) == DeliveryKind.CONFIRMATION,
    )
    mailed = exists().where(
        col(Delivery.subscriber_id) == Subscriber.id, col(Delivery.kind) == DeliveryKind.DIGEST
    )
    return {
        number or 0
        for number in session.exec(
            select(Subscriber.id).where(
                Subscriber.status == SubscriberStatus.ACTIVE,
                col(Subscriber.confirmed_at) > now - CATCH_UP,
                col(Subscriber.confirmed_at) <= now - WELCOME_AFTER,
                asked,
                ~mailed,
            )
        )
    }


def _settled(session: Session, issue_date: date) -> set[int]:
    """Subscribers prepared for the date's edition, with or without a digest."""
    edition_id = session.exec(select(Edition.id).where(Edition.issue_date == issue_date)).first()
    if edition_id is None:
        return set()
    mailed = session.exec(select(Delivery.subscriber_id).where(Delivery.edition_id == edition_id))
    nothing = session.exec(select(NoDigest.subscriber_id).where(NoDigest.edition_id == edition_id))
    return {*mailed, *nothing}
