"""Ingest over the network: from each source's cursor to today, with an overlap."""

from collections.abc import Iterator
from datetime import date, timedelta

from sqlalchemy import Engine

from newsletter.db import session_scope, utc_now
from newsletter.models import SourceState
from newsletter.papers.ingest import Outcome, Progress, _no_progress, ingest_pages
from newsletter.sources import Page, Request, Source
from newsletter.sources.fetch import Fetcher

# Read again each time: papers that were announced late, or listed late, come in by this.
OVERLAP = timedelta(days=4)
# Where a source begins that was never read.
FIRST_DAYS = timedelta(days=7)


def ingest_source(
    engine: Engine,
    source: Source,
    fetcher: Fetcher,
    *,
    since: date | None = None,
    today: date | None = None,
    progress: Progress = _no_progress,
) -> Outcome:
    """Fetch what a source announced since its cursor, and store it.

    The cursor moves when everything up to ``today`` is in; until then a next run begins where
    this one did, and finds the papers known.
    """
    today = today or utc_now().date()
    since = since or _begin(engine, source.name, today)
    pages = _pages(source, fetcher, since, today)
    outcome = ingest_pages(engine, source.name, pages, progress=progress)
    with session_scope(engine) as session:
        state = session.get(SourceState, source.name) or SourceState(source=source.name)
        state.failures = state.failures + 1 if outcome.failure else 0
        if outcome.failure is None:
            state.cursor = today.isoformat()
        session.add(state)
    return outcome


def _begin(engine: Engine, name: str, today: date) -> date:
    with session_scope(engine) as session:
        state = session.get(SourceState, name)
    if state is None or state.cursor is None:
        return today - FIRST_DAYS
    return date.fromisoformat(state.cursor) - OVERLAP


def _pages(source: Source, fetcher: Fetcher, since: date, until: date) -> Iterator[Page]:
    request: Request | None = source.first_request(since, until)
    while request is not None:
        page, _ = fetcher.page(source, request)
        yield page
        request = page.next
