"""One request per host at a time, over all processes and machines: locks in the database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Engine, or_, select, update
from sqlalchemy.exc import IntegrityError

from newsletter.core.database import session_scope, utc_now
from newsletter.core.errors import FetchError
from newsletter.core.models import SourceState
from newsletter.papers.tables import STATE
from newsletter.sources.http_client import LONGEST_SILENCE, LONGEST_WAIT

# arXiv: one request in 3 s and one connection, for all its hosts and all our machines together
# (info.arxiv.org/help/api/tou.html). Elsewhere a second is more than polite.
_PACE = {"arxiv.org": 3.0}
_USUAL_PACE = 1.0
# A waiting process looks again this often: a turn may end long before its lease.
_LOOK_AGAIN = 0.5
# Longer than a host may be silent; renewed while its answer comes in.
_LEASE = timedelta(seconds=LONGEST_SILENCE + 15)
_RENEW_AFTER = timedelta(seconds=10)


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
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.engine = engine
        self.now = now
        self.sleep = sleep

    @contextmanager
    def take(self, host: str) -> Iterator["_Taken"]:
        """Wait for the turn; it ends with the block.

        Raises:
            FetchError: the host asked for a pause longer than a run waits.
        """
        taken = _Taken(self, place_of(host))
        while (due := taken.take()) is not None:
            wait = (due - self.now()).total_seconds()
            if wait > LONGEST_WAIT:
                what = f"it asked not to be asked before {due:%Y-%m-%d %H:%M} UTC"
                raise FetchError(what, where=host, transient=False)
            self.sleep(max(0.0, min(wait, _LOOK_AGAIN)))
        try:
            yield taken
        finally:
            taken.end()


class _Taken:
    """A turn at one place."""

    def __init__(self, turns: DatabaseTurns, place: str) -> None:
        self.turns = turns
        self.pace = timedelta(seconds=_PACE.get(place, _USUAL_PACE))
        self.name = f"host:{place}"[:40]
        self.lease = turns.now()
        self.not_before = self.lease

    def take(self) -> datetime | None:
        """Take the turn if it is free; else the moment when it may be."""
        now = self.turns.now()
        free = or_(STATE.c.next_fetch_at.is_(None), STATE.c.next_fetch_at <= now)
        lease = now + _LEASE
        try:
            with session_scope(self.turns.engine) as session:
                row = STATE.c.source == self.name
                taken = session.connection().execute(
                    update(STATE).where(row, free).values(next_fetch_at=lease)
                )
                if not taken.rowcount:
                    query = select(STATE.c.next_fetch_at).where(row)
                    due: datetime | None = session.execute(query).scalar_one_or_none()
                    if due is not None:
                        return due
                    session.add(SourceState(source=self.name, next_fetch_at=lease))
        except IntegrityError:
            # Another process made the row in between: look again.
            return now
        self.lease = lease
        return None

    def keep(self) -> None:
        """Move the end of the lease, when it has come nearer."""
        now = self.turns.now()
        if self.lease - now < _LEASE - _RENEW_AFTER:
            self._move(now + _LEASE)

    def ask_not_before(self, when: datetime) -> None:
        """The host wants a pause."""
        self.not_before = when

    def end(self) -> None:
        """The next turn begins after the pause."""
        self._move(max(self.turns.now() + self.pace, self.not_before))

    def _move(self, when: datetime) -> None:
        mine = (STATE.c.source == self.name, STATE.c.next_fetch_at == self.lease)
        with session_scope(self.turns.engine) as session:
            session.execute(update(STATE).where(*mine).values(next_fetch_at=when))
        self.lease = when
