"""The end of a message and the commands for the next share a write; what left stays known."""

import asyncio
from typing import Any

import pytest

from newsletter.sending.transports.smtp_protocol import Dialogue

NEXT = [b"MAIL FROM:<b@x.example>\r\n", b"RCPT TO:<r@y.example>\r\n", b"DATA\r\n"]
DATA = b"Subject: x\r\n\r\n.hidden\r\n"
STUFFED = DATA.replace(b"\r\n.", b"\r\n..")


class Wire(asyncio.Transport):
    """A connection that takes ``room`` writes whole and keeps the rest in its buffer."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.written = room, list[bytes]()

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        if len(self.written) > self.room:
            self.dialogue.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, Dialogue)
        self.dialogue = protocol

    def is_closing(self) -> bool:
        return False


async def handed_over(wire: Wire, *, then: list[bytes], pipelining: bool = True) -> Dialogue:
    """A dialogue whose relay goes away before it answers the content."""
    dialogue = Dialogue(wire, timeout=5, pipelining=pipelining)
    asyncio.get_running_loop().call_soon(dialogue.connection_lost, None)
    with pytest.raises(ConnectionError):
        await dialogue.content(DATA, then=then)
    return dialogue


@pytest.mark.parametrize(
    ("room", "then", "written", "is_surely_unfinished"),
    [
        (9, NEXT, [STUFFED, b".\r\n" + b"".join(NEXT)], False),
        # The dot may have left, whatever of the group did not.
        (1, NEXT, [STUFFED, b".\r\n" + b"".join(NEXT)], False),
        # The content waits in the buffer: the dot does too, and nothing of the next goes along.
        (0, NEXT, [STUFFED, b".\r\n"], True),
        (9, [], [STUFFED + b".\r\n"], False),
        (0, [], [STUFFED + b".\r\n"], True),
    ],
)
def test_what_left_of_a_content_is_known_when_the_relay_goes_away(
    room: int, then: list[bytes], written: list[bytes], is_surely_unfinished: bool
) -> None:
    wire = Wire(room)
    dialogue = asyncio.run(handed_over(wire, then=then))
    assert wire.written == written
    assert dialogue.surely_unfinished is is_surely_unfinished


def test_without_pipelining_a_content_goes_alone() -> None:
    wire = Wire(9)
    asyncio.run(handed_over(wire, then=NEXT, pipelining=False))
    assert wire.written == [STUFFED + b".\r\n"]


def test_one_answer_may_hold_the_replies_to_content_and_group() -> None:
    async def talk() -> None:
        wire = Wire(9)
        dialogue = Dialogue(wire, timeout=5, pipelining=True)
        replies = b"250 taken\r\n250 ok\r\n550 nobody\r\n354 go\r\n"
        asyncio.get_running_loop().call_soon(dialogue.data_received, replies)
        assert (await dialogue.content(DATA, then=NEXT)).text == "taken"
        assert dialogue.has_announced
        assert [reply.code for reply in await dialogue.announced()] == [250, 550, 354]
        assert not dialogue.has_announced

    asyncio.run(talk())
