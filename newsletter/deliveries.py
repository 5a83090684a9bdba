"""The ledger of deliveries: claim, begin, record, and the counts that must add up.

The row exists before the irreversible act. `begin` is committed before a relay hears of a
message; whatever is still ``sending`` when its process is gone is ``uncertain``, because nobody
can know whether the relay took it. Every change of status is a compare-and-set: losing a race
changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate
from sqlmodel import Session, SQLModel

from newsletter.models import (
    DeliveryKind,
    DeliveryStatus,
    EditionStatus,
    SubscriberStatus,
    SuppressionReason,
)

# Long enough for a full group over a slow relay, short enough that another machine takes over
# a dead one's work while the digest is still of today.
LEASE = timedelta(minutes=10)
# An uncertain delivery is resent once: a second copy with the same Message-ID is a nuisance
# that most mailboxes hide, a missing digest is a loss; a third try would be insistence.
RESENDS = 1

UNFINISHED = (
    DeliveryStatus.QUEUED,
    DeliveryStatus.SENDING,
    DeliveryStatus.DEFERRED,
    DeliveryStatus.UNCERTAIN,
)
# A bounce or complaint comes after the relay took the message: in counts it was sent.
COUNTED_AS = {
    DeliveryStatus.BOUNCED: DeliveryStatus.SENT,
    DeliveryStatus.COMPLAINED: DeliveryStatus.SENT,
}
COUNTED = tuple(status for status in DeliveryStatus if status not in COUNTED_AS)

# Statements are written against tables, not mapped classes: they move many rows at a time.
_delivery = SQLModel.metadata.tables["delivery"]
_edition = SQLModel.metadata.tables["edition"].c
_subscriber_table = SQLModel.metadata.tables["subscriber"]
_subscriber = _subscriber_table.c
_suppression = SQLModel.metadata.tables["suppression"].c
_row = _delivery.c
_NO_LEASE = {"lease_until": None, "lease_owner": None}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the ``attempt`` (from 1 on). ``retry_at`` goes with a deferral."""

    delivery_id: int
    attempt: int
    status: DeliveryStatus
    code: int
    response: str
    at: datetime
    retry_at: datetime | None = None


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
    due = [_is_claimable(now, resends), _row.edition_id == edition_id]
    if subscriber_id is not None:
        due.append(_row.subscriber_id == subscriber_id)
    wanted = select(_row.id).where(*due).order_by(_row.id).limit(limit)
    # A CTE is evaluated once; as a plain subquery PostgreSQL may run it again and lease more.
    once = wanted.with_for_update(skip_locked=True).cte("wanted")
    leased = (
        update(_delivery)
        .where(_row.id.in_(select(once.c.id)), _is_claimable(now, resends))
        .values(lease_until=now + LEASE, lease_owner=owner)
        .returning(_row.id)
    )
    return sorted(session.connection().scalars(leased))


def _is_claimable(now: datetime, resends: int) -> ColumnElement[bool]:
    """Due, with attempts left, and leased to nobody alive."""
    return and_(
        _is_open(resends),
        _row.status != DeliveryStatus.SENDING,
        or_(_row.not_before.is_(None), _row.not_before <= now),
        or_(_row.lease_until.is_(None), _has_lapsed(now)),
    )


def _has_lapsed(now: datetime) -> ColumnElement[bool]:
    """Whether a lease is over, or was given by a clock that has been set back since."""
    return or_(_row.lease_until < now, _row.lease_until > now + 2 * LEASE)


def _is_open(resends: int) -> ColumnElement[bool]:
    """Whether a send run, now or later, still has something to do for a delivery."""
    return or_(
        _row.status.in_((DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.DEFERRED)),
        and_(_row.status == DeliveryStatus.UNCERTAIN, _row.resends < resends),
    )


def begin(session: Session, ids: Sequence[int], *, owner: str, now: datetime) -> list[int]:
    """Mark claimed rows ``sending`` and return those that may go out.

    The same statement re-reads suppression, subscriber and edition, so whoever left a moment
    ago gets nothing (bulk-mail law 8). Those who may not get it become ``suppressed``; rows of
    an edition that was paused or cancelled meanwhile are given back.
    """
    values = {"ids": ids, "owner": owner, "now": now, "until": now + LEASE}
    going = sorted(session.connection().scalars(_begun(), values))
    if len(going) < len(ids):
        session.connection().execute(_refused(), values)
        release(session, owner, ids)
    return going


def _mine() -> ColumnElement[bool]:
    return and_(
        _row.id.in_(bindparam("ids", expanding=True)),
        _row.lease_owner == bindparam("owner"),
        _row.status != DeliveryStatus.SENDING,
    )


