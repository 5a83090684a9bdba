"""Who may work on which row: claim, renew, release, postpone; what the dead held is settled."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, or_, select, update
from sqlmodel import Session

from newsletter.deliveries.states import (
    DELIVERY,
    LEASE,
    NO_LEASE,
    RESENDS,
    ROW,
    has_lapsed,
    is_open,
)
from newsletter.models import DeliveryStatus


def claim(
    session: Session,
    edition_id: int | None,
    *,
    owner: str,
    now: datetime,
    limit: int,
    subscriber_id: int | None = None,
    resends: int = RESENDS,
) -> list[int]:
    """Lease up to ``limit`` rows to ``owner``; returns their ids. Nobody else gets them.

    Without an edition: the messages that belong to none (confirmations, account links). With
    ``resends`` 0, what is uncertain stays with the operator.
    """
    due = [_is_claimable(now, resends), ROW.edition_id == edition_id]
    if subscriber_id is not None:
        due.append(ROW.subscriber_id == subscriber_id)
    wanted = select(ROW.id).where(*due).order_by(ROW.id).limit(limit)
    # A CTE is evaluated once; as a plain subquery PostgreSQL may run it again and lease more.
    once = wanted.with_for_update(skip_locked=True).cte("wanted")
    leased = (
        update(DELIVERY)
        .where(ROW.id.in_(select(once.c.id)), _is_claimable(now, resends))
        .values(lease_until=now + LEASE, lease_owner=owner)
        .returning(ROW.id)
    )
    return sorted(session.connection().scalars(leased))


def _is_claimable(now: datetime, resends: int) -> ColumnElement[bool]:
    """Due, with attempts left, and leased to nobody alive."""
    return and_(
        is_open(resends),
        ROW.status != DeliveryStatus.SENDING,
        or_(ROW.not_before.is_(None), ROW.not_before <= now),
        or_(ROW.lease_until.is_(None), has_lapsed(now)),
    )


def renew(session: Session, owner: str, now: datetime) -> None:
    """Prolong all leases of an owner who is at work: relays may take longer than a lease."""
    held = update(DELIVERY).where(ROW.lease_owner == owner).values(lease_until=now + LEASE)
    session.connection().execute(held)


def release(session: Session, owner: str, ids: Sequence[int] | None = None) -> None:
    """Give back what ``owner`` claimed and did not begin."""
    held = and_(ROW.lease_owner == owner, ROW.status != DeliveryStatus.SENDING)
    if ids is not None:
        held = and_(held, ROW.id.in_(ids))
    session.connection().execute(update(DELIVERY).where(held).values(**NO_LEASE))


def postpone(
    session: Session, moments: Mapping[int, datetime], *, owner: str, reason: str = ""
) -> None:
    """Give back claimed rows that are not to be claimed again before their moments.

    With a ``reason`` what was queued counts as deferred: it waits for the relay's side, not ours.
    """
    if not moments:
        return
    values: dict[str, Any] = {"not_before": bindparam("moment"), **NO_LEASE}
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
    rows = [{"row_id": number, "moment": moment} for number, moment in moments.items()]
    session.connection().execute(later, rows)


def recover(session: Session, *, now: datetime, dead_owners: Sequence[str] = ()) -> int:
    """Turn rows that a dead process left ``sending`` into ``uncertain``; returns how many.

    Dead is whose lease ended, or who is named: what the named had claimed is given back at once.
    """
    for owner in dead_owners:
        release(session, owner)
    gone = or_(ROW.lease_until.is_(None), has_lapsed(now), ROW.lease_owner.in_(dead_owners))
    lost = (
        update(DELIVERY)
        .where(ROW.status == DeliveryStatus.SENDING, gone)
        .values(
            status=DeliveryStatus.UNCERTAIN,
            smtp_code=None,
            smtp_response="the sender stopped before the relay's answer was recorded",
            not_before=None,
            **NO_LEASE,
        )
    )
    return session.connection().execute(lost).rowcount


def sending(session: Session, owner: str) -> dict[int, int]:
    """What ``owner`` has begun and not recorded: the number of the attempt by delivery."""
    begun = select(ROW.id, ROW.attempts).where(
        ROW.lease_owner == owner, ROW.status == DeliveryStatus.SENDING
    )
    return {number: attempt for number, attempt in session.connection().execute(begun)}  # noqa: C416


def owners(session: Session) -> list[str]:
    """Everyone who holds a lease."""
    held = select(ROW.lease_owner).where(ROW.lease_owner.is_not(None)).distinct()
    return list(session.connection().scalars(held))
