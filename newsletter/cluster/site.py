"""What all jobs of a worker share: settings, database, and a ranker kept while it is current."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from newsletter.core.config import Settings
from newsletter.core.database import read_scope, utc_now
from newsletter.core.models import FetchLog, Paper
from newsletter.editions import preparation
from newsletter.messages import digest
from newsletter.ranking.profiles import feature_store
from newsletter.ranking.ranker import Ranker


@dataclass(slots=True)
class KeptRanker:
    """Loads candidates and shared matrices once, and again when papers or the space change.

    Loading takes seconds and, with a month of papers, most of a worker's memory: one is kept, and
    two jobs that need it wait for one loading. A ranker remembers what it computed, so one job
    ranks at a time.
    """

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _state: tuple[Any, ...] = ()
    _ranker: Ranker | None = None

    def find(self, engine: Engine, now: datetime, model: str) -> Ranker:
        """The ranker for the papers that are candidates now."""
        with self._lock:
            with read_scope(engine) as session:
                state = _state_of(session, now, model)
            if self._ranker is None or state != self._state:
                self._ranker = None  # never two of them in memory
                self._ranker = preparation.load_ranker(engine, now, model)
                self._state = state  # what changed while it was loaded is loaded the next time
            return self._ranker


def _state_of(session: Session, now: datetime, model: str) -> tuple[Any, ...]:
    """What a ranker is made from: the space, the papers in the window, and the last change of one.

    Papers change by fetches only, and each leaves a row of the log.
    """
    stored = feature_store.is_stored(session)
    key = feature_store.current(session, model)[0] if stored else ""
    since = now - digest.CANDIDATE_WINDOW
    papers = session.exec(
        select(func.count(), func.max(Paper.id)).where(col(Paper.first_seen_at) >= since)
    ).one()
    fetches = session.exec(
        select(func.max(FetchLog.id), func.max(FetchLog.finished_at), func.sum(FetchLog.announced))
    ).one()
    return (key, model, *papers, *fetches)


@dataclass(slots=True)
class Site:
    """One worker's means; ``is_stopping`` says whether a job should end early."""

    settings: Settings
    engine: Engine
    is_stopping: Callable[[], bool] = lambda: False
    began_at: datetime = field(default_factory=utc_now)
    ranker: KeptRanker = field(default_factory=KeptRanker)
    # A ranker's caches are not made for two threads.
    ranking: threading.Lock = field(default_factory=threading.Lock)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
