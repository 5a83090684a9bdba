"""As fast as the relay takes it: slower at once when it asks, faster bit by bit afterwards.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681 §3.1): of a relay that takes
five a second nine of ten messages need not wait five minutes for their next try.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

# A request to slow down halves the rate, at most once in this many seconds: what was under way
# meanwhile was refused for the same reason.
ONE_STEP_SECONDS = 1.0
HALF = 0.5
# Each message that is taken makes the rate faster by this many a second.
STEP = 0.1
SLOWEST = 0.2
# Asked so often in a row without taking anything, the relay means more than the pace.
MOST_IN_A_ROW = 12
# A message that is asked to wait this often waits like any other 4xx.
MOST_PER_MESSAGE = 4
# Who waits sees this often whether the run has ended.
LOOK_SECONDS = 0.2


@dataclass(slots=True)
class Throttle:
    """The pace of one run, over all its connections; ``rate`` None is as fast as it goes."""

    rate: float | None = None
    in_a_row: int = 0
    _next_at: float = 0.0
    _slowed_at: float = 0.0
    _taken_at: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    _asked: Counter[int] = field(default_factory=Counter)

    async def wait(self, is_over: Callable[[], bool]) -> None:
        """Until the next message may go, or the run is over."""
        if self.rate is None:
            return
        mine = max(time.monotonic(), self._next_at)
        self._next_at = mine + 1 / self.rate
        while (left := mine - time.monotonic()) > 0 and not is_over():  # noqa: ASYNC110  (also for the clock)
            await asyncio.sleep(min(left, LOOK_SECONDS))

    def taken(self) -> None:
        """The relay took a message."""
        self.in_a_row = 0
        self._taken_at.append(time.monotonic())
        if self.rate is not None:
            self.rate += STEP

    def slow_down(self, delivery_id: int) -> bool:
        """The relay asked to; whether the message should be tried again within this run."""
        self.in_a_row += 1
        self._asked[delivery_id] += 1
        now = time.monotonic()
        if now - self._slowed_at > ONE_STEP_SECONDS:
            self._slowed_at = now
            self.rate = max(SLOWEST, HALF * (self.rate or self._measured(now)))
        return self._asked[delivery_id] <= MOST_PER_MESSAGE

    @property
    def is_hopeless(self) -> bool:
        """Whether the relay takes nothing at all, however slowly it comes."""
        return self.in_a_row >= MOST_IN_A_ROW

    def _measured(self, now: float) -> float:
        """How many a second it took lately."""
        lately = [moment for moment in self._taken_at if moment > now - 1]
        return float(max(len(lately), 2))
