"""Ways a message leaves: SMTP to a relay, or files. See `Transport`."""

from newsletter.messages.envelope import Envelope
from newsletter.sending.transports.base import Transport

__all__ = ["Envelope", "Transport"]
