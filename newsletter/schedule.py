"""Who is due now, by their own hour and time zone."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlmodel import Session, col, select

from newsletter.models import Delivery, Edition, NoDigest, Subscriber, SubscriberStatus

# Somebody whose hour passed longer ago than this waits for the next one: it is nearer.
CATCH_UP = timedelta(hours=12)


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
    # Yesterday's may be due still: who wants it at 23 and was missed gets it after midnight.
    for issue_date in (today, today - timedelta(days=1)):
        if timedelta(0) <= now - send_moment(issue_date, hour, zone_name) < CATCH_UP:
            return issue_date
    return None


def due(session: Session, now: datetime) -> Mapping[date, list[int]]:
    """Ids of the active subscribers whose hour has come, by the date of their edition.

    Left out is who has that edition's digest already, or was found to have nothing to get. Cadence
    and vacation are `editions.is_due`'s to judge.
    """
    rows = session.exec(
        select(Subscriber.id, Subscriber.send_hour, Subscriber.time_zone)
        .where(Subscriber.status == SubscriberStatus.ACTIVE)
        .order_by(col(Subscriber.id))
    )
    # 100,000 subscribers share some hundreds of zones and hours.
    known: dict[tuple[int, str], date | None] = {}
    found: dict[date, list[int]] = {}
    for number, hour, zone_name in rows:
        key = (hour, zone_name)
        if key not in known:
            known[key] = due_date(now, hour, zone_name)
        issue_date = known[key]
        if issue_date is not None:
            found.setdefault(issue_date, []).append(number or 0)
    for issue_date, ids in found.items():
        settled = _settled(session, issue_date)
        ids[:] = [number for number in ids if number not in settled]
    return {issue_date: ids for issue_date, ids in sorted(found.items()) if ids}


def _settled(session: Session, issue_date: date) -> set[int]:
    """Who was prepared for the date's edition, with a digest or with nothing to get."""
    edition_id = session.exec(select(Edition.id).where(Edition.issue_date == issue_date)).first()
    if edition_id is None:
        return set()
    mailed = session.exec(select(Delivery.subscriber_id).where(Delivery.edition_id == edition_id))
    nothing = session.exec(select(NoDigest.subscriber_id).where(NoDigest.edition_id == edition_id))
    return {*mailed, *nothing}
