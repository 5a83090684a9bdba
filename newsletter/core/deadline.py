"""An end to a whole exchange by HTTP, whatever the other side does meanwhile.

The timeouts of httpx are for one read each. A host that sends a byte now and then, in its headers
or before the first byte that a packed body gives, holds a reader for weeks: 100 KB of headers are
allowed.
"""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import httpx

from newsletter.core.errors import FetchError

# Of a connection, or of one through a proxy: TLS within a tunnel is a socket of its own.
_OPENED = (".connect_tcp.complete", ".start_tls.complete")


class Deadline:
    """Closes the connection of one exchange after so many seconds.

    Give ``extensions`` to the request. Its connection must be a new one, so the client keeps none
    (`NO_KEEPING`). Leaving the block raises FetchError if the time was over before.
    """

    def __init__(self, seconds: float, *, where: str) -> None:
        self._seconds = seconds
        self._where = where
        self._is_over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    @property
    def extensions(self) -> dict[str, Any]:
        """For the request: they tell of its connection."""
        return {"trace": self._note}

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        # A body without a length seems complete when its connection is closed.
        if error is None or isinstance(error, httpx.HTTPError):
            self.check()

    def check(self) -> None:
        """To be called between the pieces of a body.

        Raises:
            FetchError: the time is over.
        """
        if self._is_over:
            what = f"the answer was not complete after {self._seconds:.0f} s"
            raise FetchError(what, where=self._where, transient=True)

    def _note(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith(_OPENED):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._is_over:
                self._close()

    def _end(self) -> None:
        self._is_over = True
        self._close()

    def _close(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # closed already
                # Not the socket's own method: that of TLS changes what the reading thread uses.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


NO_KEEPING = httpx.Limits(max_keepalive_connections=0)