# Made once: putting a statement of this size together costs more than SQLite takes to run it.
@cache
def _begun() -> ReturningUpdate[Any]:
    was_uncertain = case((_row.status == DeliveryStatus.UNCERTAIN, 1), else_=0)
    return (
        update(_delivery)
        .where(_mine(), _edition_is_sending(), _may_be_sent())
        .values(
            status=DeliveryStatus.SENDING,
            attempts=_row.attempts + 1,
            resends=_row.resends + was_uncertain,
            lease_until=bindparam("until"),
        )
        .returning(_row.id)
    )


@cache
def _refused() -> Update:
    return (
        update(_delivery)
        .where(_mine(), _edition_is_sending(), ~_may_be_sent())
        .values(
            status=DeliveryStatus.SUPPRESSED,
            smtp_response="the subscriber left, paused, or is suppressed",
            finished_at=bindparam("now"),
            **_NO_LEASE,
        )
    )


def _may_be_sent() -> ColumnElement[bool]:
    """The subscriber still wants it, and the address is not suppressed."""
    is_digest = _row.kind == DeliveryKind.DIGEST
    # Whoever left, or was erased, may ask to come back: a confirmation is the way to do that.
    own_wish = (SuppressionReason.UNSUBSCRIBED, SuppressionReason.ERASED)
    suppressed = (
        exists()
        .where(
            _suppression.address_hash == _subscriber.address_hash,
            or_(is_digest, _suppression.reason.not_in(own_wish)),
        )
        .correlate(_delivery, _subscriber_table)
    )
    return exists().where(
        _subscriber.id == _row.subscriber_id,
        or_(~is_digest, _subscriber.status == SubscriberStatus.ACTIVE),
        ~suppressed,
    )


def _edition_is_sending() -> ColumnElement[bool]:
    sending = exists().where(
        _edition.id == _row.edition_id, _edition.status == EditionStatus.SENDING
    )
    return or_(_row.edition_id.is_(None), sending)


def release(session: Session, owner: str, ids: Sequence[int] | None = None) -> None:
    """Give back what ``owner`` claimed and did not begin."""
    held = and_(_row.lease_owner == owner, _row.status != DeliveryStatus.SENDING)
    if ids is not None:
        held = and_(held, _row.id.in_(ids))
    session.connection().execute(update(_delivery).where(held).values(**_NO_LEASE))


def postpone(
    session: Session, moments: Mapping[int, datetime], *, owner: str, reason: str = ""
) -> None:
    """Give back claimed rows that are not to be claimed again before their moments.

    With a ``reason`` what was queued counts as deferred: it waits for the relay's side, not ours.
    """
    if not moments:
        return
    values: dict[str, Any] = {"not_before": bindparam("moment"), **_NO_LEASE}
    if reason:
        is_queued = _row.status == DeliveryStatus.QUEUED
        values["status"] = case((is_queued, DeliveryStatus.DEFERRED.value), else_=_row.status)
        values["smtp_response"] = reason
    later = (
        update(_delivery)
        .where(
            _row.id == bindparam("row_id"),
            _row.lease_owner == owner,
            _row.status != DeliveryStatus.SENDING,
        )
        .values(values)
    )
    rows = [{"row_id": number, "moment": moment} for number, moment in moments.items()]
    session.connection().execute(later, rows)


def put_back(session: Session, ids: Collection[int], *, owner: str) -> int:
    """Undo the begin of rows that no relay has heard of; returns how many.

    What had been uncertain before is so again, with its resend still to come.
    """
    was_uncertain = _row.resends > 0
    back = (
        update(_delivery)
        .where(
            _row.id.in_(ids),
            _row.lease_owner == owner,
            _row.status == DeliveryStatus.SENDING,
        )
        .values(
            status=case(
                (was_uncertain, DeliveryStatus.UNCERTAIN.value), else_=DeliveryStatus.QUEUED.value
            ),
            attempts=_row.attempts - 1,
            resends=case((was_uncertain, _row.resends - 1), else_=0),
            not_before=None,
            **_NO_LEASE,
        )
    )
    return session.connection().execute(back).rowcount


def renew(session: Session, owner: str, now: datetime) -> None:
    """Prolong all leases of an owner who is at work: relays may take longer than a lease."""
    held = update(_delivery).where(_row.lease_owner == owner).values(lease_until=now + LEASE)
    session.connection().execute(held)


# A result may come late, when the lease has lapsed and the row was taken over. It settles what
# became uncertain by that; but of a later attempt, by whomever, it says nothing.
_RECORDED = (
    update(_delivery)
    .where(
        _row.id == bindparam("row_id"),
        _row.attempts == bindparam("attempt"),
        or_(
            and_(_row.status == DeliveryStatus.SENDING, _row.lease_owner == bindparam("owner")),
            _row.status == DeliveryStatus.UNCERTAIN,
        ),
    )
    .values(
        status=bindparam("new_status"),
        smtp_code=bindparam("code"),
        smtp_response=bindparam("response"),
        not_before=bindparam("retry_at"),
        finished_at=bindparam("at"),
        **_NO_LEASE,
    )
)


