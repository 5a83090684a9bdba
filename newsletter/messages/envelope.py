"""The value that travels to a transport."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message ready to go: envelope sender, one recipient, and its bytes (CRLF line ends).

    ``has_safe_lines``: the maker of ``data`` knows that every line ends in CRLF, that no CR or LF
    stands alone, and that no line begins with a dot. Otherwise the transport finds out.
    """

    delivery_id: int
    sender: str
    recipient: str
    data: bytes
    has_safe_lines: bool = False
