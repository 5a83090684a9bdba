"""As fast as each relay takes it: of one that takes five a second, nine of ten messages need not
wait five minutes for their next try.

The paces are the database's (see `relay_pace`), so that a relay that tells one process to slow
down is spared by all. This is one process's side: which message waits how long.
"""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from newsletter.core.database import utc_now
from newsletter.core.errors import StoppedError
from newsletter.sending.mailer.db_executor import DatabaseLine
from newsletter.sending.mailer.rate_limit import AHEAD
from newsletter.sending.mailer.relay_pace import ONE_STEP, RelayPaces

# Asked so often in a row without taking anything, the relay means more than the pace.
MOST_IN_A_ROW = 12
# A message that is asked to wait this often waits like any other 4xx.
MOST_PER_MESSAGE = 4
# Who waits sees this often whether the run has ended.
LOOK_SECONDS = 0.2
# What the others were told is heard of this soon.
HEAR_SECONDS = 1.0
# Moments taken at once; few, since those that nobody uses are lost.
MOST_SLOTS = 10


@dataclass(slots=True)
class Throttle:
    """The paces of one run's relays, over all its connections.

    ``rates`` are messages a second over all senders, by relay; others go as fast as they can.
    """

    paces: RelayPaces
    line: DatabaseLine
    rates: dict[str, float] = field(default_factory=dict)
    in_a_row: int = 0
    _heard_at: float = 0.0
    _slowed_at: dict[str, float] = field(default_factory=dict)
    _taken_at: defaultdict[str, deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=50))
    )
    _taken: Counter[str] = field(default_factory=Counter)  # since moments were last reserved
    _slots: defaultdict[str, deque[datetime]] = field(default_factory=lambda: defaultdict(deque))
    _turns: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )
    _asked: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> float | None:
        """Messages a second over all relays of the run; None if one of them has no limit."""
        relays = self.paces.limits
        if not relays or not all(relay in self.rates for relay in relays):
            return None
        return sum(self.rates[relay] for relay in relays)

    async def hear(self) -> None:
        """Learn what relays have told other senders; at most once a second.

        Raises:
            StoppedError: the database was lost.
        """
        if time.monotonic() - self._heard_at > HEAR_SECONDS:
            self.rates = await self.line.ask(self.paces.look)
            self._heard_at = time.monotonic()

    async def wait(self, relay: str, is_over: Callable[[], bool]) -> None:
        """Until the next message to the relay may go, or the run is over."""
        if relay not in self.rates:
            return
        async with self._turns[relay]:  # so that one message at most waits with a moment of its own
            if is_over():
                return
            try:
                at = await self._next_slot(relay)
            except StoppedError:
                return  # the run's ledger meets the same, and ends the run
            while at and (left := (at - utc_now()).total_seconds()) > 0 and not is_over():  # noqa: ASYNC110  (also for the clock)
                await asyncio.sleep(min(left, LOOK_SECONDS))

    async def _next_slot(self, relay: str) -> datetime | None:
        slots = self._slots[relay]
        while slots and slots[0] < utc_now() - AHEAD:
            slots.popleft()  # nobody had a message then
        if not slots:
            taken = self._taken.pop(relay, 0)
            found = await self.line.ask(self.paces.reserve, relay, taken, MOST_SLOTS)
            if found.rate is None:
                self.rates.pop(relay, None)
                return None
            self.rates[relay] = found.rate
            slots.extend(found.given)
        return slots.popleft()

    def taken(self, relay: str) -> None:
        """The relay took a message."""
        self.in_a_row = 0
        self._taken_at[relay].append(time.monotonic())
        if relay in self.rates:
            self._taken[relay] += 1

    async def slow_down(self, relay: str, delivery_id: int) -> bool:
        """The relay asked to; whether the message should be tried again within this run."""
        self.in_a_row += 1
        self._asked[delivery_id] += 1
        now = time.monotonic()
        if now - self._slowed_at.get(relay, -1e9) > ONE_STEP.total_seconds():
            self._slowed_at[relay] = now
            took = self._measured(relay, now)
            # So that no other connection goes on at full speed until the database has answered.
            self.rates.setdefault(relay, took)
            try:
                rate = await self.line.ask(self.paces.slow_down, relay, took)
            except StoppedError:
                pass  # the run's ledger meets the same, and ends the run
            else:
                self.rates[relay] = rate
        return self._asked[delivery_id] <= MOST_PER_MESSAGE

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing at all is taken, however slowly it comes."""
        return self.in_a_row >= MOST_IN_A_ROW

    def _measured(self, relay: str, now: float) -> float:
        """How many a second the relay took from this run lately."""
        lately = [moment for moment in self._taken_at[relay] if moment > now - 1]
        return float(max(len(lately), 2))
