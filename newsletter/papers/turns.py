"""Turns at a host, kept in the database, so that all processes and machines share them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Engine, or_, select, update
from sqlalchemy.exc import IntegrityError

from newsletter.db import session_scope, utc_now
from newsletter.errors import FetchError
from newsletter.models import SourceState
from newsletter.papers.tables import STATE
from newsletter.sources.fetch import LONGEST_ANSWER, LONGEST_WAIT

# arXiv: one request in 3 s and one connection, for all its hosts and all our machines together
# (info.arxiv.org/help/api/tou.html). Elsewhere a second is more than polite.
_PACE = {"arxiv.org": 3.0}
_USUAL_PACE = 1.0
# Who waits looks again this often: a turn may end long before its lease.
_LOOK_AGAIN = 0.5
_LEASE = timedelta(seconds=LONGEST_ANSWER + 60)


def place_of(host: str) -> str:
    """The hosts that share one turn: all of arXiv's are one."""
    return "arxiv.org" if host == "arxiv.org" or host.endswith(".arxiv.org") else host


class DatabaseTurns:
    """A row of ``source_state`` a host; its ``next_fetch_at`` is when the next turn begins.

    Taking a turn moves it to the end of a lease by compare-and-set, so one process asks at a
    time, and one that was killed holds the others up for the lease only.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        pace: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.engine = engine
        self.pace = pace
        self.sleep = sleep

    @contextmanager
    def take(self, host: str) -> Iterator["_Taken"]:
        """Wait for the turn; it ends with the block.

        Raises:
            FetchError: the host asked for a pause longer than a run waits.
        """
        place = place_of(host)
        name = f"host:{place}"[:40]
        lease = self._wait(name, host)
        taken = _Taken()
        try:
            yield taken
        finally:
            pace = self.pace if self.pace is not None else _PACE.get(place, _USUAL_PACE)
            after = utc_now() + timedelta(seconds=pace)
            with session_scope(self.engine) as session:
                session.execute(
                    update(STATE)
                    .where(STATE.c.source == name, STATE.c.next_fetch_at == lease)
                    .values(next_fetch_at=max(after, taken.not_before or after))
                )

    def _wait(self, name: str, host: str) -> datetime:
        while True:
            now = utc_now()
            lease = now + _LEASE
            due = self._try(name, now, lease)
            if due is None:
                return lease
            wait = (due - now).total_seconds()
            if wait > max(LONGEST_WAIT, _LEASE.total_seconds()):
                until = f"{due:%Y-%m-%d %H:%M} UTC"
                what = f"it asked not to be asked before {until}"
                raise FetchError(what, where=host, transient=False)
            self.sleep(min(wait, _LOOK_AGAIN))

    def _try(self, name: str, now: datetime, lease: datetime) -> datetime | None:
        """Take the turn if it is free; else when it may be."""
        free = or_(STATE.c.next_fetch_at.is_(None), STATE.c.next_fetch_at <= now)
        try:
            with session_scope(self.engine) as session:
                taken = session.connection().execute(
                    update(STATE).where(STATE.c.source == name, free).values(next_fetch_at=lease)
                )
                if taken.rowcount:
                    return None
                due: datetime | None = session.execute(
                    select(STATE.c.next_fetch_at).where(STATE.c.source == name)
                ).scalar_one_or_none()
                if due is not None:
                    return due
                session.add(SourceState(source=name, next_fetch_at=lease))
        except IntegrityError:
            # Another process made the row in between: look again.
            return now
        return None


class _Taken:
    """A turn that was taken."""

    def __init__(self) -> None:
        self.not_before: datetime | None = None

    def ask_not_before(self, when: datetime) -> None:
        """The host wants a pause."""
        self.not_before = when
