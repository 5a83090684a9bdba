"""Bounces week by week and domain by domain."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import bindparam, distinct, func, select
from sqlmodel import Session, SQLModel

from newsletter.core.models import UNPROVEN, EventKind
from newsletter.sending.ledger.rates import domain_of

_delivery = SQLModel.metadata.tables["delivery"]
_event = SQLModel.metadata.tables["delivery_event"].c
_TROUBLES = (EventKind.BOUNCED, EventKind.COMPLAINED)
# In the statement itself: only then does a database see that the index of these will do.
_is_trouble = _event.kind.in_(
    bindparam("troubles", _TROUBLES, expanding=True, literal_execute=True)
)


@dataclass(frozen=True, slots=True)
class Week:
    """Deliveries that bounced in the seven days from ``start`` (a Monday), by domain."""

    start: date
    domains: dict[str, int]

    @property
    def total(self) -> int:
        """Over all domains."""
        return sum(self.domains.values())


def bounces_by_week(session: Session, today: date, weeks: int) -> list[Week]:
    """The last ``weeks`` weeks, the oldest first; the last one is not over yet.

    A delivery that bounced several times counts once a week. Unproven mail does not count.
    """
    monday = today - timedelta(days=today.weekday())
    starts = [monday - timedelta(weeks=back) for back in reversed(range(weeks))]
    return [Week(start, _bounces(session, start)) for start in starts]


def _bounces(session: Session, start: date) -> dict[str, int]:
    since = datetime.combine(start, time(), UTC)
    domain = domain_of(session)
    rows = session.connection().execute(
        select(domain, func.count(distinct(_delivery.c.id)))
        .select_from(_delivery)
        .join(SQLModel.metadata.tables["delivery_event"], _event.delivery_id == _delivery.c.id)
        .where(
            _is_trouble,
            _event.kind == EventKind.BOUNCED,
            _event.provider != UNPROVEN,
            _event.occurred_at >= since,
            _event.occurred_at < since + timedelta(weeks=1),
        )
        .group_by(domain)
    )
    return {str(name): number for name, number in rows}


def largest_domains(weeks: list[Week], most: int) -> list[str]:
    """The ``most`` domains with the most bounces in all these weeks, the worst first."""
    totals: dict[str, int] = {}
    for week in weeks:
        for name, number in week.domains.items():
            totals[name] = totals.get(name, 0) + number
    return sorted(totals, key=lambda name: (-totals[name], name))[:most]
