"""Ways a message leaves: SMTP to a relay, or files. A transport is two methods."""

from newsletter.transports.base import Envelope, Transport

__all__ = ["Envelope", "Transport"]
