"""The protocol that every transport follows."""

from typing import Protocol

from newsletter.messages.envelope import Envelope


class Transport(Protocol):
    """Hands messages over, one at a time per call."""

    async def choose(self) -> str:
        """The relay that the next message goes to; "" where there is none to tell apart."""
        return ""

    async def send(self, envelope: Envelope, following: Envelope | None = None) -> str:
        """Hand one message over; returns the relay's answer.

        ``following`` is what the next call will most likely be for; a relay may be told of it
        already. If another comes instead, or none, nothing of ``following`` is sent.

        Raises:
            TransientTransportError: not taken now; try later.
            PermanentTransportError: not taken, ever.
            UncertainTransportError: it may have been taken; nobody can know.
        """
        ...

    async def close(self) -> None:
        """Finish politely; nothing is sent afterwards."""
        ...
