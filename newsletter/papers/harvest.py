"""Ingest over the network: from each source's cursor to today, with an overlap."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine

from newsletter.core.database import session_scope, utc_now
from newsletter.core.errors import FetchError
from newsletter.core.models import SourceState
from newsletter.papers.ingest import Outcome, Progress, ingest_pages, no_progress
from newsletter.sources import Page, Request, Source
from newsletter.sources.http_client import Fetcher, Validators

# How far back the first reading of a source goes.
FIRST_DAYS = timedelta(days=7)
# All of arXiv is 3,000 pages; a server that always has one more must not hold a run for ever.
MOST_PAGES = 5_000


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a source was read: everything up to ``through``, and a harvest under way.

    ``url`` is what the stored validators belong to.
    """

    through: date | None = None
    harvest: "Harvest | None" = None
    url: str | None = None

    @classmethod
    def load(cls, text: str | None) -> "Cursor":
        """Read what `dump` wrote; a cursor that cannot be read starts over."""
        try:
            row: dict[str, Any] = json.loads(text or "{}")
            harvest = row.get("harvest")
            return cls(
                date.fromisoformat(row["through"]) if row.get("through") else None,
                Harvest.load(harvest) if harvest else None,
                row.get("url"),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def dump(self) -> str:
        """As JSON, for ``source_state``."""
        return json.dumps({key: value for key, value in asdict(self).items() if value}, default=str)


@dataclass(frozen=True, slots=True)
class Harvest:
    """A reading from ``since`` to ``until`` that goes on with ``request``."""

    since: date
    until: date
    request: Request

    @classmethod
    def load(cls, row: dict[str, Any]) -> "Harvest":
        """From JSON."""
        request = Request(**row["request"])
        return cls(date.fromisoformat(row["since"]), date.fromisoformat(row["until"]), request)


def ingest_source(
    engine: Engine,
    source: Source,
    fetcher: Fetcher,
    *,
    since: date | None = None,
    today: date | None = None,
    max_age: timedelta | None = None,
    progress: Progress = no_progress,
) -> Outcome:
    """Fetch what a source announced since its cursor, and store it.

    The cursor moves when everything up to ``today`` is in. Until then a next run begins where
    this one did and finds the papers known; a long harvest goes on where it stopped, unless
    ``since`` begins another one. What was published longer than ``max_age`` ago is no news.
    """
    reading = _Reading(engine, source, fetcher, since, today or utc_now().date())
    outcome = ingest_pages(engine, source.name, reading.pages(), max_age=max_age, progress=progress)
    reading.close(failed=outcome.failure is not None)
    return outcome


class _Reading:
    """One source's pages, and its row in ``source_state``."""

    def __init__(
        self, engine: Engine, source: Source, fetcher: Fetcher, since: date | None, today: date
    ) -> None:
        self.engine = engine
        self.source = source
        self.fetcher = fetcher
        self.today = today
        with session_scope(engine) as session:
            state = session.get(SourceState, source.name) or SourceState(source=source.name)
        self.cursor = Cursor.load(state.cursor)
        self.validators = Validators(state.etag, state.last_modified)
        self.since = since

    def pages(self) -> Iterator[Page]:
        """Page after page; when the next one is asked for, the last one is stored.

        Raises:
            SourceError: no usable answer came, or the pages never ended.
        """
        harvest = self.cursor.harvest if self.since is None else None
        pages = 0
        while True:
            harvest = harvest or self._begin()
            request: Request | None = harvest.request
            while request is not None:
                pages += 1
                if pages > MOST_PAGES:
                    what = f"stopped after {MOST_PAGES:,} pages; a harvest goes on in the next run"
                    raise FetchError(what, where=self.source.name, transient=False)
                page = self._ask(request)
                yield page
                if page.cut_short:
                    return
                request = page.next
                if request is not None and self.source.resumable:
                    self._save(replace(self.cursor, harvest=replace(harvest, request=request)))
            self._read(harvest)
            if harvest.until >= self.today:
                return
            # A harvest of an earlier day is complete; now what came since.
            harvest = None

    def _begin(self) -> Harvest:
        through = self.cursor.through
        overlap = self.source.overlap
        # As far back as it will be read again: or the second run would find it all new.
        usual = through - overlap if through else self.today - max(FIRST_DAYS, overlap)
        since = min(self.since or usual, self.today)
        return Harvest(since, self.today, self.source.first_request(since, self.today))

    def _ask(self, request: Request) -> Page:
        if not self.source.conditional:
            return self.fetcher.page(self.source, request)[0]
        known = self.validators if self.cursor.url == request.url else Validators()
        page, found = self.fetcher.page(self.source, request, known)
        if request.state.get("page", "1") == "1":
            # Kept for the next run only when this one is complete: see `close`.
            self.validators = found
            self.cursor = replace(self.cursor, url=request.url)
        return page

    def _read(self, harvest: Harvest) -> None:
        """Move the cursor after a complete reading, unless that would leave a gap."""
        through = self.cursor.through
        if through is None or harvest.since <= through:
            through = max(harvest.until, through or harvest.until)
        self.cursor = replace(self.cursor, through=through, harvest=None)

    def _save(self, cursor: Cursor) -> None:
        self.cursor = cursor
        with session_scope(self.engine) as session:
            state = session.get(SourceState, self.source.name)
            state = state or SourceState(source=self.source.name)
            state.cursor = cursor.dump()
            session.add(state)

    def close(self, *, failed: bool) -> None:
        """Record how it ended."""
        with session_scope(self.engine) as session:
            state = session.get(SourceState, self.source.name)
            state = state or SourceState(source=self.source.name)
            state.failures = state.failures + 1 if failed else 0
            if not failed:
                state.cursor = self.cursor.dump()
                state.etag = self.validators.etag
                state.last_modified = self.validators.last_modified
            session.add(state)
