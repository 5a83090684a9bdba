"""A send run in several processes of this machine: each has its own part of the connections.

They share the work through the ledger, so the parent only starts them, adds up what they report,
passes a stop on, and starts another for one that died.
"""

import asyncio
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from newsletter.core import database
from newsletter.core.errors import NewsletterError, StoppedError
from newsletter.sending.mailer.plan import SendPlan, spare_the_collector
from newsletter.sending.mailer.tally import Tally

REPORT_SECONDS = 0.25
# A worker that dies is replaced, for one that ran out of memory must not end the run; when they
# die this often something is wrong that another process will not fix.
REPLACEMENTS = 5
INTERRUPTED = 3


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    plan: SendPlan
    tally: Tally = field(default_factory=lambda: Tally(0))
    error: str | None = None
    is_done: bool = False


class Workers:
    """Runs ``plan`` in ``count`` processes; `stop` drains, a second `stop` kills."""

    def __init__(self, plan: SendPlan, count: int) -> None:
        self.on_progress: Callable[[Tally], None] = lambda tally: None
        self._context = multiprocessing.get_context("spawn")
        self._workers = [self._start(part) for part in _parts(plan, count)]
        self._ended: list[_Worker] = []
        self._replacements = 0
        self._stops = 0

    def stop(self) -> None:
        """Drain; the second call stops immediately. Safe in a signal handler."""
        self._stops += 1
        for worker in self._workers:
            if self._stops == 1:
                worker.process.terminate()
            else:
                worker.process.kill()

    def run(self) -> Tally:
        """Run until all are done.

        Raises:
            StoppedError: a worker could not go on.
        """
        while self._workers:
            ready = wait([worker.pipe for worker in self._workers], timeout=REPORT_SECONDS)
            for worker in [worker for worker in self._workers if worker.pipe in ready]:
                self._hear(worker)
            self.on_progress(self._sum())
        failed = next((worker.error for worker in self._ended if worker.error), None)
        if failed:
            raise StoppedError(failed)
        return self._sum()

    def _hear(self, worker: _Worker) -> None:
        try:
            worker.tally, worker.error, worker.is_done = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            self._workers.remove(worker)
            self._ended.append(worker)
            if not worker.is_done and not self._stops:
                self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        self._replacements += 1
        if self._replacements > REPLACEMENTS:
            worker.error = f"workers keep dying (exit code {worker.process.exitcode})"
            return
        limit = worker.plan.limit
        left = None if limit is None else limit - worker.tally.done
        if left != 0:
            self._workers.append(self._start(replace(worker.plan, limit=left)))

    def _start(self, plan: SendPlan) -> _Worker:
        ours, theirs = self._context.Pipe(duplex=True)
        process = self._context.Process(target=_work, args=(plan, theirs), daemon=True)
        process.start()
        theirs.close()  # so that the pipe ends when the worker dies
        return _Worker(process, ours, plan)

    def _sum(self) -> Tally:
        tallies = [worker.tally for worker in (*self._workers, *self._ended)]
        outcomes = sum((tally.outcomes for tally in tallies), Counter())
        total = max((tally.total for tally in tallies), default=0)
        stopped = next((tally.stopped for tally in tallies if tally.stopped), "")
        relay_failed = any(tally.relay_failed for tally in tallies)
        refused_as = next((tally.refused_as for tally in tallies if tally.refused_as), "")
        return Tally(max(total, outcomes.total()), outcomes, stopped, relay_failed, refused_as)


def _parts(plan: SendPlan, count: int) -> list[SendPlan]:
    """The plan in ``count`` parts: connections and limit are shared out."""
    parts = []
    for index in range(count):
        connections = max(1, _share(plan.connections, count, index))
        limit = None if plan.limit is None else _share(plan.limit, count, index)
        if limit != 0:
            parts.append(replace(plan, connections=connections, limit=limit))
    return parts


def _share(whole: int, count: int, index: int) -> int:
    return whole // count + (index < whole % count)


def _work(plan: SendPlan, pipe: Connection) -> None:
    """The life of a worker process."""
    # Ctrl-C reaches the whole group; only the parent's signal counts, or one would count as two.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tally, failure = Tally(0), None
    try:
        tally = asyncio.run(_drain(plan, pipe))
    except NewsletterError as error:
        failure = str(error)
    with suppress(OSError):  # the parent may be gone
        pipe.send((tally, failure, True))


async def _drain(plan: SendPlan, pipe: Connection) -> Tally:
    settings = plan.settings
    spare_the_collector()
    run = plan.run(database.connect(settings.database_url, synchronous=settings.sqlite_synchronous))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: stop_or_exit(run.stop))
    # The parent never writes: readable means the end of the pipe, so the parent has died.
    loop.add_reader(pipe.fileno(), run.stop.set)
    last = 0.0

    def report(tally: Tally) -> None:
        nonlocal last
        if time.monotonic() - last > REPORT_SECONDS:
            last = time.monotonic()
            with suppress(OSError):
                pipe.send((tally, None, False))

    run.on_progress = report
    try:
        return await run.run()
    finally:
        loop.remove_reader(pipe.fileno())


def stop_or_exit(stop: asyncio.Event) -> None:
    """Drain at the first signal; at the second leave at once, as a kill would."""
    if stop.is_set():
        os._exit(INTERRUPTED)
    stop.set()
