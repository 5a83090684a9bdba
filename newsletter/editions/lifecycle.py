"""Editions from one state to the next: open one for a date, send, pause, retry, cancel it."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, delete, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.models import Delivery, DeliveryStatus, DigestItem, Edition, EditionStatus
from newsletter.sending import ledger

# What trying again can help.
RETRYABLE = (
    DeliveryStatus.FAILED,
    DeliveryStatus.EXPIRED,
    DeliveryStatus.DEFERRED,
    DeliveryStatus.UNCERTAIN,
)
# Any number that nobody else uses for advisory locks of two numbers.
_EDITIONS = 0x65646974


def find(session: Session, issue_date: date) -> Edition:
    """The edition of a date, locked where the database locks rows.

    Of two changes at once the second sees what the first has made of it.

    Raises:
        UsageError: there is none.
    """
    edition = session.exec(
        select(Edition).where(Edition.issue_date == issue_date).with_for_update()
    ).first()
    if edition is None:
        raise UsageError(
            f"no edition of {issue_date}: create it with `newsletter prepare --date {issue_date}`"
        )
    return edition


def open_edition(engine: Engine, issue_date: date, now: datetime) -> int:
    """Id of the date's edition, opened at ``now`` if needed. Two callers may race."""
    with read_scope(engine) as session:
        known = session.exec(select(Edition.id).where(Edition.issue_date == issue_date)).first()
    if known is not None:
        return known
    try:
        with session_scope(engine) as session:
            edition = Edition(issue_date=issue_date, status=EditionStatus.DRAFT, opened_at=now)
            session.add(edition)
            session.flush()
            return edition.id or 0
    except IntegrityError:
        return open_edition(engine, issue_date, now)  # another process was first


def start_sending(engine: Engine, edition_id: int) -> None:
    """Allow deliveries of the edition to begin, if there are any left; a pause ends here.

    Raises:
        UsageError: the edition was cancelled.
    """
    with session_scope(engine) as session:
        edition = session.get_one(Edition, edition_id, with_for_update=True)
        if edition.status == EditionStatus.CANCELLED:
            raise UsageError(f"the edition of {edition.issue_date} was cancelled")
        if edition.status == EditionStatus.SENT and not ledger.is_unfinished(session, edition_id):
            return
        edition.status = EditionStatus.SENDING
        edition.note = ""
        edition.finished_at = None


def hold_open(session: Session, edition_id: int) -> None:
    """Keep the edition from being cancelled until the transaction ends.

    Any number of preparations may hold it at once.

    Raises:
        UsageError: it was cancelled.
    """
    _wait(session, func.pg_advisory_xact_lock_shared, edition_id)
    edition = session.get_one(Edition, edition_id, populate_existing=True)
    if edition.status is EditionStatus.CANCELLED:
        raise UsageError(f"the edition of {edition.issue_date} was cancelled")


def _alone(session: Session, edition_id: int) -> None:
    """Wait for the transactions that hold the edition open, and keep others from doing so."""
    _wait(session, func.pg_advisory_xact_lock, edition_id)


def _wait(session: Session, lock: Callable[..., Any], edition_id: int) -> None:
    # Not a lock of the edition's row: preparations would pass it from one to the next, and a pause
    # would wait for the last of them. Who waits here goes before those that come later. SQLite has
    # one writer anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(select(lock(_EDITIONS, edition_id)))


def continue_sending(engine: Engine, edition_id: int) -> bool:
    """Allow deliveries of the edition to begin, unless it is paused, cancelled or all sent.

    Returns whether there is something to send; what an operator paused stays paused.
    """
    with session_scope(engine) as session:
        edition = session.get_one(Edition, edition_id, with_for_update=True)
        if edition.status in {EditionStatus.PAUSED, EditionStatus.CANCELLED}:
            return False
        if not ledger.is_unfinished(session, edition_id):
            return False
        edition.status, edition.finished_at = EditionStatus.SENDING, None
        return True


