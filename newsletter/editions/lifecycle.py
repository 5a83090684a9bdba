"""Editions from one state to the next: open one for a date, send, pause, retry, cancel it."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, delete, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.models import (
    Broadcast,
    Delivery,
    DeliveryStatus,
    DigestItem,
    DigestNews,
    Edition,
    EditionStatus,
)
from newsletter.editions import trials
from newsletter.sending import ledger
from newsletter.sending.ledger import OfBroadcast

# What the commands below change: the edition of a date, or a broadcast.
Which = date | OfBroadcast

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
        select(Edition)
        .where(Edition.issue_date == issue_date)
        # Digests that are being frozen refer to the row, and that may go on meanwhile.
        .with_for_update(key_share=True)
    ).first()
    if edition is None:
        raise UsageError(
            f"no edition of {issue_date}: create it with `newsletter prepare --date {issue_date}`"
        )
    return edition


def find_broadcast(session: Session, broadcast_id: int) -> Broadcast:
    """The broadcast with this number.

    Raises:
        UsageError: there is none.
    """
    broadcast = session.get(Broadcast, broadcast_id)
    if broadcast is None:
        raise UsageError(
            f"--broadcast {broadcast_id}: no such broadcast; `newsletter status` lists the latest"
        )
    return broadcast


def _issue(session: Session, which: Which) -> tuple[Edition | Broadcast, int | OfBroadcast]:
    if isinstance(which, OfBroadcast):
        return find_broadcast(session, which.id), which
    edition = find(session, which)
    return edition, edition.id or 0


def called(issue: Edition | Broadcast) -> str:
    """How messages name it: ``the edition of 2026-11-20``."""
    what = "broadcast" if isinstance(issue, Broadcast) else "edition"
    return f"the {what} of {issue.issue_date}"


def open_edition(engine: Engine, issue_date: date, now: datetime) -> int:
    """Id of the date's edition, opened at ``now`` if needed. Two callers may race.

    Opening it settles how its digests are ordered, and ends a trial that has its answer.
    """
    with read_scope(engine) as session:
        known = session.exec(select(Edition.id).where(Edition.issue_date == issue_date)).first()
    if known is not None:
        return known
    try:
        with session_scope(engine) as session:
            recipe, trial_id = trials.settle(session, now)
            edition = Edition(
                issue_date=issue_date,
                status=EditionStatus.DRAFT,
                recipe=recipe,
                trial_id=trial_id,
                opened_at=now,
            )
            session.add(edition)
            session.flush()
            return edition.id or 0
    except IntegrityError:
        return open_edition(engine, issue_date, now)  # another process was first


def start_sending(engine: Engine, of: int | OfBroadcast) -> None:
    """Allow deliveries to begin, if there are any left; a pause ends here.

    Raises:
        UsageError: it was cancelled.
    """
    with session_scope(engine) as session:
        issue = ledger.issue(session, of, locked=True)
        if issue.status == EditionStatus.CANCELLED:
            raise UsageError(f"{called(issue)} was cancelled")
        if issue.status == EditionStatus.SENT and not ledger.is_unfinished(session, of):
            return
        issue.status = EditionStatus.SENDING
        issue.note = ""
        issue.finished_at = None


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


def continue_sending(engine: Engine, of: int | OfBroadcast) -> bool:
    """Allow deliveries to begin, unless the edition or broadcast is paused, cancelled or all sent.

    Returns whether there is something to send; what an operator paused stays paused.
    """
    with session_scope(engine) as session:
        issue = ledger.issue(session, of, locked=True)
        if issue.status in {EditionStatus.PAUSED, EditionStatus.CANCELLED}:
            return False
        if not ledger.is_unfinished(session, of):
            return False
        issue.status, issue.finished_at = EditionStatus.SENDING, None
        return True


def finish_if_done(
    engine: Engine, of: int | OfBroadcast, resends: int = ledger.RESENDS
) -> EditionStatus:
    """Close the edition or broadcast when nothing is left to send; returns its status.

    In a cancelled one, deliveries put back meanwhile are cancelled too.
    """
    with session_scope(engine) as session:
        issue = ledger.issue(session, of, locked=True)
        if issue.status == EditionStatus.CANCELLED:
            ledger.cancel(session, of, utc_now())
        elif issue.status == EditionStatus.SENDING and not ledger.is_unfinished(
            session, of, resends
        ):
            issue.status = EditionStatus.SENT
            issue.finished_at = utc_now()
        return issue.status


def retry(engine: Engine, which: Which, statuses: Sequence[DeliveryStatus]) -> int:
    """Queue deliveries in one of ``statuses`` again; returns how many.

    Raises:
        UsageError: no such edition or broadcast, or it was cancelled.
    """
    with session_scope(engine) as session:
        issue, of = _issue(session, which)
        if issue.status == EditionStatus.CANCELLED:
            raise UsageError(f"{called(issue)} was cancelled")
        count = ledger.requeue(session, of, statuses)
        if count and issue.status == EditionStatus.SENT:
            issue.status, issue.finished_at = EditionStatus.READY, None
        return count


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
            edition_id or 0
            for edition_id in found
            if ledger.is_unfinished(session, edition_id or 0, resends)
        ]


def unfinished_broadcasts(
    engine: Engine, since: datetime, resends: int = ledger.RESENDS
) -> list[int]:
    """Broadcasts opened after ``since`` that were begun and have deliveries left, oldest first."""
    begun = (EditionStatus.READY, EditionStatus.SENDING, EditionStatus.SENT)
    with read_scope(engine) as session:
        found = session.exec(
            select(Broadcast.id)
            .where(col(Broadcast.status).in_(begun), Broadcast.opened_at > since)
            .order_by(col(Broadcast.id))
        )
        return [
            number or 0
            for number in found
            if ledger.is_unfinished(session, OfBroadcast(number or 0), resends)
        ]


def pause(engine: Engine, which: Which) -> None:
    """Let no further delivery begin, in any process.

    Raises:
        UsageError: no such edition or broadcast, or it is over.
    """
    with session_scope(engine) as session:
        issue, _ = _issue(session, which)
        if issue.status in {EditionStatus.SENT, EditionStatus.CANCELLED}:
            raise UsageError(f"{called(issue)} is already {issue.status}")
        issue.status = EditionStatus.PAUSED


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


def cancel(engine: Engine, which: Which) -> int:
    """End an edition or broadcast; returns how many deliveries will not be made.

    Raises:
        UsageError: no such edition or broadcast, or it was already sent.
    """
    with session_scope(engine) as session:
        issue, of = _issue(session, which)
        if isinstance(of, int):
            _alone(session, of)
        if issue.status == EditionStatus.SENT:
            raise UsageError(f"{called(issue)} was already sent")
        issue.status = EditionStatus.CANCELLED
        issue.finished_at = utc_now()
        ended = ledger.cancel(session, of, utc_now())
        # Papers that were never sent are candidates again.
        never = select(Delivery.id).where(
            ledger.belongs(of), Delivery.status == DeliveryStatus.CANCELLED
        )
        for told in (DigestNews, DigestItem):
            session.execute(delete(told).where(col(told.delivery_id).in_(never)))
        return ended
