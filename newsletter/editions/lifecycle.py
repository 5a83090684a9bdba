"""Editions: open one for a date, prepare everyone's digest, pause, cancel, and report.

`prepare` ranks all due subscribers at once and freezes each digest in rows; `mailer` then only
renders and hands over. So a preview is what is sent, and a crash loses nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, delete, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.models import (
    Delivery,
    DeliveryStatus,
    DigestItem,
    Edition,
    EditionStatus,
    SubscriberStatus,
)
from newsletter.editions import freeze, schedule
from newsletter.messages import digest
from newsletter.papers.coverage import Coverage, coverage
from newsletter.ranking import ranker as ranking
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.profiles import feature_store, profiles
from newsletter.sending import ledger

# Subscribers ranked and frozen per transaction: enough for matrix products to pay, few enough
# that another writer never waits long and memory stays flat.
CHUNK = 500

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` did: digests frozen now, subscribers due, and why some got nothing."""

    edition_id: int
    due: int
    new: int
    nothing: int


def find(session: Session, issue_date: date) -> Edition:
    """The edition of a date.

    Raises:
        UsageError: there is none.
    """
    edition = session.exec(select(Edition).where(Edition.issue_date == issue_date)).first()
    if edition is None:
        raise UsageError(
            f"no edition of {issue_date}: create it with `newsletter prepare --date {issue_date}`"
        )
    return edition


def open_edition(engine: Engine, issue_date: date, now: datetime) -> int:
    """Id of the date's edition, opened at ``now`` if there is none. Two may call this at once."""
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
        return open_edition(engine, issue_date, now)  # somebody else was first: theirs it is


def prepare(
    engine: Engine,
    issue_date: date,
    *,
    message_domain: str,
    sources: Sequence[str] = (),
    subscriber_ids: Sequence[int] | None = None,
    model: str = DEFAULT,
    progress: Progress = lambda done, total: None,
    now: datetime | None = None,
) -> Prepared:
    """Freeze a digest for everyone who is due and has none in the date's edition yet.

    ``message_domain`` is the operator's own, for Message-IDs (bulk-mail rule 11); ``sources`` are
    the names of those that should have been read; who is due is judged by cadence, or given as
    ``subscriber_ids``; ``progress`` is called with how many subscribers are done, of how many.
    ``now`` decides which papers are candidates and which source is late: the present if not given.

    Raises:
        UsageError: the edition was cancelled.
    """
    now = now or utc_now()
    edition_id = open_edition(engine, issue_date, now)
    with read_scope(engine) as session:
        if session.get_one(Edition, edition_id).status is EditionStatus.CANCELLED:
            raise UsageError(f"the edition of {issue_date} was cancelled")
        due = due_without_digest(session, edition_id, issue_date, subscriber_ids)
        edition = session.get_one(Edition, edition_id)
        why = coverage_of(session, edition, now, sources).nothing_to_send()
    if due:
        since = now - digest.CANDIDATE_WINDOW
        feature_store.catch_up(engine, since, model)
        with read_scope(engine) as session:
            ranker = ranking.Ranker(profiles.load_candidates(session, since, model))
    new = nothing = 0
    contents: dict[int, dict[str, Any]] = {}
    for start in range(0, len(due), CHUNK):
        chunk = due[start : start + CHUNK]
        with read_scope(engine) as session:
            rankings = ranker.rank(profiles.load_profiles(session, chunk, model, now))
        with session_scope(engine) as session:
            frozen = freeze.freeze(
                session,
                edition_id,
                rankings,
                contents,
                message_domain=message_domain,
                now=now,
                why=why,
            )
        new += frozen
        nothing += sum(not ranked.picks for ranked in rankings)
        progress(start + len(chunk), len(due))
    _close_preparation(engine, edition_id, now, sources)
    return Prepared(edition_id, len(due), new, nothing)


def due_without_digest(
    session: Session,
    edition_id: int | None,
    issue_date: date,
    subscriber_ids: Sequence[int] | None = None,
) -> list[int]:
    """Ids of the active subscribers who are due on the date and have no digest of it yet.

    ``edition_id`` is None before there is an edition. With ``subscriber_ids`` those are due,
    whatever their cadence.
    """
    has_one = select(Delivery.subscriber_id).where(Delivery.edition_id == edition_id)
    row = SQLModel.metadata.tables["subscriber"].c
    active = session.connection().execute(
        sqlalchemy.select(row.id, row.cadence, row.weekday, row.vacation_until)
        .where(row.status == SubscriberStatus.ACTIVE, row.id.not_in(has_one))
        .order_by(row.id)
    )
    if subscriber_ids is not None:
        wanted = set(subscriber_ids)
        return [number for number, *_ in active if number in wanted]
    return [number for number, *wish in active if schedule.is_due(issue_date, *wish)]


def _close_preparation(
    engine: Engine, edition_id: int, now: datetime, sources: Sequence[str]
) -> None:
    with session_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        edition.coverage = edition.coverage or coverage_of(session, edition, now, sources).line()
        if edition.status == EditionStatus.DRAFT:
            edition.status = EditionStatus.READY


def coverage_of(
    session: Session, edition: Edition, now: datetime, sources: Sequence[str] = ()
) -> Coverage:
    """What was read until ``now`` since the edition before, or in the day before the first one.

    ``sources`` are the names of those that should have been read.
    """
    before = session.exec(
        select(func.max(Edition.opened_at)).where(col(Edition.issue_date) < edition.issue_date)
    ).one()
    return coverage(session, before or edition.opened_at - timedelta(days=1), now, sources)


def start_sending(engine: Engine, edition_id: int) -> None:
    """Allow deliveries of the edition to begin, if there are any left; a pause ends here.

    Raises:
        UsageError: the edition was cancelled.
    """
    with session_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        if edition.status == EditionStatus.CANCELLED:
            raise UsageError(f"the edition of {edition.issue_date} was cancelled")
        if edition.status == EditionStatus.SENT and not ledger.is_unfinished(session, edition_id):
            return
        edition.status = EditionStatus.SENDING
        edition.note = ""
        edition.finished_at = None


def finish_if_done(engine: Engine, edition_id: int, resends: int = ledger.RESENDS) -> EditionStatus:
    """Close the edition when nothing is left to send; returns its status.

    Of a cancelled one, what came back meanwhile is cancelled too.
    """
    with session_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        if edition.status == EditionStatus.CANCELLED:
            ledger.cancel(session, edition_id, utc_now())
        elif edition.status == EditionStatus.SENDING and not ledger.is_unfinished(
            session, edition_id, resends
        ):
            edition.status = EditionStatus.SENT
            edition.finished_at = utc_now()
        return edition.status


def retry(engine: Engine, issue_date: date, statuses: Sequence[DeliveryStatus]) -> int:
    """Queue again what ended, or waits, in one of ``statuses``; returns how many.

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

    What counts is their deliveries, not their status: a process may have died between freezing
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
    """Stop deliveries from beginning, in every process, from now on.

    Raises:
        UsageError: no such edition, or it is over.
    """
    with session_scope(engine) as session:
        edition = find(session, issue_date)
        if edition.status in {EditionStatus.SENT, EditionStatus.CANCELLED}:
            raise UsageError(f"the edition of {issue_date} is already {edition.status}")
        edition.status = EditionStatus.PAUSED


def cancel(engine: Engine, issue_date: date) -> int:
    """End an edition; returns how many deliveries will not be made.

    Raises:
        UsageError: no such edition, or it was already sent.
    """
    with session_scope(engine) as session:
        edition = find(session, issue_date)
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
