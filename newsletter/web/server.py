"""The HTTP server around the application: uvicorn's, with limits on what a connection may do.

A head has a deadline, and so has a client that reads slowly; connections are bounded, and when
there are too many, the one that has kept us waiting longest goes. Bodies have theirs in
`bodies.py`.
"""

import asyncio
import ctypes
import logging
import resource
from contextlib import suppress
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from newsletter.web.middleware import HEADERS

# A browser sends its head at once.
SECONDS_FOR_HEAD = 10.0
# Bytes of an answer that the client has not read yet.
SECONDS_FOR_ANSWER = 30.0
# After an answer that came before its body was read, so that the client sees the answer.
SECONDS_TO_LINGER = 2.0
MOST_CONNECTIONS = 400
# Files beside connections: database, templates, child processes.
OTHER_FILES = 100
# Sent in pieces of a few bytes, a body costs more processor time than any answer.
SMALL_PIECE = 512
MOST_SMALL_PIECES = 200
# Strangers can make uvicorn say these as often as they like.
_NOISE = ("Invalid HTTP request", "Unsupported upgrade", "No supported WebSocket", "Exceeded conc")
# Parameters of mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


class _Connection(h11.Connection):
    """h11, with a limit on how finely a body is cut into pieces."""

    small_pieces = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.small_pieces = 0
        elif isinstance(event, h11.Data) and len(event.data) < SMALL_PIECE:
            self.small_pieces += 1
            if self.small_pieces > MOST_SMALL_PIECES:
                raise h11.RemoteProtocolError("a body in too many pieces")
        return event


class Protocol(H11Protocol):
    """One connection."""

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        limit = self.config.h11_max_incomplete_event_size or 16 * 1024
        self.conn = _Connection(h11.SERVER, limit)
        self._deadline: asyncio.TimerHandle | None = None
        self._answer_deadline: asyncio.TimerHandle | None = None

    @property
    def is_waited_for(self) -> bool:
        """Whether nothing of ours is to be done before more comes."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; where there are too many already, the longest waiting one goes."""
        super().connection_made(transport)
        self._expect_head()
        _waiting[self] = None
        while len(_waiting) > MOST_CONNECTIONS:
            oldest = next((each for each in _waiting if each.is_waited_for), self)
            oldest.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that has begun must end in time."""
        before = self.cycle
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.cycle is not before:
            self._cancel()
        elif self._deadline is None and (before is None or before.response_complete):
            self._expect_head()

    def on_response_complete(self) -> None:
        """Wait for the next request, but not for the rest of a body that nobody reads."""
        has_rest = self.cycle is not None and self.cycle.more_body
        super().on_response_complete()
        if has_rest and not self.transport.is_closing() and self._deadline is None:
            self._deadline = self.loop.call_later(SECONDS_TO_LINGER, self.drop)

    def pause_writing(self) -> None:
        """The client does not read: for a while it may."""
        super().pause_writing()
        self._answer_deadline = self.loop.call_later(SECONDS_FOR_ANSWER, self.drop)

    def resume_writing(self) -> None:
        """The client reads on."""
        super().resume_writing()
        if self._answer_deadline is not None:
            self._answer_deadline.cancel()
            self._answer_deadline = None

    def send_400_response(self, msg: str) -> None:
        """Refuse requests that are not HTTP, with the same headers as every answer."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            headers += [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            events = (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=msg.encode("ascii")),
                h11.EndOfMessage(),
            )
            with suppress(h11.LocalProtocolError):  # an answer was on its way already
                self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self.transport.close()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def drop(self) -> None:
        """Cut the connection."""
        self._forget()
        self.transport.abort()

    def _expect_head(self) -> None:
        self._cancel()
        self._deadline = self.loop.call_later(SECONDS_FOR_HEAD, self.drop)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget(self) -> None:
        _waiting.pop(self, None)
        self._cancel()
        if self._answer_deadline is not None:
            self._answer_deadline.cancel()


# All connections of this process, the oldest first.
_waiting: dict[Protocol, None] = {}


class _Quiet(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(_NOISE)


def _give_memory_back() -> None:
    """Have glibc return large blocks to the system as soon as they are free.

    By itself it keeps them once it has seen a few: after a flood of slow bodies the process stayed
    84 MB larger, and with this 16 MB (bench-abuse). Other C libraries have no such function.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 64 * 1024)
        mallopt(M_TRIM_THRESHOLD, 128 * 1024)


def server_options() -> dict[str, Any]:
    """What `uvicorn.run` is told, besides where to listen and which proxies to believe."""
    _give_memory_back()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + OTHER_FILES
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    logging.getLogger("uvicorn.error").addFilter(_Quiet())
    return {
        "http": Protocol,
        "ws": "none",
        # The paths hold tokens, and a token in a log is a key in a log.
        "access_log": False,
        "server_header": False,
        "log_level": "warning",
    }
