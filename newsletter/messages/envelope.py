"""The value that travels to a transport."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message ready to go: envelope sender, one recipient, and its bytes (CRLF line ends)."""

    delivery_id: int
    sender: str
    recipient: str
    data: bytes