def finish_if_done(engine: Engine, edition_id: int, resends: int = ledger.RESENDS) -> EditionStatus:
    """Close the edition when nothing is left to send; returns its status.

    In a cancelled edition, deliveries put back meanwhile are cancelled too.
    """
    with session_scope(engine) as session:
        edition = session.get_one(Edition, edition_id, with_for_update=True)
        if edition.status == EditionStatus.CANCELLED:
            ledger.cancel(session, edition_id, utc_now())
        elif edition.status == EditionStatus.SENDING and not ledger.is_unfinished(
            session, edition_id, resends
        ):
            edition.status = EditionStatus.SENT
            edition.finished_at = utc_now()
        return edition.status


def retry(engine: Engine, issue_date: date, statuses: Sequence[DeliveryStatus]) -> int:
    """Queue deliveries in one of ``statuses`` again; returns how many.

    Raises:
        UsageError: no such edition, or it was cancelled.
    """
    with session_scope(engine) as session:
        edition = find(session, issue_date)
        if edition.status == EditionStatus.CANCELLED:
            raise UsageError(f"the edition of {issue_date} was cancelled")
        number = ledger.requeue(session, edition.id or 0, statuses)
        if number and edition.status == EditionStatus.SENT:
            edition.status, edition.finished_at = EditionStatus.READY, None
        return number


def unfinished(engine: Engine, since: datetime, resends: int = ledger.RESENDS) -> list[int]:
    """Editions opened after ``since`` with digests still to send, oldest first.

    Their deliveries decide, not their status: a process may have died between freezing
    digests and saying so. Paused and cancelled ones stay as the operator left them.
    """
    with read_scope(engine) as session:
        found = session.exec(
            select(Edition.id)
            .where(
                col(Edition.status).not_in((EditionStatus.PAUSED, EditionStatus.CANCELLED)),
                Edition.opened_at > since,
            )
            .order_by(col(Edition.issue_date))
        )
        return [
            number or 0 for number in found if ledger.is_unfinished(session, number or 0, resends)
        ]


def pause(engine: Engine, issue_date: date) -> None:
    """Let no further delivery begin, in any process.

    Raises:
        UsageError: no such edition, or it is over.
    """
    with session_scope(engine) as session:
        edition = find(session, issue_date)
        if edition.status in {EditionStatus.SENT, EditionStatus.CANCELLED}:
            raise UsageError(f"the edition of {issue_date} is already {edition.status}")
        edition.status = EditionStatus.PAUSED


def resume(engine: Engine, issue_date: date) -> None:
    """Let a send run go on with a paused edition: the next one that comes by, or one at work.

    Raises:
        UsageError: no such edition, or it is not paused.
    """
    with session_scope(engine) as session:
        edition = find(session, issue_date)
        if edition.status != EditionStatus.PAUSED:
            raise UsageError(f"the edition of {issue_date} is {edition.status}, not paused")
        edition.status, edition.note = EditionStatus.READY, ""


def cancel(engine: Engine, issue_date: date) -> int:
    """End an edition; returns how many deliveries will not be made.

    Raises:
        UsageError: no such edition, or it was already sent.
    """
    with session_scope(engine) as session:
        edition = find(session, issue_date)
        _alone(session, edition.id or 0)
        if edition.status == EditionStatus.SENT:
            raise UsageError(f"the edition of {issue_date} was already sent")
        edition.status = EditionStatus.CANCELLED
        edition.finished_at = utc_now()
        ended = ledger.cancel(session, edition.id or 0, utc_now())
        # Papers that were never sent are candidates again.
        never = select(Delivery.id).where(
            Delivery.edition_id == edition.id, Delivery.status == DeliveryStatus.CANCELLED
        )
        session.execute(delete(DigestItem).where(col(DigestItem.delivery_id).in_(never)))
        return ended
