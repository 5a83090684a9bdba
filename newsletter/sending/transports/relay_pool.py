"""Several relays as one transport: shared by weight, each standing in for one that fails."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from newsletter.core.errors import RelayError, TransportError
from newsletter.messages.envelope import Envelope
from newsletter.sending.transports.smtp import Relay, SmtpTransport

# A relay that failed is left alone for a second, then two, four … up to a minute, each moved by
# up to a fifth so that connections do not come back all at once.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0


@dataclass(slots=True)
class Breaker:
    """A circuit breaker: pauses longer after each failure, until one success."""

    failures: int = 0
    open_until: float = 0.0
    clock: Callable[[], float] = time.monotonic

    def failed(self) -> None:
        """Note a failure. Those that come while it is open are of the same fault."""
        if self.clock() < self.open_until:
            return
        pause = min(FIRST_PAUSE * 2**self.failures, LONGEST_PAUSE)
        self.failures += 1
        self.open_until = self.clock() + pause * random.uniform(0.8, 1.2)  # noqa: S311  (spread)

    def succeeded(self) -> None:
        """Note a success: the relay works again."""
        self.failures, self.open_until = 0, 0.0

    @property
    def is_open(self) -> bool:
        """Whether to leave it alone for now."""
        return self.clock() < self.open_until


@dataclass(slots=True)
class RelayPool:
    """The relays of a run, how many connections each has, and which are failing."""

    relays: Sequence[Relay]
    _connections: Counter[Relay] = field(default_factory=Counter)
    _breakers: dict[Relay, Breaker] = field(default_factory=dict)
    _last_error: str = ""
    losses: Counter[Relay] = field(default_factory=Counter)

    def transport(self) -> "PooledTransport":
        """One connection to whichever relay should have it."""
        return PooledTransport(self)

    def take(self) -> Relay:
        """The usable relay with the fewest connections for its weight.

        Raises:
            RelayError: none is usable for now; says what was wrong with the last.
        """
        usable = [relay for relay in self.relays if not self._breaker(relay).is_open]
        if not usable:
            raise RelayError(self._last_error)
        relay = min(usable, key=lambda relay: (self._connections[relay] + 1) / relay.weight)
        self._connections[relay] += 1
        return relay

    def give_back(self, relay: Relay) -> None:
        """A connection to the relay has ended."""
        self._connections[relay] -= 1

    def succeeded(self, relay: Relay) -> None:
        """Note that the relay answered, whatever it said."""
        self._breaker(relay).succeeded()

    def failed(self, relay: Relay, reason: str) -> None:
        """Note that the relay failed or broke off."""
        self._breaker(relay).failed()
        self._last_error = reason

    def _breaker(self, relay: Relay) -> Breaker:
        return self._breakers.setdefault(relay, Breaker())


class PooledTransport:
    """One connection at a time, to a relay of the pool; to another when that one fails."""

    def __init__(self, pool: RelayPool) -> None:
        self._pool = pool
        self._held: tuple[Relay, SmtpTransport] | None = None

    async def choose(self) -> str:
        """The relay that the next message goes to; "" if none can be used for now."""
        try:
            relay, _ = await self._usable()
        except RelayError:
            return ""
        return str(relay)

    async def send(self, envelope: Envelope, following: Envelope | None = None) -> str:
        """Hand one message over; see `Transport.send`.

        Raises:
            RelayError: no relay can be used for now.
        """
        while True:
            relay, transport = await self._usable()
            try:
                answer = await transport.send(envelope, following)
            except RelayError as error:
                self._pool.failed(relay, str(error))
                await self.close()
                continue
            except TransportError as error:
                # Without a code the connection broke: whether this message is to blame shows
                # only when others get through.
                if error.code:
                    self._pool.succeeded(relay)
                else:
                    self._pool.failed(relay, f"relay {relay}: {error.response}")
                error.relay = str(relay)
                raise
            self._pool.succeeded(relay)
            return answer

    async def close(self) -> None:
        """Finish politely and give the relay back."""
        held, self._held = self._held, None
        if held is not None:
            self._pool.give_back(held[0])
            await held[1].close()

    async def _usable(self) -> tuple[Relay, SmtpTransport]:
        """The relay in use while its connection stands, else the one to use next."""
        if self._held is not None and self._held[1].is_open:
            return self._held
        await self.close()
        relay = self._pool.take()
        self._held = relay, SmtpTransport(relay, self._pool.losses)
        return self._held
