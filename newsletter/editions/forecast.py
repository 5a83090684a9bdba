"""How many digests the coming days hold, and whether they can go out in time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import func
from sqlmodel import Session, SQLModel, col, select

from newsletter.core.models import (
    Delivery,
    DeliveryStatus,
    Edition,
    Pace,
    SubscriberStatus,
)
from newsletter.editions.schedule import is_due, send_moment
from newsletter.sending.mailer.retry_policy import STALE_AFTER

# Rows of `_wishes`: how many subscribers, and what they ask for.
Wishes = Sequence[Any]

# Neither set nor measured: what one relay at a tenth of a second a message takes.
ASSUMED_RATE = 10.0
# Fewer messages say more about the start of a run than about its pace.
FEWEST_MEASURED = 100
# A pace of a month ago is that of another list.
MOST_EDITIONS = 30


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages per second, and where the number comes from: set, measured or assumed."""

    per_second: float
    source: str


@dataclass(frozen=True, slots=True)
class Day:
    """One coming edition.

    ``due`` counts everyone whose cadence has a digest that day; those without papers
    receive none. ``hours`` counts them by the hour, in UTC, at which `send --due` begins theirs.
    ``allowed`` is the warm-up's share of the day, None once it is over.
    """

    date: date
    due: int
    hours: dict[datetime, int]
    seconds: float
    allowed: int | None

    @property
    def fits(self) -> bool:
        """Whether all of it can be out before it is stale."""
        in_time = self.seconds <= STALE_AFTER.total_seconds()
        return in_time and (self.allowed is None or self.due <= self.allowed)


def forecast(
    session: Session, first: date, days: int, rate: Rate, warm_up: tuple[int, ...] = ()
) -> list[Day]:
    """The ``days`` editions from ``first`` on. Reads only.

    Of the first date those who have their digest already are left out.
    """
    found = []
    # Groups of equal wishes are few, and counting them takes a look at every subscriber: once for
    # all days that have no edition yet.
    everyone = _wishes(session, None)
    last = first + timedelta(days=days)
    begun = session.exec(
        select(col(Edition.issue_date)).where(
            col(Edition.issue_date) >= first, col(Edition.issue_date) < last
        )
    ).all()
    used, had_today = _warm_up_used(session, first)
    for offset in range(days):
        issue_date = first + timedelta(days=offset)
        wishes = _wishes(session, issue_date) if issue_date in begun else everyone
        hours = _due_by_hour(wishes, issue_date)
        due = sum(hours.values())
        allowed = warm_up[used] if used < len(warm_up) else None
        if allowed is not None and offset == 0:
            allowed = max(0, allowed - had_today)
        found.append(
            Day(issue_date, due, dict(sorted(hours.items())), due / rate.per_second, allowed)
        )
        used += bool(due) or (offset == 0 and had_today > 0)
    return found


def rate_of(session: Session, rate: float | None) -> Rate:
    """The rate that is set, else that of the last edition of some size, else an assumption."""
    if rate is not None:
        return Rate(rate, "set")
    is_sent = col(Delivery.status).in_((DeliveryStatus.SENT, DeliveryStatus.BOUNCED))
    # One edition at a time: a year of them is millions of rows.
    latest = select(Edition.id).order_by(col(Edition.issue_date).desc()).limit(MOST_EDITIONS)
    for edition_id in session.exec(latest).all():
        number, start, end = session.exec(
            select(
                func.count(), func.min(Delivery.finished_at), func.max(Delivery.finished_at)
            ).where(
                Delivery.edition_id == edition_id, is_sent, col(Delivery.finished_at).is_not(None)
            )
        ).one()
        if number < FEWEST_MEASURED:
            continue
        # Readers in several zones are sent to hours apart; only a run without such gaps measures.
        seconds = (_aware(end) - _aware(start)).total_seconds()
        if 0 < seconds < timedelta(hours=1).total_seconds():
            return Rate(number / seconds, "measured")
        break
    return Rate(ASSUMED_RATE, "assumed")


def _aware(value: Any) -> datetime:
    """SQLite's aggregates lose the column's type, and with it the zone."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _wishes(session: Session, issue_date: date | None) -> Wishes:
    """What active subscribers ask for, and how many ask for the same.

    With ``issue_date`` those who have their digest of that date are left out.
    """
    row = SQLModel.metadata.tables["subscriber"].c
    columns = (row.send_hour, row.time_zone, row.cadence, row.weekday, row.vacation_until)
    wanted = sqlalchemy.select(func.count(), *columns).where(row.status == SubscriberStatus.ACTIVE)
    if issue_date is not None:
        has_one = (
            select(Delivery.subscriber_id)
            .join(Edition, col(Edition.id) == col(Delivery.edition_id))
            .where(Edition.issue_date == issue_date)
        )
        wanted = wanted.where(row.id.not_in(has_one))
    return session.connection().execute(wanted.group_by(*columns)).all()


def _due_by_hour(wishes: Wishes, issue_date: date) -> Counter[datetime]:
    hours: Counter[tuple[int, str]] = Counter()
    for number, hour, zone, *wish in wishes:
        if is_due(issue_date, *wish):
            hours[hour, zone] += number
    moments: Counter[datetime] = Counter()
    for (hour, zone), number in hours.items():
        moments[send_moment(issue_date, hour, zone)] += number
    return moments


def _warm_up_used(session: Session, today: date) -> tuple[int, int]:
    """How many days of the warm-up are over, and how many messages today has had."""
    name = f"day:{today.isoformat()}"
    is_day = col(Pace.name).like("day:%")
    before = session.exec(
        select(func.count()).where(is_day, col(Pace.name) < name, Pace.used > 0)
    ).one()
    row = session.get(Pace, name)
    return before, row.used if row else 0
