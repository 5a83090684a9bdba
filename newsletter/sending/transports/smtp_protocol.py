"""SMTP once a connection stands: groups of commands out, replies in, and what was surely unsent.

aiosmtplib connects, starts TLS and logs in; a `Dialogue` then takes its transport over, because
a command a round trip (all that library offers) costs a third of the rate and cannot tell
whether a message's last byte had left when a connection broke.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

# Longer than any sane answer (RFC 5321 §4.5.3.1.5 allows 512 octets a line): a relay that keeps
# talking must not fill the memory.
LONGEST_REPLY = 64 * 1024
GOODBYE_SECONDS = 5
# RFC 5321 §4.5.3.2: five minutes for MAIL and RCPT (DATA goes along with them); ten for the
# answer to the final dot, while the relay stores, scans or relays the message. Whoever waits less
# there sends a copy to everybody whose mail was taken meanwhile.
COMMAND_SECONDS = 300
FINAL_DOT_SECONDS = 600


class Reply(NamedTuple):
    """A relay's answer. ``text`` is one printable line."""

    code: int
    text: str

    @property
    def is_positive(self) -> bool:
        """Whether the relay did what was asked (2xx)."""
        return 200 <= self.code < 300


class Dialogue(asyncio.Protocol):
    """Commands and replies over a connected transport.

    ``timeout`` in seconds is for each reply; None waits as long as RFC 5321 §4.5.3.2 says.

    Whatever goes wrong with the connection, or is no SMTP, is a ``ConnectionError`` that says
    what; after it the dialogue is of no more use.
    """

    def __init__(
        self, transport: asyncio.Transport, *, timeout: float | None, pipelining: bool
    ) -> None:
        self._transport = transport
        self._timeout = timeout or COMMAND_SECONDS
        self._final_timeout = timeout or FINAL_DOT_SECONDS
        self._pipelining = pipelining
        self._received = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost: str | None = None
        self._announced = 0  # replies to come to a group that went along with a content
        # With TLS bytes wait in two places, of which only one is seen from here.
        self._buffers_are_seen = transport.get_extra_info("ssl_object") is None
        self._is_flushed = self._content_has_left = True
        transport.set_write_buffer_limits(high=0)
        transport.set_protocol(self)

    @property
    def is_usable(self) -> bool:
        """Whether the relay has neither closed nor said something unasked (a 421, mostly)."""
        unasked = len(self._replies) > self._announced
        return self._lost is None and not unasked and not self._transport.is_closing()

    @property
    def has_announced(self) -> bool:
        """Whether a group went along with the last content, so that no other may follow."""
        return self._announced > 0

    @property
    def surely_unfinished(self) -> bool:
        """Whether the last content had surely not all left when the connection broke."""
        return self._buffers_are_seen and not (self._content_has_left or self._is_flushed)

    async def commands(self, group: Sequence[bytes]) -> list[Reply]:
        """Replies to a group of commands, in one write where the relay offers PIPELINING.

        Without it (RFC 2920) they go one by one and end with the first that is refused.

        Raises:
            ConnectionError: the connection was lost, timed out, or did not speak SMTP.
        """
        if self._pipelining:
            self._write(b"".join(group))
            return await self._next(len(group))
        replies: list[Reply] = []
        for command in group:
            self._write(command)
            replies += await self._next(1)
            if not replies[-1].is_positive:
                break
        return replies

    async def content(
        self, data: bytes, *, has_dot: bool = True, then: Sequence[bytes] = ()
    ) -> Reply:
        """The reply to a message's content, whose lines end in CRLF; dots are doubled here.

        Without ``has_dot`` no line is known to begin with one. Where the relay offers PIPELINING,
        the group ``then`` goes along once the content was written whole (RFC 2920 §3.1 lets a
        content begin a group); `has_announced` tells, and `announced` has the replies.

        Raises:
            ConnectionError: as for `commands`; then `surely_unfinished` may tell that the relay
                cannot have the whole message.
        """
        stuffed = data.replace(b"\r\n.", b"\r\n..") if has_dot else data
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
        self._content_has_left = False
        if self._lost is not None or self._transport.is_closing():
            self._is_flushed = False  # a transport that closes drops what is written to it
            raise ConnectionError(self._lost or "connection closed by the relay")
        if not (then and self._pipelining):
            self._write(stuffed + end)
            self._content_has_left = self._is_flushed
            return (await self._next(1, self._final_timeout))[0]
        self._write(stuffed)
        if self._is_flushed:
            # Dot and group in one write: both sides wake up once, not twice. From here on what is
            # left in the buffers may be of the group.
            self._content_has_left = True
            self._announced = len(then)
            self._write(end + b"".join(then))
        else:
            self._write(end)
        return (await self._next(1, self._final_timeout))[0]

    async def announced(self) -> list[Reply]:
        """The replies to the group that went along with the last content.

        Raises:
            ConnectionError: as for `commands`.
        """
        replies = await self._next(self._announced)
        self._announced = 0
        return replies

    async def quit(self) -> None:
        """Say goodbye and close; a relay that is slow to answer is not waited for.

        One that waits for a content would take the goodbye for it.
        """
        if self._announced:
            return self.abort()
        self._timeout = min(self._timeout, GOODBYE_SECONDS)
        try:
            await self.commands([b"QUIT\r\n"])
        except ConnectionError:
            pass  # it is gone already: nothing is lost by it
        finally:
            self._transport.close()
        return None

    def abort(self) -> None:
        """Close at once; what was not written yet never is."""
        self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._lost is not None:
            raise ConnectionError(self._lost)
        self._transport.write(data)

    async def _next(self, number: int, seconds: float | None = None) -> list[Reply]:
        while len(self._replies) < number:
            if self._lost is not None:
                raise ConnectionError(self._lost)
            await self._more(seconds or self._timeout)
        return [self._replies.popleft() for _ in range(number)]

    async def _more(self, seconds: float) -> None:
        """Until the relay has said something more, for so many seconds at most."""
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        # A timer by hand: `asyncio.timeout` takes three times as long, twice for every message.
        timer = loop.call_later(seconds, self._give_up, waiter, seconds)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _give_up(self, waiter: asyncio.Future[None], seconds: float) -> None:
        # An answer that came while this process was busy elsewhere is none too late: it is read
        # before timers run, and the waiter is done by now.
        if not waiter.done():
            waiter.set_exception(ConnectionError(f"no answer in {seconds:g} s"))

    def pause_writing(self) -> None:
        """The system does not take more for now."""
        self._is_flushed = False

    def resume_writing(self) -> None:
        """Everything written has left."""
        self._is_flushed = True

    def data_received(self, data: bytes) -> None:
        """Cut what comes into replies."""
        self._received += data
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            taken = _line(line)
            if taken is None:
                return self._break("the relay's answer is not SMTP")
            code, is_last, text = taken
            self._lines.append(text)
            if is_last:
                self._replies.append(Reply(code, one_line(" ".join(self._lines))))
                self._lines = []
        if len(self._received) + sum(map(len, self._lines)) > LONGEST_REPLY:
            return self._break("the relay's answer has no end")
        if self._replies:
            self._wake()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended, by the relay's will or the network's."""
        reason = one_line(str(exc)) if exc else ""
        self._lost = self._lost or reason or "connection closed by the relay"
        self._wake()

    def _break(self, reason: str) -> None:
        self._lost = reason
        self._replies.clear()
        self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if self._replies:
            self._waiter.set_result(None)
        elif self._lost is not None:
            self._waiter.set_exception(ConnectionError(self._lost))


# All answers but the one to a message are the same again and again.
@lru_cache(maxsize=64)
def _line(line: bytes) -> tuple[int, bool, str] | None:
    """Code, whether the reply ends here, and text of a line; None for none (RFC 5321 §4.2.1)."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    code, mark = text[:3], text[3:4] or " "
    if len(code) < 3 or not code.isascii() or not code.isdigit() or mark not in {" ", "-"}:
        return None
    return int(code), mark == " ", text[4:]


def one_line(text: str) -> str:
    """An answer as one printable line; relays may say anything."""
    if text.isprintable():
        return " ".join(text.split())[:500]
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:500]
