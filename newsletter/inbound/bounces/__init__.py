"""From inbound mail to normalised outcomes: pure and bounded, for hostile bytes.

`read` takes a mail, `read_reply` a relay's own refusal. Reports in machine-readable parts are
believed (RFC 3464, 5965, 8098); free text is judged by evidence; servers' words are
mapped by one table of phrases.
"""

from newsletter.inbound.bounces.classify import read, read_reply
from newsletter.inbound.bounces.fault import Ours
from newsletter.inbound.bounces.outcome import (
    ADDRESS_IS_DEAD,
    NOT_THE_ADDRESS,
    BouncedRecipient,
    Kind,
    Outcome,
)

__all__ = [
    "ADDRESS_IS_DEAD",
    "NOT_THE_ADDRESS",
    "BouncedRecipient",
    "Kind",
    "Ours",
    "Outcome",
    "read",
    "read_reply",
]
