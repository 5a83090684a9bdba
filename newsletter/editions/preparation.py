"""Prepare an edition: rank the papers for everyone who is due, and freeze each digest in rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import sqlalchemy
from sqlalchemy import Engine, func
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Session, SQLModel, col, select

from newsletter.core.batches import batched
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.models import Delivery, Edition, EditionStatus, SubscriberStatus
from newsletter.editions import freeze, schedule, trials
from newsletter.editions.lifecycle import open_edition
from newsletter.editions.ordering import ordered
from newsletter.messages import digest
from newsletter.papers.coverage import Coverage, coverage
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.profiles import feature_store, profiles
from newsletter.ranking.ranker import Ranker, Ranking, SubscriberProfile
from newsletter.ranking.single_thread import single_thread

# Subscribers ranked and frozen per transaction: enough for matrix products to pay, few enough
# that another writer waits .2 s at most and memory stays flat (500 take 6 % more time, 20 MB less).
CHUNK = 1_000
# Losing a race against another preparation of the same subscribers is normal; often, it is not.
TRIES = 5

Progress = Callable[[int, int], None]
FindRanker = Callable[[Engine, datetime, str], Ranker]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The result of `prepare`: mails frozen now, of which ``notes`` have no papers and say so.

    ``nothing`` counts the others who were due: no papers, and no wish to be told.
    """

    edition_id: int
    due: int
    new: int
    notes: int
    nothing: int

    def __str__(self) -> str:
        """In words; the numbers add up to those who were due."""
        digests = self.new - self.notes
        told = [f"{digests} digest{'s' * (digests != 1)} prepared"]
        if self.notes:
            told.append(f"{self.notes} note{'s' * (self.notes != 1)} that there are no papers")
        if self.nothing:
            told.append(f"{self.nothing} without papers, who get no mail")
        return f"{', '.join(told)}; {self.due} {'was' if self.due == 1 else 'were'} due"


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
    find_ranker: FindRanker | None = None,
) -> Prepared:
    """Freeze a digest for everyone who is due and has none in the date's edition yet.

    ``message_domain`` is the operator's own, for Message-IDs (bulk-mail rule 11); ``sources`` are
    the names of those that should have been read; who is due is judged by cadence, or given as
    ``subscriber_ids``; ``progress`` is called with how many subscribers are done, of how many.
    ``now`` decides which papers are candidates and which source is late: the present if not given.
    ``find_ranker`` may give one that was kept from an earlier preparation.

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
        read = coverage_of(session, edition, now, sources)
        plan = trials.plan_of(session, issue_date, now)
    find = find_ranker or load_ranker
    if due:
        ranker = find(engine, now, model)
    new = notes = nothing = done = 0
    issue = freeze.Issue(edition_id, message_domain, now, read)
    for chunk in batched(due, CHUNK):
        with single_thread():
            readers, space = load_readers(engine, chunk, model, now)
            while len(ranker.candidates) and ranker.candidates.feature_space != space:
                del ranker  # a training ended meanwhile; two of them take too much memory
                ranker = find(engine, now, model)
                readers, space = load_readers(engine, chunk, model, now)
            rankings = ranker.rank(ordered(readers, plan))
        frozen, issue = _frozen(engine, issue, rankings)
        new, notes = new + frozen[0], notes + frozen[1]
        nothing += sum(not ranked.picks for ranked in rankings) - frozen[1]
        done += len(chunk)
        progress(done, len(due))
    _close_preparation(engine, edition_id, read.line())
    return Prepared(edition_id, len(due), new, notes, nothing)


def load_readers(
    engine: Engine, ids: Sequence[int], model: str, now: datetime
) -> tuple[list[SubscriberProfile], str]:
    """Profiles of these subscribers, and the id of the space in which they are to be ranked."""
    with read_scope(engine) as session:
        readers = profiles.load_profiles(session, ids, model, now)
        # Last: were it read first, PostgreSQL could show the profiles of a later training.
        return readers, feature_store.current(session, model)[0]


def _frozen(
    engine: Engine, issue: freeze.Issue, rankings: Sequence[Ranking]
) -> tuple[tuple[int, int], freeze.Issue]:
    """Freeze one chunk; returns how many mails, and the issue for the next chunk."""
    for attempt in range(1, TRIES + 1):
        try:
            with session_scope(engine) as session:
                return freeze.freeze(session, issue, rankings), issue
        except (IntegrityError, OperationalError):
            if attempt == TRIES:
                raise
            # What was read or written in the transaction is gone with it.
            issue = replace(issue, contents={})
    raise AssertionError("unreachable")


def load_ranker(engine: Engine, now: datetime, model: str) -> Ranker:
    """Ranks the papers that are candidates now, with everything that ranking them needs."""
    since = now - digest.CANDIDATE_WINDOW
    feature_store.ensure_vectors(engine, since, model)
    with read_scope(engine) as session:
        return Ranker(profiles.load_candidates(session, since, model))


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
    query = sqlalchemy.select(row.id, row.cadence, row.weekday, row.vacation_until).where(
        row.status == SubscriberStatus.ACTIVE, row.id.not_in(has_one)
    )
    if subscriber_ids:
        query = query.where(row.id.between(min(subscriber_ids), max(subscriber_ids)))
    active = session.connection().execute(query.order_by(row.id))
    if subscriber_ids is not None:
        wanted = set(subscriber_ids)
        return [subscriber_id for subscriber_id, *_ in active if subscriber_id in wanted]
    return [subscriber_id for subscriber_id, *wish in active if schedule.is_due(issue_date, *wish)]


def _close_preparation(engine: Engine, edition_id: int, coverage_line: str) -> None:
    with session_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        # Readers in other zones are prepared later, and more may have been read by then.
        edition.coverage = coverage_line
        if edition.status == EditionStatus.DRAFT:
            edition.status = EditionStatus.READY


def coverage_of(
    session: Session, edition: Edition, now: datetime, sources: Sequence[str] = ()
) -> Coverage:
    """What was read since the previous edition, or within a day for the first one.

    ``sources`` are the names of those that should have been read.
    """
    before = session.exec(
        select(func.max(Edition.opened_at)).where(col(Edition.issue_date) < edition.issue_date)
    ).one()
    return coverage(session, before or edition.opened_at - timedelta(days=1), now, sources)
