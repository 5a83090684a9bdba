"""A worker: takes jobs from the queue until it is told to stop, and prints a line for each."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from procrastinate import JobContext, exceptions
from procrastinate.worker import Worker
from sqlalchemy.exc import DBAPIError

from newsletter.cluster import queue, schema
from newsletter.cluster.site import Site
from newsletter.cluster.tasks import open_queue
from newsletter.core.errors import NewsletterError
from newsletter.core.one_line import visible
from newsletter.sending.mailer.plan import spare_the_collector

# Jobs are looked for this often, by a plain query: a notification needs a connection of its own
# that no pooler of transactions can give, and a batch a job need not start within milliseconds.
POLL_SECONDS = 1.0
# After the database was lost.
RETRY_SECONDS = 5.0
INTERRUPTED = 3

Say = Callable[[str], None]


class NewsletterWorker:
    """Runs up to ``concurrency`` jobs at a time; `stop` finishes those that run."""

    def __init__(self, site: Site, *, concurrency: int, say: Say, wait: bool = True) -> None:
        """With ``wait`` False it ends when no job is left."""
        self._site = site
        self._say = say
        self._concurrency = concurrency
        self._wait = wait
        self._stopped = asyncio.Event()
        self._current: Any = None  # a Worker, some of whose methods have no types
        site.is_stopping = self._stopped.is_set

    def stop(self) -> None:
        """Take no more jobs; send jobs finish what is in flight. The second call leaves at once."""
        if self._stopped.is_set():
            os._exit(INTERRUPTED)
        self._stopped.set()
        self._say("finishing the jobs that run; interrupt again to stop immediately")
        if self._current is not None:
            self._current.stop()

    async def run(self) -> None:
        """Work until stopped, also past a restart of the database.

        Raises:
            DatabaseError: the queue's tables are not those of the installed package.
        """
        await asyncio.to_thread(schema.require_current, self._site.engine)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        spare_the_collector()
        try:
            await self._work_on()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def _work_on(self) -> None:
        while not self._stopped.is_set():
            try:
                await self._work()
            except (exceptions.ProcrastinateException, DBAPIError, OSError) as error:
                self._say(f"error: the queue cannot be used: {_first_line(error)}")
            else:
                if not self._wait:
                    # The last job may have queued others after the queue was found empty.
                    if not await asyncio.to_thread(queue.is_any_due, self._site.engine):
                        return
                    continue
                if not self._stopped.is_set():
                    self._say("error: the connection to the queue was lost")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), RETRY_SECONDS)

    async def _work(self) -> None:
        async with open_queue(self._site.engine) as app:
            self._current = Worker(
                app,
                concurrency=self._concurrency,
                wait=self._wait,
                fetch_job_polling_interval=POLL_SECONDS,
                listen_notify=False,
                install_signal_handlers=False,
                delete_jobs="successful",
                additional_context={"site": self._site},
                worker_middleware=[self._tell],
            )
            try:
                await self._current.run()
            finally:
                self._current = None

    async def _tell(
        self, process: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker
    ) -> Any:
        """Print what came of each job, in one line."""
        name = context.job.task_name.rpartition(":")[2]
        started = time.monotonic()
        try:
            result = await process()
        except NewsletterError as error:
            self._say(f"{name} {_arguments(context)}: error: {error}")
            raise
        except Exception as error:
            self._say(f"{name} {_arguments(context)}: error: {_first_line(error)}")
            raise
        self._say(f"{name}: {result} ({time.monotonic() - started:.1f} s)")
        return result


def _arguments(context: JobContext) -> str:
    return " ".join(f"{key}={value}" for key, value in context.job.task_kwargs.items())


def _first_line(error: BaseException) -> str:
    """What went wrong, without the statement and its parameters."""
    cause: BaseException = error
    with suppress(AttributeError):
        cause = error.orig or error  # type: ignore[attr-defined]
    while isinstance(cause, exceptions.ConnectorException) and cause.__cause__ is not None:
        cause = cause.__cause__
    text = str(cause).strip().partition("\n")[0]
    return visible(text or type(cause).__name__)


def quiet_queue_log() -> None:
    """Keep the queue's own log, with its tracebacks and arguments, out of the operator's."""
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL + 1)
