"""The ledger as a whole: counts that add up, what is left, cancelling and retrying."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, func, select, update
from sqlmodel import Session

from newsletter.core.models import DeliveryStatus
from newsletter.sending.ledger.states import (
    COUNTED,
    COUNTED_AS,
    DELIVERY,
    IN_ORDER,
    NO_LEASE,
    RESENDS,
    ROW,
    WAITS,
    Of,
    belongs,
    is_open,
)


def statuses(session: Session, of: Of) -> dict[DeliveryStatus, int]:
    """How many deliveries of an edition are in each status; every status has a number."""
    rows = session.connection().execute(
        select(ROW.status, func.count()).where(belongs(of)).group_by(ROW.status)
    )
    found: dict[DeliveryStatus, int] = {status: number for status, number in rows}  # noqa: C416
    return {status: found.get(status, 0) for status in DeliveryStatus}


def counts(session: Session, of: Of) -> dict[DeliveryStatus, int]:
    """The counts that add up to what was prepared: bounced and complained count as sent."""
    totals = dict.fromkeys(COUNTED, 0)
    for status, number in statuses(session, of).items():
        totals[COUNTED_AS.get(status, status)] += number
    return totals


def is_unfinished(session: Session, of: Of, resends: int = RESENDS) -> bool:
    """Whether a send run, now or later, still has something to do for the edition."""
    waits = select(ROW.id).where(WAITS, belongs(of), is_open(resends))
    found = waits.order_by(*IN_ORDER).limit(1)
    return session.connection().scalar(found) is not None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What remains of an edition when nothing can be claimed now."""

    leased: int  # rows that a process has leased
    next_queued: datetime | None  # when the first one that is not a retry may be claimed


def outlook(session: Session, of: Of, resends: int = RESENDS) -> Outlook:
    """Report what there is to wait for."""
    waits = and_(ROW.lease_until.is_(None), is_open(resends))
    is_deferred = ROW.status == DeliveryStatus.DEFERRED
    row = session.connection().execute(
        select(
            func.count(ROW.lease_until),
            func.min(
                case((and_(waits, ~is_deferred), func.coalesce(ROW.not_before, ROW.created_at)))
            ),
        ).where(WAITS, belongs(of))
    )
    return Outlook(*row.one())


def requeue(session: Session, of: Of, statuses: Sequence[DeliveryStatus]) -> int:
    """Queue deliveries in one of ``statuses`` again; returns how many."""
    again = (
        update(DELIVERY)
        .where(
            belongs(of),
            ROW.status.in_(statuses),
            ROW.lease_owner.is_(None),
        )
        .values(status=DeliveryStatus.QUEUED, not_before=None, finished_at=None, resends=0)
    )
    return session.connection().execute(again).rowcount


def cancel(session: Session, of: Of, now: datetime) -> int:
    """Cancel deliveries that have not begun; returns how many. Those being sent finish."""
    waiting = (DeliveryStatus.QUEUED, DeliveryStatus.DEFERRED)
    ended = (
        update(DELIVERY)
        .where(belongs(of), ROW.status.in_(waiting))
        .values(status=DeliveryStatus.CANCELLED, finished_at=now, **NO_LEASE)
    )
    return session.connection().execute(ended).rowcount
