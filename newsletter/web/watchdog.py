"""Tells systemd that the pages are up, and goes on answering its watchdog while they are.

The protocol is sd_notify(3): a line in a datagram to the socket that ``NOTIFY_SOCKET`` names.
"""

import os
import socket
from contextlib import suppress

import uvicorn

# Uvicorn's loop comes by this often a second.
TICKS = 10


def notify(state: str) -> None:
    """Send ``state``, such as ``READY=1``; without a socket to send it to, nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # Linux's abstract names begin with a zero byte
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(address)
        channel.sendall(state.encode())


class WatchedServer(uvicorn.Server):
    """A server whose event loop answers the watchdog: one that hangs is restarted."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that the pages are up once they are."""
        await super().startup(sockets)
        if self.started:
            notify("READY=1")

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; the watchdog is told every five seconds."""
        if counter % (5 * TICKS) == 0:
            notify("WATCHDOG=1")
        return await super().on_tick(counter)
