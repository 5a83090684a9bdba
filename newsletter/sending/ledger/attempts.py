"""One attempt in rows: begun before a relay hears of it, put back if none did, then recorded."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, bindparam, case, exists, or_, update
from sqlalchemy.sql.dml import ReturningUpdate
from sqlmodel import Session, SQLModel

from newsletter.core.database import utc_now
from newsletter.core.models import (
    DeliveryKind,
    DeliveryStatus,
    EditionStatus,
    SubscriberStatus,
    SuppressionReason,
)
from newsletter.sending.ledger.leases import release
from newsletter.sending.ledger.states import DELIVERY, LEASE, NO_LEASE, ROW, UNFINISHED

_edition = SQLModel.metadata.tables["edition"].c
_broadcast = SQLModel.metadata.tables["broadcast"].c
_subscriber_table = SQLModel.metadata.tables["subscriber"]
_subscriber = _subscriber_table.c
_suppression = SQLModel.metadata.tables["suppression"].c


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an ``attempt`` (from 1 on). ``retry_at`` belongs to a deferral."""

    delivery_id: int
    attempt: int
    status: DeliveryStatus
    code: int
    response: str
    at: datetime
    retry_at: datetime | None = None


def begin(session: Session, ids: Sequence[int], *, owner: str, now: datetime) -> dict[int, int]:
    """Mark claimed rows ``sending``; returns the number of the attempt of each that may go out.

    The same statement re-reads suppression, subscriber and edition, so a reader who left a moment
    ago gets nothing (bulk-mail rule 8). Those who may not get it become ``suppressed``; rows of
    an edition that was paused or cancelled meanwhile are given back.
    """
    values = {"ids": ids, "owner": owner, "now": now, "until": now + LEASE}
    begun = session.connection().execute(_begun(), values)
    going: dict[int, int] = dict(sorted((delivery_id, attempt) for delivery_id, attempt in begun))
    if len(going) < len(ids):
        session.connection().execute(_refused(), values)
        release(session, owner, ids)
    return going


def _mine() -> ColumnElement[bool]:
    return and_(
        ROW.id.in_(bindparam("ids", expanding=True)),
        ROW.lease_owner == bindparam("owner"),
        ROW.status != DeliveryStatus.SENDING,
    )


# Made once: putting a statement of this size together costs more than SQLite takes to run it.
@cache
def _begun() -> ReturningUpdate[Any]:
    was_uncertain = case((ROW.status == DeliveryStatus.UNCERTAIN, 1), else_=0)
    return (
        update(DELIVERY)
        .where(_mine(), _issue_is_sending(), _may_be_sent())
        .values(
            status=DeliveryStatus.SENDING,
            attempts=ROW.attempts + 1,
            resends=ROW.resends + was_uncertain,
            lease_until=bindparam("until"),
        )
        .returning(ROW.id, ROW.attempts)
    )


@cache
def _refused() -> Update:
    return (
        update(DELIVERY)
        .where(_mine(), _issue_is_sending(), ~_may_be_sent())
        .values(
            status=DeliveryStatus.SUPPRESSED,
            smtp_response="the subscriber left, paused, or is suppressed",
            finished_at=bindparam("now"),
            **NO_LEASE,
        )
    )


def _may_be_sent() -> ColumnElement[bool]:
    """The subscriber still wants it, and the address is not suppressed."""
    # Nobody asked for it just now, so it goes to active subscribers only.
    is_issue = ROW.kind.in_((DeliveryKind.DIGEST, DeliveryKind.BROADCAST))
    # A person who left or was erased can come back through a confirmation.
    own_wish = (SuppressionReason.UNSUBSCRIBED, SuppressionReason.ERASED)
    # So may those who bounced: signing up asks them once a month at most.
    is_confirmation = ROW.kind == DeliveryKind.CONFIRMATION
    has_bounced = _suppression.reason == SuppressionReason.BOUNCED
    suppressed = (
        exists()
        .where(
            _suppression.address_hash == _subscriber.address_hash,
            or_(is_issue, _suppression.reason.not_in(own_wish)),
            ~and_(is_confirmation, has_bounced),
        )
        .correlate(DELIVERY, _subscriber_table)
    )
    return exists().where(
        _subscriber.id == ROW.subscriber_id,
        or_(~is_issue, _subscriber.status == SubscriberStatus.ACTIVE),
        ~suppressed,
    )


def _issue_is_sending() -> ColumnElement[bool]:
    in_edition, in_broadcast = (
        exists().where(table.id == column, table.status == EditionStatus.SENDING)
        for table, column in ((_edition, ROW.edition_id), (_broadcast, ROW.broadcast_id))
    )
    is_note = and_(ROW.edition_id.is_(None), ROW.broadcast_id.is_(None))
    return or_(is_note, in_edition, in_broadcast)


def put_back(session: Session, ids: Collection[int], *, owner: str) -> int:
    """Undo the begin of rows whose content no relay was given; returns how many.

    A row that was uncertain before is so again, with its resend still to come.
    """
    was_uncertain = ROW.resends > 0
    back = (
        update(DELIVERY)
        .where(
            ROW.id.in_(ids),
            ROW.lease_owner == owner,
            ROW.status == DeliveryStatus.SENDING,
        )
        .values(
            status=case(
                (was_uncertain, DeliveryStatus.UNCERTAIN.value), else_=DeliveryStatus.QUEUED.value
            ),
            attempts=ROW.attempts - 1,
            resends=case((was_uncertain, ROW.resends - 1), else_=0),
            not_before=None,
            **NO_LEASE,
        )
    )
    return session.connection().execute(back).rowcount


def settle_arrived(
    session: Session, *, delivery_id: int | None = None, subscriber_id: int | None = None
) -> int:
    """Call an uncertain delivery sent, now that its copy is known to have arrived.

    One delivery, or all of a subscriber; returns how many.
    """
    mine = ROW.id == delivery_id if subscriber_id is None else ROW.subscriber_id == subscriber_id
    arrived = (
        update(DELIVERY)
        .where(mine, ROW.status == DeliveryStatus.UNCERTAIN)
        .values(
            status=DeliveryStatus.SENT,
            smtp_response="no answer came, but the message is known to have arrived",
            not_before=None,
            finished_at=utc_now(),
            **NO_LEASE,
        )
    )
    return session.connection().execute(arrived).rowcount


# A result may come late, when the lease has expired and the row was taken over. It settles what
# became uncertain by that, but says nothing about a later attempt.
_RECORDED = (
    update(DELIVERY)
    .where(
        ROW.id == bindparam("row_id"),
        ROW.attempts == bindparam("attempt"),
        or_(
            and_(ROW.status == DeliveryStatus.SENDING, ROW.lease_owner == bindparam("owner")),
            ROW.status == DeliveryStatus.UNCERTAIN,
        ),
    )
    .values(
        status=bindparam("new_status"),
        smtp_code=bindparam("code"),
        smtp_response=bindparam("response"),
        not_before=bindparam("retry_at"),
        finished_at=bindparam("at"),
        **NO_LEASE,
    )
)


def record(session: Session, results: Sequence[Result], *, owner: str) -> None:
    """Record results of attempts that ``owner`` began; a row takes only that of its last."""
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
        # By id: transactions that lock the same rows in different orders wait for each other.
        for result in sorted(results, key=lambda each: each.delivery_id)
    ]
    session.connection().execute(_RECORDED, rows)
