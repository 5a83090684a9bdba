"""Messages as ``.eml`` files in a folder: for a dry run, or to look at what would be sent."""

import re
from pathlib import Path

from newsletter.core.secrets import write_private
from newsletter.messages.envelope import Envelope
from newsletter.sending.transports.base import Transport

# File systems allow names of 255 bytes, addresses may have 320; the delivery's number tells apart.
LONGEST_NAME = 200


class FileTransport(Transport):
    """Writes each message to ``folder`` under its recipient's name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def send(self, envelope: Envelope, following: Envelope | None = None) -> str:
        """Write one message; the same delivery written twice is one file."""
        # An address may hold a slash or start with a dot; a file name may not.
        name = re.sub(r"[^A-Za-z0-9@._+-]", "_", envelope.recipient).lstrip(".")[:LONGEST_NAME]
        path = self._folder / f"{name}-{envelope.delivery_id}.eml"
        write_private(path, envelope.data)
        return f"written to {path}"

    async def close(self) -> None:
        """Nothing to finish."""
