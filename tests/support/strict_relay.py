"""A relay on loopback that refuses, delays or slows mail as real ones do, until it is ``calm``."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.server_thread import serving

# Reply to MAIL, to RCPT and to the content; "" takes it. ``{sender}`` is the envelope's.
REFUSALS = {
    "sender refused": ("", "550 5.1.0 <{sender}>: Sender address rejected: User unknown", ""),
    "sender refused at MAIL": ("550 5.1.1 No such user here", "", ""),
    "sender not verified (Exim)": ("", "550 Sender verify failed", ""),
    "account refused": ("", "", "554 Message rejected: identity not verified"),
    "quota used up": ("", "", "550 5.4.5 Daily sending quota exceeded"),
    "nobody is known": ("", "550 5.1.1 no such user", ""),
    "refused in riddles": ("", "", "554 5.0.0 the moon is full"),
}
PER_SECOND = 5


@dataclass
class StrictRelay:
    """``how`` is a key of REFUSALS, or one of the manners below.

    ``greylisting``: the first try of each recipient gets a 451. ``throttling``: more than
    ``per_second`` messages a second get a 454. ``slow``: so many seconds between the final dot and
    the answer. ``421 after three``: each connection is closed after three messages.
    """

    how: str = ""
    slow: float = 0.0
    per_second: int = PER_SECOND
    calm: bool = False
    port: int = 0
    taken: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    _tries: Counter[str] = field(default_factory=Counter)
    _moments: list[float] = field(default_factory=list)

    @property
    def copies(self) -> Counter[str]:
        """How often each recipient was mailed."""
        return Counter(self.taken)

    def _reply(self, place: int, sender: str) -> str:
        if self.calm or self.how not in REFUSALS:
            return ""
        return REFUSALS[self.how][place].format(sender=sender)

    def _at_recipient(self, recipient: str, sender: str, sent: int) -> str:
        self._tries[recipient] += 1
        if recipient.startswith("nobody"):
            return "550 5.1.1 no such user"
        if self.calm:
            return ""
        if self.how == "greylisting" and self._tries[recipient] == 1:
            return f"451 4.7.1 <{recipient}>: Recipient address rejected: Greylisted"
        if self.how == "421 after three" and sent >= 3:
            return "421 4.7.0 too many messages in this connection, closing"
        if self.how == "throttling":
            now = time.monotonic()
            self._moments = [moment for moment in self._moments if moment > now - 1]
            if len(self._moments) >= self.per_second:
                return "454 Throttling failure: Maximum sending rate exceeded."
            self._moments.append(now)
        return self._reply(1, sender)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 relay ready\r\n")
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender = recipient = ""
        sent = 0
        while line := await reader.readline():
            verb = line[:4].upper()
            address = line.decode().partition("<")[2].partition(">")[0]
            reply = "250 ok"
            if verb == b"EHLO":
                reply = "250-relay\r\n250-PIPELINING\r\n250 8BITMIME"
            elif verb == b"MAIL":
                refusal = self._reply(0, address)
                sender, recipient = "" if refusal else address, ""
                reply = refusal or "250 ok"
            elif verb == b"RCPT":
                refusal = self._at_recipient(address, sender, sent) if sender else "503 no sender"
                recipient = "" if refusal else address
                reply = refusal or "250 ok"
            elif verb == b"DATA" and not recipient:
                reply = "503 5.5.1 no recipient"
            elif verb == b"DATA":
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                reply = self._reply(2, sender)
                if not reply:
                    self.taken.append(recipient)
                    sent += 1
                    await asyncio.sleep(0 if self.calm else self.slow)
                    reply = "250 2.0.0 kept"
                recipient = ""
            elif verb == b"QUIT":
                reply = "221 bye"
            if reply[0] in "45":
                self.refused[reply[:3]] += 1
            writer.write(f"{reply}\r\n".encode())
            await writer.drain()
            if verb == b"QUIT" or reply.startswith("421"):
                return


@contextmanager
def running_strict_relay(
    how: str = "", *, slow: float = 0.0, per_second: int = PER_SECOND
) -> Iterator[StrictRelay]:
    """The relay in a thread of its own: it outlives every sender."""
    relay = StrictRelay(how, slow, per_second=per_second)
    with serving(relay.handle) as (relay.port, _):
        yield relay
