"""The pace that each relay has asked for, in the database: all senders that use it keep to it.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681 §3.1): slower at once when
the relay asks, whichever sender it told; faster bit by bit with each message that any of them
hands over; free again when it has not asked for a while.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import Pace
from newsletter.sending import ledger
from newsletter.sending.mailer import rate_limit
from newsletter.sending.mailer.shared_clock import SharedClock

# A request to slow down halves the rate, at most once in this time: what was under way
# meanwhile was refused for the same reason.
ONE_STEP = timedelta(seconds=1)
HALF = 0.5
# Each message that is taken makes the rate faster by this many a second.
STEP = 0.1
SLOWEST = 0.2
# The rate doubles in seven seconds: after a minute without a request it hinders nobody any more.
FORGOTTEN_AFTER = timedelta(minutes=1)


def name_of(relay: str) -> str:
    """The row's name."""
    return f"relay:{relay}"


def asked_rate(row: Pace, now: datetime) -> float | None:
    """Messages a second that the relay has asked for, over all senders; None if it has not."""
    if row.rate is None or row.slowed_at is None:
        return None
    # A moment to come was written before a clock was set back.
    return row.rate if timedelta() <= now - row.slowed_at < FORGOTTEN_AFTER else None


def slow_down(session: Session, relay: str, took: float, now: datetime) -> float:
    """Halve the relay's rate for all senders; returns what it is now.

    ``took`` is how many messages a second all of them handed over before.
    """
    row = rate_limit.locked(session, name_of(relay))
    rate = asked_rate(row, now)
    if rate is not None and row.slowed_at is not None and now - row.slowed_at < ONE_STEP:
        return rate
    row.rate = max(SLOWEST, HALF * (rate or took))
    row.slowed_at = now
    return row.rate


@dataclass(frozen=True, slots=True)
class RelaySlots:
    """``rate`` is None, and no moment given, where nothing holds the relay's mail back."""

    rate: float | None
    given: tuple[datetime, ...] = ()


def reserve(
    session: Session, relay: str, *, taken: int, most: int, now: datetime, limit: float | None
) -> RelaySlots:
    """Moments for the next messages to a relay, one at least.

    ``taken`` messages have been taken since the last call; ``limit`` is the rate that the
    relay's setting allows.
    """
    row = rate_limit.locked(session, name_of(relay))
    rate = asked_rate(row, now)
    if rate is not None:
        rate = row.rate = rate + STEP * taken
    elif row.rate is not None:
        row.rate = row.slowed_at = None
    rates = [each for each in (rate, limit) if each is not None]
    if not rates:
        return RelaySlots(None)
    given = rate_limit.give_away(row, min(rates), most=most, now=now, at_least=1).given
    return RelaySlots(min(rates), given)


def slowed(session: Session, now: datetime) -> dict[str, float]:
    """The relays that have asked for less, and what they get now."""
    rows = session.exec(select(Pace).where(col(Pace.rate).is_not(None))).all()
    found = {row.name.partition(":")[2]: asked_rate(row, now) for row in rows}
    return {relay: rate for relay, rate in found.items() if rate is not None}


@dataclass(slots=True)
class RelayPaces:
    """One run's use of these rows, each call a short transaction.

    ``limits`` are the relays of the run with the rate that their setting allows, if any. Moments
    are of this machine's clock.
    """

    engine: Engine
    clock: SharedClock
    limits: Mapping[str, float | None] = field(default_factory=dict)

    def look(self) -> dict[str, float]:
        """The relays whose mail is held back, and how many a second they get."""
        with read_scope(self.engine) as session:
            found = slowed(session, self.clock.now())
        for relay, limit in self.limits.items():
            if limit is not None:
                found[relay] = min(limit, found.get(relay, limit))
        return found

    def slow_down(self, relay: str, took: float) -> float:
        """The relay asked for less; ``took`` is how many a second this run handed over before."""
        with session_scope(self.engine) as session:
            # Who holds leases is sending as well, and most likely as fast.
            senders = max(1, len(ledger.owners(session)))
            return slow_down(session, relay, took * senders, self.clock.now())

    def reserve(self, relay: str, taken: int, most: int) -> RelaySlots:
        """See `reserve`."""
        limit = self.limits.get(relay)
        with session_scope(self.engine) as session:
            now = self.clock.now()
            found = reserve(session, relay, taken=taken, most=most, now=now, limit=limit)
        return RelaySlots(found.rate, tuple(map(self.clock.to_local, found.given)))
