"""Ingest: pages of a source into the store, with a log row that says what was seen."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError, OperationalError

from newsletter.core.database import session_scope, utc_now
from newsletter.core.errors import InputError, SourceError
from newsletter.core.models import FetchLog, FetchStatus
from newsletter.papers.merge import PaperGoneError
from newsletter.papers.store import Tally, retract, store
from newsletter.papers.tables import LOG
from newsletter.sources import Page, PaperRecord, Problem
from newsletter.sources.file_formats import open_file

# Papers in one transaction: enough that a commit costs nothing, few enough to be short.
GROUP = 500
# A log row is for people; beyond this many lines the number tells more.
MOST_ERRORS = 100
# Losing a race against another process is normal; losing this often is not.
ATTEMPTS = 5
LOST_RACES = (IntegrityError, OperationalError, PaperGoneError)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one fetch or file. ``failure`` says why it ended early."""

    source: str
    new: int = 0
    revised: int = 0
    known: int = 0
    too_old: int = 0  # of the known: stored now, but published too long ago to be news
    failed: int = 0
    left_out: int = 0  # notices and parts of an issue: no papers, and not counted as such
    errors: tuple[Problem, ...] = ()
    failure: str | None = None

    @property
    def announced(self) -> int:
        """Papers announced, read or not."""
        return self.new + self.revised + self.known + self.failed


Progress = Callable[[Outcome], None]


def no_progress(outcome: Outcome) -> None:
    """Ignore progress."""


def ingest_pages(
    engine: Engine,
    source: str,
    pages: Iterable[Page],
    *,
    seen_at: datetime | None = None,
    max_age: timedelta | None = None,
    progress: Progress = no_progress,
) -> Outcome:
    """Store pages as they come, with their log row; the one loop of files and of fetches.

    What was published longer than ``max_age`` ago is stored and counts as known.
    What was stored before a SourceError or a cut stays; ``failure`` then says what happened.
    """
    run = _Run(engine, source, seen_at or utc_now(), max_age)
    try:
        for page in pages:
            run.add(page)
            progress(run.outcome)
    except SourceError as error:
        run.fail(error)
    run.finish()
    return run.outcome


def ingest_file(
    engine: Engine,
    path: Path,
    format_name: str = "auto",
    *,
    seen_at: datetime | None = None,
    max_age: timedelta | None = None,
    progress: Progress = no_progress,
) -> Outcome:
    """Store the papers of a file; bad papers are counted, the good ones kept.

    Raises:
        InputError: the file cannot be read at all.
    """
    name, pages = open_file(path, format_name)
    outcome = ingest_pages(engine, name, pages, seen_at=seen_at, max_age=max_age, progress=progress)
    if outcome.failure and not outcome.announced:
        raise InputError(outcome.errors[-1].what, where=outcome.errors[-1].where)
    return outcome


class _Run:
    """One fetch: a log row opened at once, counts that grow in the papers' own transactions."""

    def __init__(
        self, engine: Engine, source: str, seen_at: datetime, max_age: timedelta | None
    ) -> None:
        self.max_age = max_age
        self.engine = engine
        self.seen_at = seen_at
        self.outcome = Outcome(source)
        # Until it is finished, a log row says failed: that is what a killed run leaves.
        log = FetchLog(source=source, started_at=utc_now(), status=FetchStatus.FAILED)
        with session_scope(engine) as session:
            session.add(log)
            session.flush()
            self.this_log = LOG.c.id == log.id

    def add(self, page: Page) -> None:
        """Store one page, group by group."""
        for start in range(0, len(page.records), GROUP):
            tally = self._store(page.records[start : start + GROUP])
            self.outcome = replace(
                self.outcome,
                new=self.outcome.new + tally.new,
                revised=self.outcome.revised + tally.revised,
                known=self.outcome.known + tally.known,
                too_old=self.outcome.too_old + tally.too_old,
            )
        self.outcome = replace(self.outcome, left_out=self.outcome.left_out + page.left_out)
        if page.retracted_dois:
            with session_scope(self.engine) as session:
                retract(session, page.retracted_dois, self.seen_at)
        if page.problems:
            self._note(page.problems)
            self.outcome = replace(self.outcome, failed=self.outcome.failed + len(page.problems))
            self._log(announced=LOG.c.announced + len(page.problems), failed=self.outcome.failed)
        if page.cut_short:
            self.outcome = replace(self.outcome, failure=page.problems[-1].what)

    def _store(self, records: Sequence[PaperRecord]) -> Tally:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._store_once(records)
            except LOST_RACES:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _store_once(self, records: Sequence[PaperRecord]) -> Tally:
        with session_scope(self.engine) as session:
            # The first statement writes, so that SQLite takes its one write lock here and
            # waits for it, instead of losing it half-way.
            announced = LOG.c.announced + len(records)
            session.execute(update(LOG).where(self.this_log).values(announced=announced))
            tally = store(session, records, seen_at=self.seen_at, max_age=self.max_age)
            counts = {
                "new": LOG.c.new + tally.new,
                "revised": LOG.c.revised + tally.revised,
                "known": LOG.c.known + tally.known,
            }
            session.execute(update(LOG).where(self.this_log).values(counts))
            return tally

    def fail(self, error: SourceError) -> None:
        """The source as a whole failed; what was stored before stays."""
        # Room for this one: it says more than the hundredth bad paper.
        self.outcome = replace(
            self.outcome, failure=str(error), errors=self.outcome.errors[: MOST_ERRORS - 1]
        )
        self._note([Problem(error.where, error.what)])

    def finish(self) -> None:
        """Close the log row."""
        status = FetchStatus.FAILED if self.outcome.failure else FetchStatus.OK
        self._log(status=status, finished_at=utc_now())

    def _note(self, problems: Iterable[Problem]) -> None:
        kept = (*self.outcome.errors, *problems)[:MOST_ERRORS]
        self.outcome = replace(self.outcome, errors=kept)
        self._log(errors=[{"where": p.where, "what": p.what} for p in kept])

    def _log(self, **values: Any) -> None:
        with session_scope(self.engine) as session:
            session.execute(update(LOG).where(self.this_log).values(values))
