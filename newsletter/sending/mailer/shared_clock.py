"""The clock that all senders share: the database's.

Leases and the sending rate are moments in rows that other machines wrote. By its own clock, a
machine ten minutes ahead would find every lease over and send again what others are sending.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlmodel import Session

from newsletter.core.database import utc_now
from newsletter.sending.ledger import Result

# Less than this is the way to the database and back, and matters to no lease.
EXACT = timedelta(seconds=0.1)


@dataclass(slots=True)
class SharedClock:
    """How far the database's clock is ahead of this machine's; an SQLite file has no other clock.

    Moments in rows are the database's, moments to wait for are this machine's.
    """

    ahead: timedelta = timedelta()

    def set_by(self, session: Session) -> None:
        """Compare the clocks; between two looks this machine's clock is trusted to run."""
        if session.get_bind().dialect.name != "postgresql":
            return
        before = utc_now()
        theirs = session.connection().scalars(select(func.clock_timestamp())).one()
        after = utc_now()
        ahead = theirs - (before + (after - before) / 2)
        self.ahead = ahead if abs(ahead) > EXACT else timedelta()

    def now(self) -> datetime:
        """The shared time."""
        return utc_now() + self.ahead

    def to_shared(self, at: datetime) -> datetime:
        """A moment of this machine's clock, for a row."""
        return at + self.ahead

    def to_record(self, results: Sequence[Result]) -> Sequence[Result]:
        """Results with the shared time of their next try."""
        if not self.ahead:
            return results
        return [
            replace(result, retry_at=result.retry_at and self.to_shared(result.retry_at))
            for result in results
        ]

    def to_local(self, at: datetime) -> datetime:
        """A moment from a row, to wait for."""
        return at - self.ahead
