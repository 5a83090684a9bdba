"""An SMTP server on loopback that misbehaves by a seeded plan and remembers what it took."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from tests.support.server_thread import serving

# What happens to a message, with weights; the rest is taken and answered as it should be.
MISCHIEF = {
    "4xx to RCPT": 4,
    "4xx to the content": 4,
    "421 to MAIL": 2,
    "421 to RCPT": 2,
    "drop before DATA": 3,
    "drop within the content": 2,
    "taken, dropped before the answer": 2,
    "not taken, dropped before the answer": 2,
    "taken, garbled answer": 1,
    "hang at RCPT": 1,
    "taken, no answer": 1,
}
GREETINGS = {"garbled": 3, "none, closed": 3, "421": 3, "slow": 6}
HANG_SECONDS = 30.0  # longer than any sender in the tests waits


@dataclass(frozen=True)
class Taken:
    """A message that the sink keeps; ``answered`` tells whether the sender could know."""

    recipient: str
    message_id: str
    digest: str
    answered: bool


@dataclass
class ChaosSink:
    """``calm`` stops the mischief; recipients whose name starts with ``nobody`` get a 550."""

    seed: int
    calm: bool = False
    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    heard: int = 0  # recipients named to it so far
    connections: int = 0
    mischief: Counter[str] = field(default_factory=Counter)
    _tries: Counter[str] = field(default_factory=Counter)

    def _pick(self, key: str, plan: dict[str, int]) -> str:
        """Something of the plan, or ""; the same for the same seed and key."""
        if self.calm:
            return ""
        draw = random.Random(f"{self.seed}/{key}").randrange(100)
        for what, weight in plan.items():
            if draw < weight:
                self.mischief[what] += 1
                return what
            draw -= weight
        return ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await self._greet(writer):
                await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.transport.abort()

    async def _greet(self, writer: asyncio.StreamWriter) -> bool:
        self.connections += 1
        how = self._pick(f"connection {self.connections}", GREETINGS)
        if how == "garbled":
            writer.write(b"\x00\xff hello?\r\n")
        elif how == "421":
            writer.write(b"421 4.3.2 too busy\r\n")
        if how == "slow":
            await asyncio.sleep(0.3)
        if how in {"", "slow"}:
            writer.write(b"220 sink ready\r\n")
            return True
        await writer.drain()
        await asyncio.sleep(0.01)
        return False

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipient, how = "", ""
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb in {b"EHLO", b"HELO"}:
                writer.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            elif verb == b"MAIL":
                recipient = ""
                writer.write(b"250 ok\r\n")
            elif verb == b"RCPT":
                address = line.decode().partition("<")[2].partition(">")[0]
                how = self._how(address)
                recipient = await self._recipient(writer, address, how)
            elif verb == b"DATA" and not recipient:
                writer.write(b"503 no recipient\r\n")
            elif verb == b"DATA":
                if how == "drop before DATA":
                    raise ConnectionError
                writer.write(b"354 go\r\n")
                await self._take(reader, writer, recipient, how)
                recipient = ""
            elif verb == b"RSET":
                recipient = ""
                writer.write(b"250 ok\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                await writer.drain()
                return
            else:
                writer.write(b"500 what?\r\n")

    def _how(self, address: str) -> str:
        self.heard += 1
        self._tries[address] += 1
        return self._pick(f"{address} {self._tries[address]}", MISCHIEF)

    async def _recipient(self, writer: asyncio.StreamWriter, address: str, how: str) -> str:
        """Answer RCPT; returns the recipient if it is taken."""
        if address.startswith("nobody"):
            writer.write(b"550 5.1.1 no such user\r\n")
        elif how == "4xx to RCPT":
            writer.write(b"451 4.3.0 later\r\n")
        elif how.startswith("421"):
            writer.write(b"421 4.3.2 closing\r\n")
            await writer.drain()
            raise ConnectionError
        elif how == "hang at RCPT":
            await asyncio.sleep(HANG_SECONDS)
        else:
            writer.write(b"250 ok\r\n")
            return address
        return ""

    async def _take(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recipient: str, how: str
    ) -> None:
        if how == "drop within the content":
            await reader.readexactly(200)
            raise ConnectionError
        data = await reader.readuntil(b"\r\n.\r\n")
        if how == "4xx to the content":
            writer.write(b"452 4.2.2 full\r\n")
            return
        if how.startswith("not taken"):
            raise ConnectionError
        found = re.search(rb"^Message-ID:\s*<([^>]+)>", data, re.MULTILINE | re.IGNORECASE)
        message_id = found[1].decode() if found else ""
        self.taken.append(Taken(recipient, message_id, sha256(data).hexdigest(), answered=not how))
        if how == "taken, dropped before the answer":
            raise ConnectionError
        if how == "taken, no answer":
            await asyncio.sleep(HANG_SECONDS)
        writer.write(b"\x07garbled\r\n" if how else b"250 2.0.0 kept\r\n")


@contextmanager
def running_chaos_sink(seed: int, host: str = "127.0.0.1") -> Iterator[ChaosSink]:
    """The sink in a thread of its own: it outlives every sender."""
    sink = ChaosSink(seed)
    with serving(sink.handle, host) as (sink.port, _):
        yield sink
