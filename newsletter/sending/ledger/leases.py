"""Leases, which say who may work on a row: claim, renew, release, postpone, recover."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, case, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate
from sqlmodel import Session

from newsletter.core.models import DeliveryStatus
from newsletter.sending.ledger.states import (
    DELIVERY,
    IN_ORDER,
    LEASE,
    NO_LEASE,
    RESENDS,
    ROW,
    WAITS,
    Of,
    OfBroadcast,
    has_lapsed,
    is_open,
    lease_times,
)


def claim(
    session: Session,
    of: Of,
    *,
    owner: str,
    now: datetime,
    limit: int,
    subscriber_id: int | None = None,
    resends: int = RESENDS,
) -> list[int]:
    """Lease up to ``limit`` rows to ``owner``; returns their ids. Nobody else gets them.

    With ``of`` None: the messages of no edition or broadcast, such as confirmations. With
    ``resends`` 0, what is uncertain stays with the operator.
    """
    values = {
        "issue": of.id if isinstance(of, OfBroadcast) else of,
        "subscriber": subscriber_id,
        "owner": owner,
        **lease_times(now),
    }
    found: list[int] = []
    for is_again in (True, False):
        if left := limit - len(found):
            leased = _leased(is_again, subscriber_id is not None, _kind(of), resends)
            found += session.connection().scalars(leased, values | {"limit": left})
    return sorted(found)


def _kind(of: Of) -> str:
    if of is None:
        return ""
    return "broadcast" if isinstance(of, OfBroadcast) else "edition"


# Made once: putting a statement of this size together costs more than it takes to run.
@cache
def _leased(is_again: bool, is_for_one: bool, kind: str, resends: int) -> ReturningUpdate[Any]:
    """Lease rows that are due again in order of time, or rows without a time by id."""
    due = [
        WAITS,
        is_open(resends),
        ROW.status != DeliveryStatus.SENDING,
        ROW.not_before <= bindparam("now") if is_again else ROW.not_before.is_(None),
        or_(ROW.lease_until.is_(None), has_lapsed()),
    ]
    issue: Any = bindparam("issue")
    edition = ROW.edition_id == issue if kind == "edition" else ROW.edition_id.is_(None)
    broadcast = ROW.broadcast_id == issue if kind == "broadcast" else ROW.broadcast_id.is_(None)
    wanted = select(ROW.id).where(*due, edition, broadcast)
    if is_for_one:
        wanted = wanted.where(ROW.subscriber_id == bindparam("subscriber"))
    in_order = wanted.order_by(*IN_ORDER)
    # A CTE is evaluated once; as a plain subquery PostgreSQL may run it again and lease more.
    limited = in_order.limit(bindparam("limit")).with_for_update(skip_locked=True).cte("wanted")
    return (
        update(DELIVERY)
        .where(ROW.id.in_(select(limited.c.id)))
        .values(lease_until=bindparam("until"), lease_owner=bindparam("owner"))
        .returning(ROW.id)
    )


def renew(session: Session, owner: str, now: datetime) -> None:
    """Extend all leases of a working owner: relays may take longer than a lease."""
    held = and_(WAITS, ROW.lease_owner == owner)
    session.connection().execute(update(DELIVERY).where(held).values(lease_until=now + LEASE))


def release(session: Session, owner: str, ids: Sequence[int] | None = None) -> None:
    """Release rows that ``owner`` claimed and did not begin."""
    held = and_(WAITS, ROW.lease_owner == owner, ROW.status != DeliveryStatus.SENDING)
    if ids is not None:
        held = and_(held, ROW.id.in_(ids))
    session.connection().execute(update(DELIVERY).where(held).values(**NO_LEASE))


def postpone(
    session: Session, until: Mapping[int, datetime], *, owner: str, reason: str = ""
) -> None:
    """Release claimed rows, not to be claimed again before ``until``.

    With a ``reason`` what was queued counts as deferred: it waits for the relay's side, not ours.
    """
    if not until:
        return
    values: dict[str, Any] = {"not_before": bindparam("until"), **NO_LEASE}
    if reason:
        is_queued = ROW.status == DeliveryStatus.QUEUED
        values["status"] = case((is_queued, DeliveryStatus.DEFERRED.value), else_=ROW.status)
        values["smtp_response"] = reason
    later = (
        update(DELIVERY)
        .where(
            ROW.id == bindparam("row_id"),
            ROW.lease_owner == owner,
            ROW.status != DeliveryStatus.SENDING,
        )
        .values(values)
    )
    rows = [
        {"row_id": delivery_id, "until": not_before} for delivery_id, not_before in until.items()
    ]
    session.connection().execute(later, rows)


def recover(session: Session, *, now: datetime, dead_owners: Sequence[str] = ()) -> int:
    """Turn rows that a dead process left ``sending`` into ``uncertain``; returns how many.

    An owner is dead if its lease ended or it is named; rows that a named one claimed are released.
    """
    for owner in dead_owners:
        release(session, owner)
    gone = or_(ROW.lease_until.is_(None), has_lapsed(), ROW.lease_owner.in_(dead_owners))
    lost = (
        update(DELIVERY)
        .where(WAITS, ROW.status == DeliveryStatus.SENDING, gone)
        .values(
            status=DeliveryStatus.UNCERTAIN,
            smtp_code=None,
            smtp_response="the sender stopped before the relay's answer was recorded",
            not_before=None,
            **NO_LEASE,
        )
    )
    return session.connection().execute(lost, lease_times(now)).rowcount


def sending(session: Session, owner: str) -> dict[int, int]:
    """Attempts that ``owner`` has begun and not recorded: attempt number by delivery."""
    begun = select(ROW.id, ROW.attempts).where(
        WAITS, ROW.lease_owner == owner, ROW.status == DeliveryStatus.SENDING
    )
    return {delivery_id: attempt for delivery_id, attempt in session.connection().execute(begun)}  # noqa: C416


def owners(session: Session) -> list[str]:
    """Everyone who holds a lease."""
    held = select(ROW.lease_owner).where(WAITS, ROW.lease_owner.is_not(None)).distinct()
    return list(session.connection().scalars(held))
