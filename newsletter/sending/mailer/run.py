"""A send run in one process: turns of the ledger on one side, connections on the other.

Results wait for their commit in no more than one group, and nothing is handed over while a group
is full: so what a relay has taken and the ledger does not know is at most one group and one
message a connection, and by the flight log, after a kill, no more than the latter.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine

from newsletter.core.database import utc_now
from newsletter.core.errors import RelayError, SlowDownError, StoppedError
from newsletter.core.models import DeliveryStatus
from newsletter.sending.ledger import LEASE, Result
from newsletter.sending.mailer import flight_log, lease_owner
from newsletter.sending.mailer.attempt import Ready, Rendering, attempt, deferred, make_ready
from newsletter.sending.mailer.backlog import Backlog
from newsletter.sending.mailer.begun import Begun, BegunDelivery
from newsletter.sending.mailer.db_executor import DatabaseLine
from newsletter.sending.mailer.ledger_client import LedgerClient
from newsletter.sending.mailer.options import RunOptions
from newsletter.sending.mailer.rate_limit import AHEAD
from newsletter.sending.mailer.relay_health import RelayHealth
from newsletter.sending.mailer.relay_pace import RelayPaces
from newsletter.sending.mailer.tally import Tally
from newsletter.sending.mailer.throttle import Throttle
from newsletter.sending.transports import Transport

# Results that may wait for their commit. Turns come at half of that, so that begins and results go
# on beside the sending; in a commit of 50 a row costs a tenth of what it costs alone.
GROUP = 100
# A begun delivery that waits over a second for a connection is begun again: an unsubscribe or
# a pause must not lose to a slow relay.
FRESH_SECONDS = 1.0
# A relay that answers faster is told of the next message along with one's content. A slower one
# is not: what was begun must not wait for it long after an unsubscribe or a pause.
QUICK_SECONDS = FRESH_SECONDS / 4
# The ledger hears of results, and the run of a pause, at least this often.
TICK_SECONDS = 0.25
# A relay may take ten minutes for one message (RFC 5321 §4.5.3.2), and a lease must not end first.
RENEW_SECONDS = LEASE.total_seconds() / 4
# What a domain's rate holds back is waited for when the first of it is due this soon.
SOON = timedelta(seconds=10)


class SendRun:
    """Drains what is due, as `RunOptions` say.

    Set ``stop`` to drain: what is in flight is finished and recorded. ``on_progress`` is called
    after each result.
    """

    def __init__(
        self,
        engine: Engine,
        renderer: Rendering,
        transport: Callable[[], Transport],
        options: RunOptions,
    ) -> None:
        self.stop = asyncio.Event()
        self.on_progress: Callable[[Tally], None] = lambda tally: None
        self._renderer = renderer
        self._transport = transport
        self._options = options
        self._connections = options.connections
        self._left = options.limit
        owner = lease_owner.new_owner()
        self._ledger = LedgerClient(engine, options, owner)
        self._log = flight_log.FlightLog(flight_log.folder_for(engine), owner)
        self._tally = Tally(0)
        self._backlog = Backlog()
        self._group = min(GROUP // 2, 2 * options.connections)
        self._moments: list[datetime] = []
        self._empty_since = 0.0
        self._renewed_at = time.monotonic()
        self._is_over = self._is_paused = False
        self._ledger_wanted = asyncio.Event()
        self._work = asyncio.Event()
        self._line = DatabaseLine(engine)
        self._ask = self._line.ask
        paces = RelayPaces(engine, self._ledger.clock, options.relays)
        self._relay = RelayHealth(Throttle(paces, self._line))

    async def run(self) -> Tally:
        """Send until nothing is due, the limit is reached, or ``stop`` is set.

        ``Tally.stopped`` says why it ended before the end, if it did.

        Raises:
            StoppedError: the database cannot be read or written; the next run settles what this
                one began.
        """
        self._log.open()
        try:
            self._tally.total = await self._ask(self._ledger.open)
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._connections):
                    tasks.create_task(self._connection())
                lost = await self._keep_ledger()
            if lost is not None:
                raise lost
            await self._ask(self._ledger.close, self._relay.brake.kind)
            self._log.close()
        finally:
            lease_owner.forget(self._ledger.owner)
            self._line.close()
        return self._tally

    async def _keep_ledger(self) -> StoppedError | None:
        """Turn after turn until there is nothing to do; the error if the database was lost."""
        lost = None
        try:
            while not await self._is_done():
                await self._relay.throttle.hear()
                await self._pause_if_harmful()
                await self._put_back()
                if time.monotonic() - self._renewed_at > RENEW_SECONDS:
                    self._renewed_at = time.monotonic()
                    await self._ask(self._ledger.renew)
                want = await self._wanted()
                if want or self._backlog.results:
                    await self._turn(want)
                await self._rest()
        except StoppedError as error:
            self.stop.set()  # messages in flight still reach the flight log
            lost = error
        self._is_over = True
        self._work.set()
        while self._backlog.in_flight:  # only if the database was lost
            await self._rest()
        return lost

    async def _pause_if_harmful(self) -> None:
        """Pause all processes when nearly all is refused alike, or after too many bounces."""
        if self._ledger.reputation.is_due and (why := await self._ask(self._ledger.why_pause)):
            self._give_up(why)
        why = self._relay.brake.reason or self._ledger.reputation.reason
        if why and not self._is_paused:
            self._is_paused = await self._ask(self._ledger.pause, why, self._relay.brake.kind)

    async def _rest(self) -> None:
        """Wait until the ledger is needed, or for one tick."""
        try:
            async with asyncio.timeout(TICK_SECONDS):
                await self._ledger_wanted.wait()
        except TimeoutError:
            pass
        self._ledger_wanted.clear()

    async def _is_done(self) -> bool:
        if not self._backlog.is_empty:
            return False
        if self.stop.is_set() or self._left == 0:
            return True
        # Ask what is left only after an empty claim.
        if not self._empty_since or time.monotonic() < self._empty_since + TICK_SECONDS:
            return False
        self._empty_since = 0.0
        return await self._is_exhausted()

    async def _is_exhausted(self) -> bool:
        """Whether there is nothing to wait for; also takes over from dead processes."""
        halted, outlook = await self._ask(self._ledger.outlook)
        if halted:
            self._tally.stopped = halted
            return True
        if self._options.is_partial:
            return True
        if outlook.next_queued is not None and outlook.next_queued < utc_now() + SOON:
            return False
        if outlook.leased:
            await self._ask(self._ledger.recover)
            return False
        return True

    async def _wanted(self) -> int:
        """How many deliveries to begin now."""
        now = time.monotonic()
        is_busy = self._backlog.in_flight >= self._connections
        if (
            self.stop.is_set()
            or now < self._empty_since + TICK_SECONDS
            or len(self._backlog.waiting) > self._group // 2
            or (is_busy and now - self._relay.answered_at > TICK_SECONDS)
        ):
            return 0
        want = self._group if self._left is None else min(self._group, self._left)
        if (pace := self._relay.throttle.total) is not None:
            # What a slow relay cannot take at once would only be put back.
            room = max(self._backlog.hungry, int(pace * FRESH_SECONDS / 2))
            want = min(want, max(0, room - len(self._backlog.waiting)))
        if not want or self._options.limits.rate is None:
            return want
        if not self._moments or self._moments[0] < utc_now() - 2 * AHEAD:
            self._moments = await self._ask(self._ledger.moments, want)
        return min(want, len(self._moments)) if self._moments[0] < utc_now() + AHEAD else 0

    async def _turn(self, want: int) -> None:
        results = self._backlog.results[:]
        turn: Begun = await self._ask(
            self._ledger.record_and_begin,
            results,
            want,
            self._moments[:want],
            self._ledger.domains.news(),
        )
        del self._backlog.results[: len(results)]
        self._log.recorded(self._backlog.results)
        if turn.jobs:
            self._backlog.waiting.extend(turn.jobs)
            self._moments = self._moments[want:]
            if self._left is not None:
                self._left -= len(turn.jobs)
        elif want and not turn.is_empty:
            self._ledger_wanted.set()  # postponed or suppressed: there may be more
        self._empty_since = time.monotonic() if turn.is_empty else 0.0
        self._tally.outcomes[DeliveryStatus.SUPPRESSED] += turn.suppressed
        if turn.halted:
            self._give_up(turn.halted)
        self._work.set()

    def _must_not_go(self, job: BegunDelivery) -> bool:
        """Whether a begun delivery must not go: the run ends, or its begin is too long ago."""
        return self.stop.is_set() or time.monotonic() - job.begun_at > FRESH_SECONDS

    async def _put_back(self) -> None:
        """Undo the begin of deliveries that no relay took or that waited too long."""
        back, self._backlog.refused = self._backlog.refused, []
        late = [job for job in self._backlog.held.values() if self._must_not_go(job)]
        for job in late:
            del self._backlog.held[job.delivery_id]
        back += late
        first = self._backlog.first
        if first is not None and self._must_not_go(first):
            back += self._backlog.waiting
            self._backlog.waiting.clear()
            # Halve the group size when the relay is slow.
            self._group = max(self._connections, self._group // 2)
        if back:
            await self._ask(self._ledger.put_back, [job.delivery_id for job in back])
            self._empty_since = 0.0  # there may be rows to claim again
            self._left = None if self._left is None else self._left + len(back)

    async def _connection(self) -> None:
        """One connection: take a begun delivery, hand it over, note the result."""
        transport = self._transport()
        following: Ready | None = None
        relay, is_quick = "", False
        try:
            while True:
                if following is None:
                    relay = await self._choose(transport)
                if (ready := following or await self._next_ready()) is None:
                    return
                is_quick = is_quick and relay not in self._relay.throttle.rates
                following = self._look_ahead() if is_quick else None
                started = time.monotonic()
                self._backlog.in_flight += 1
                try:
                    is_sent = await self._attempt(transport, ready, following, relay)
                finally:
                    self._backlog.in_flight -= 1
                    self._call_ledger()
                is_quick = is_sent and time.monotonic() - started < QUICK_SECONDS
                following = following and await self._kept(following)
        finally:
            await transport.close()

    def _call_ledger(self) -> None:
        """Ask for a turn when half a group of results waits, or half a group may begin."""
        results, waiting = len(self._backlog.results), len(self._backlog.waiting)
        if results >= GROUP // 2 or waiting <= self._group // 2:
            self._ledger_wanted.set()

    async def _choose(self, transport: Transport) -> str:
        """The relay that the next message goes to, once it may have one, or the run is over."""
        relay = await transport.choose()
        await self._relay.throttle.wait(relay, lambda: self._is_over or self.stop.is_set())
        return relay

    async def _next_ready(self) -> Ready | None:
        while (job := await self._next_job()) is not None:
            if (ready := self._made_ready(job)) is not None:
                return ready
        return None

    def _made_ready(self, job: BegunDelivery) -> Ready | None:
        made = make_ready(job, self._renderer)
        if isinstance(made, Ready):
            return made
        self._land(job, made)
        return None

    def _look_ahead(self) -> Ready | None:
        """What comes next on the connection, if it is there and need not wait."""
        first = self._backlog.first
        if first is None or first.go_at is not None or self._must_not_go(first):
            return None
        ready = self._made_ready(self._backlog.waiting.popleft())
        if ready is not None:
            self._backlog.held[ready.job.delivery_id] = ready.job
        return ready

    async def _kept(self, following: Ready) -> Ready | None:
        """``following`` when its turn has come; None if it must not go, or was put back."""
        number = following.job.delivery_id
        while (
            number in self._backlog.held
            and len(self._backlog.results) >= GROUP
            and not self._is_over
        ):
            await self._wait_for_work()
        if self._backlog.held.pop(number, None) is None:
            return None
        if self._is_over or self._must_not_go(following.job):
            self._backlog.refused.append(following.job)
            return None
        return following

    async def _next_job(self) -> BegunDelivery | None:
        while not self._is_over:
            is_free = len(self._backlog.results) < GROUP
            first = self._backlog.first
            if is_free and first is not None and not self._must_not_go(first):
                return self._backlog.waiting.popleft()
            await self._wait_for_work()
        return None

    async def _wait_for_work(self) -> None:
        self._ledger_wanted.set()
        self._work.clear()
        self._backlog.hungry += 1
        await self._work.wait()
        self._backlog.hungry -= 1

    async def _attempt(
        self, transport: Transport, ready: Ready, following: Ready | None, relay: str
    ) -> bool:
        """Hand over and record the result; returns whether the relay accepted it."""
        job = ready.job
        try:
            result = await attempt(ready, following, transport, log=self._log)
        except SlowDownError as error:
            await self._slow_down(job, ready, error)
            return False
        except RelayError as error:
            self._backlog.refused.append(job)
            await self._relay_failed(error)
            return False
        except StoppedError as error:
            self._backlog.refused.append(job)
            self._give_up(str(error))
            return False
        if result.status is DeliveryStatus.SENT:
            self._relay.throttle.taken(relay)
        self._relay.answered(time.monotonic())
        self._group = min(GROUP // 2, self._group + 1)
        self._land(job, result)
        return result.status is DeliveryStatus.SENT

    def _land(self, job: BegunDelivery, result: Result) -> None:
        self._backlog.results.append(result)
        try:
            self._log.finished(result)
        except StoppedError as error:
            self._give_up(str(error))
        self._ledger.domains.note(job.domain, result)
        self._tally.outcomes[result.status] += 1
        self.on_progress(self._tally)
        if self._options.checks_refusals and self._relay.brake.note(result, job.domain):
            self._tally.refused_as = self._relay.brake.kind
            self._give_up(self._relay.brake.reason)

    async def _slow_down(self, job: BegunDelivery, ready: Ready, error: SlowDownError) -> None:
        """Put the message back, to be tried again by this run at a slower pace."""
        if await self._relay.throttle.slow_down(error.relay, job.delivery_id):
            self._backlog.refused.append(job)
            if self._relay.throttle.is_hopeless:
                self._give_up(f"the relay takes nothing for now: {error}")
        else:
            self._land(job, deferred(ready, error))

    async def _relay_failed(self, error: RelayError) -> None:
        if self._relay.is_lost(time.monotonic()):
            self._tally.relay_failed = True
            self._give_up(str(error))
        else:
            await asyncio.sleep(TICK_SECONDS)

    def _give_up(self, reason: str) -> None:
        """Drain, and keep the reason."""
        self._tally.stopped = self._tally.stopped or reason
        self.stop.set()
        self._ledger_wanted.set()