def record(session: Session, results: Sequence[Result], *, owner: str) -> None:
    """Write what became of attempts that ``owner`` began; a row takes that of its last only."""
    if not results:
        return
    rows: list[dict[str, Any]] = [
        {
            "row_id": result.delivery_id,
            "attempt": result.attempt,
            "owner": owner,
            "new_status": result.status,
            "code": result.code,
            "response": result.response,
            "retry_at": result.retry_at,
            "at": None if result.status in UNFINISHED else result.at,
        }
        for result in results
    ]
    session.connection().execute(_RECORDED, rows)


def recover(session: Session, *, now: datetime, dead_owners: Sequence[str] = ()) -> int:
    """Turn rows that a dead process left ``sending`` into ``uncertain``; returns how many.

    Dead is whose lease ended, or who is named: what the named had claimed is given back at once.
    """
    for owner in dead_owners:
        release(session, owner)
    gone = or_(_row.lease_until.is_(None), _has_lapsed(now), _row.lease_owner.in_(dead_owners))
    lost = (
        update(_delivery)
        .where(_row.status == DeliveryStatus.SENDING, gone)
        .values(
            status=DeliveryStatus.UNCERTAIN,
            smtp_code=None,
            smtp_response="the sender stopped before the relay's answer was recorded",
            not_before=None,
            **_NO_LEASE,
        )
    )
    return session.connection().execute(lost).rowcount


def sending(session: Session, owner: str) -> dict[int, int]:
    """What ``owner`` has begun and not recorded: the number of the attempt by delivery."""
    begun = select(_row.id, _row.attempts).where(
        _row.lease_owner == owner, _row.status == DeliveryStatus.SENDING
    )
    return {number: attempt for number, attempt in session.connection().execute(begun)}  # noqa: C416


def owners(session: Session) -> list[str]:
    """Everyone who holds a lease."""
    held = select(_row.lease_owner).where(_row.lease_owner.is_not(None)).distinct()
    return list(session.connection().scalars(held))


def requeue(session: Session, edition_id: int, statuses: Sequence[DeliveryStatus]) -> int:
    """Queue again what ended, or waits, in one of ``statuses``; returns how many."""
    again = (
        update(_delivery)
        .where(
            _row.edition_id == edition_id,
            _row.status.in_(statuses),
            _row.lease_owner.is_(None),
        )
        .values(status=DeliveryStatus.QUEUED, not_before=None, finished_at=None, resends=0)
    )
    return session.connection().execute(again).rowcount


def cancel(session: Session, edition_id: int, now: datetime) -> int:
    """Cancel what has not begun; returns how many. What is being sent finishes."""
    waiting = (DeliveryStatus.QUEUED, DeliveryStatus.DEFERRED)
    ended = (
        update(_delivery)
        .where(_row.edition_id == edition_id, _row.status.in_(waiting))
        .values(status=DeliveryStatus.CANCELLED, finished_at=now, **_NO_LEASE)
    )
    return session.connection().execute(ended).rowcount


def statuses(session: Session, edition_id: int | None) -> dict[DeliveryStatus, int]:
    """How many deliveries of an edition are in each status; every status has a number."""
    rows = session.connection().execute(
        select(_row.status, func.count()).where(_row.edition_id == edition_id).group_by(_row.status)
    )
    found: dict[DeliveryStatus, int] = {status: number for status, number in rows}  # noqa: C416
    return {status: found.get(status, 0) for status in DeliveryStatus}


def counts(session: Session, edition_id: int | None) -> dict[DeliveryStatus, int]:
    """The counts that add up to what was prepared: bounced and complained count as sent."""
    totals = dict.fromkeys(COUNTED, 0)
    for status, number in statuses(session, edition_id).items():
        totals[COUNTED_AS.get(status, status)] += number
    return totals


def is_unfinished(session: Session, edition_id: int | None, resends: int = RESENDS) -> bool:
    """Whether a send run, now or later, still has something to do for the edition."""
    found = select(_row.id).where(_row.edition_id == edition_id, _is_open(resends)).limit(1)
    return session.connection().scalar(found) is not None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left of an edition when nothing can be claimed now."""

    leased: int  # rows that some process holds
    next_queued: datetime | None  # from when on the first that is no retry may be claimed
    next_deferred: datetime | None  # when the first retry is due


def outlook(session: Session, edition_id: int | None, resends: int = RESENDS) -> Outlook:
    """What there is to wait for."""
    waits = and_(_row.lease_until.is_(None), _is_open(resends))
    is_deferred = _row.status == DeliveryStatus.DEFERRED
    row = session.connection().execute(
        select(
            func.count(_row.lease_until),
            func.min(
                case((and_(waits, ~is_deferred), func.coalesce(_row.not_before, _row.created_at)))
            ),
            func.min(case((and_(waits, is_deferred), _row.not_before))),
        ).where(_row.edition_id == edition_id, _row.status.in_(UNFINISHED))
    )
    return Outlook(*row.one())
