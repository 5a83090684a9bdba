"""Inbound mail to normalised outcomes: pure, bounded, for hostile bytes.

`read` takes a mail, `read_reply` a relay's own refusal. Reports in machine-readable parts are
taken at their word (RFC 3464, 5965, 8098); letters are read by evidence; what servers say is
mapped by one table of phrases.
"""

from newsletter.bounces.outcome import (
    ADDRESS_IS_DEAD,
    NOT_THE_ADDRESS,
    BouncedRecipient,
    Kind,
    Outcome,
    Permanence,
    Reason,
)
from newsletter.bounces.reading import read, read_reply

__all__ = [
    "ADDRESS_IS_DEAD",
    "NOT_THE_ADDRESS",
    "BouncedRecipient",
    "Kind",
    "Outcome",
    "Permanence",
    "Reason",
    "read",
    "read_reply",
]
