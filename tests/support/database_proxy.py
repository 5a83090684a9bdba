"""A way to a PostgreSQL server from other hosts, which can be closed as a restart closes it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.server_thread import serving


@dataclass
class DatabaseProxy:
    """Passes bytes on; while ``is_down`` it refuses, and what was open is cut."""

    socket_path: str
    port: int = 0
    is_down: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def restart(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cut all connections and refuse new ones, until `is_down` is false."""
        self.is_down = True
        loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for each in self._open:
            each.transport.abort()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.is_down:
            writer.transport.abort()
            return
        back, forth = await asyncio.open_unix_connection(self.socket_path)
        ours = {writer, forth}
        self._open |= ours
        with suppress(OSError, asyncio.CancelledError):
            tasks = [
                asyncio.create_task(_pass(reader, forth)),
                asyncio.create_task(_pass(back, writer)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
        self._open -= ours
        for each in ours:
            each.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@contextmanager
def running_proxy(
    socket_path: str, host: str
) -> Iterator[tuple[DatabaseProxy, asyncio.AbstractEventLoop]]:
    """The proxy in a thread of its own, listening on ``host``."""
    proxy = DatabaseProxy(socket_path)
    with serving(proxy.handle, host) as (proxy.port, loop):
        yield proxy, loop
