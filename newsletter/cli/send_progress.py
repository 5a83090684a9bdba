"""Running a send plan from the command line: progress, signals, one process or several."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Engine

from newsletter.cli.console import err
from newsletter.sending.mailer import SendPlan, Tally, Workers
from newsletter.sending.mailer.plan import spare_the_collector
from newsletter.sending.mailer.workers import INTERRUPTED

# How often progress is shown on a terminal, and as lines elsewhere.
BAR_SECONDS = 0.1
LINE_SECONDS = 5.0


class Stop:
    """Handle SIGTERM and Ctrl-C: the first one drains, the second one exits immediately."""

    def __init__(self) -> None:
        self.is_asked = False
        self._drain: Callable[[], None] | None = None

    def listen(self) -> None:
        """Handle the two signals from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._drain is not None:
            self._drain()
        if self.is_asked:
            sys.stderr.write("stopped immediately: the next run settles what was in flight\n")
            sys.stderr.flush()
            # Not by an exception, which would wait for threads and connections.
            os._exit(INTERRUPTED)
        self.is_asked = True
        sys.stderr.write("finishing messages in flight; interrupt again to stop immediately\n")

    def sleep(self, seconds: float) -> None:
        """Wait, but not past a signal."""
        until = time.monotonic() + seconds
        while not self.is_asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))

    @contextmanager
    def calling(self, drain: Callable[[], None]) -> Iterator[None]:
        """Call ``drain`` at every signal until the end of the block."""
        self._drain = drain
        try:
            if self.is_asked:
                drain()
            yield
        finally:
            self._drain = None


def drain(plan: SendPlan, engine: Engine, workers: int, stop: Stop) -> Tally:
    """Run the plan to its end, showing progress; signals drain it.

    Raises:
        StoppedError: the database or a worker process was lost.
    """
    with _shown_progress() as show:
        if workers > 1:
            crew = Workers(plan, workers)
            crew.on_progress = show
            with stop.calling(crew.stop):
                return crew.run()
        return asyncio.run(_drain_here(plan, engine, stop, show))


async def _drain_here(
    plan: SendPlan, engine: Engine, stop: Stop, show: Callable[[Tally], None]
) -> Tally:
    spare_the_collector()
    run = plan.run(engine)
    run.on_progress = show
    loop = asyncio.get_running_loop()
    with stop.calling(lambda: _wake(loop, run.stop)):
        return await run.run()


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)


@contextmanager
def _shown_progress() -> Iterator[Callable[[Tally], None]]:
    """A bar on a terminal; elsewhere a JSON line every few seconds on standard error."""
    if not err.is_terminal:
        yield _line_by_line()
        return
    columns = (
        TextColumn("sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.0f}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[counts]}"),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("sending", total=None, rate=0.0, counts="")
        pace = _Pace(BAR_SECONDS)

        def show(tally: Tally) -> None:
            if (rate := pace.rate(tally.done)) is not None:
                counts = ", ".join(f"{n} {status}" for status, n in tally.outcomes.items() if n)
                bar.update(task, completed=tally.done, total=tally.total, rate=rate, counts=counts)

        yield show


def _line_by_line() -> Callable[[Tally], None]:
    pace = _Pace(LINE_SECONDS)

    def show(tally: Tally) -> None:
        rate = pace.rate(tally.done)
        if rate is None:
            return
        left = (tally.total - tally.done) / rate if rate else None
        line = {
            "done": tally.done,
            "total": tally.total,
            "per_second": round(rate, 1),
            "seconds_left": None if left is None else max(0, round(left)),
            "counts": {status.value: number for status, number in tally.outcomes.items() if number},
        }
        err.file.write(json.dumps(line) + "\n")

    return show


class _Pace:
    """Tells when to show progress again, and the rate since the start."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._started = self._shown = time.monotonic()

    def rate(self, done: int) -> float | None:
        """Messages per second so far; None if it is too early to show anything."""
        now = time.monotonic()
        if now - self._shown < self._seconds:
            return None
        self._shown = now
        return done / (now - self._started)
