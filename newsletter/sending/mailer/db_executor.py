"""Runs a send run's database calls, off the event loop if that helps, retrying while locked."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from newsletter.core.errors import StoppedError

# A locked database is waited for this long beyond its own ten seconds before the run ends.
PATIENCE = 20.0
AGAIN_SECONDS = 0.25

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseLine:
    """Calls that read or write a database, one at a time."""

    def __init__(self, engine: Engine) -> None:
        # SQLite lets go of Python's lock at every row, and in a thread would wait for it, up to 5
        # ms, as often: that halves the rate. PostgreSQL waits for the network, and does it better.
        is_remote = engine.dialect.name != "sqlite"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger") if is_remote else None

    async def ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call; wait for a database that is locked or restarts.

        Raises:
            StoppedError: it did not come back.
        """
        loop = asyncio.get_running_loop()
        until = time.monotonic() + PATIENCE
        while True:
            try:
                if self._thread is None:
                    return call(*args, **kwargs)
                return await loop.run_in_executor(self._thread, lambda: call(*args, **kwargs))
            except (OperationalError, InterfaceError) as error:
                if time.monotonic() > until or _is_full(error):
                    raise _lost(error) from error
            except DBAPIError as error:
                raise _lost(error) from error
            await asyncio.sleep(AGAIN_SECONDS)

    def close(self) -> None:
        """Accept no more calls; do not wait for one that hangs."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)


def _is_full(error: DBAPIError) -> bool:
    """Whether SQLite cannot write to its disk, which waiting does not fix."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # extended codes hold it there
    return code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def _lost(error: DBAPIError) -> StoppedError:
    first_line = str(error.orig).strip().partition("\n")[0]
    return StoppedError(f"the database cannot be used: {first_line}")
