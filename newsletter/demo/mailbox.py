"""The demo's mailbox: a real SMTP server on loopback that keeps each message as a file."""

import asyncio
import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.core.secrets import write_private


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that arrived."""

    name: str  # of its file, without .eml
    message: EmailMessage
    source: bytes

    @property
    def recipient(self) -> str:
        """The address in To."""
        return parseaddr(str(self.message["To"]))[1]

    def part(self, kind: str) -> str:
        """The text of the ``plain`` or ``html`` part."""
        found = self.message.get_body(preferencelist=(kind,))
        return str(found.get_content()) if found is not None else ""


class Mailbox:
    """Takes every message and writes it to ``folder``, named after its recipient."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(  # noqa: N802  (the library's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep one message."""
        person = re.sub(r"[^a-z0-9.-]", "_", envelope.rcpt_tos[0].partition("@")[0].lower())
        number = sum(1 for _ in self._folder.glob("*.eml")) + 1
        path = self._folder / f"{number:02}-{person}.eml"
        write_private(path, envelope.original_content or b"")
        return f"250 kept as {path.name}"

    def letters(self) -> list[Letter]:
        """All messages, newest last."""
        return [self._read(path) for path in sorted(self._folder.glob("*.eml"))]

    def letter(self, name: str) -> Letter | None:
        """The message stored under ``name``; None if there is none."""
        known = {path.stem: path for path in self._folder.glob("*.eml")}
        return self._read(known[name]) if name in known else None

    def _read(self, path: Path) -> Letter:
        source = path.read_bytes()
        return Letter(path.stem, message_from_bytes(source, policy=policy.default), source)


class MailboxServer(Controller):
    """The mailbox's SMTP server, in a thread, on a port that the system chooses."""

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__(mailbox, hostname="127.0.0.1", port=0)

    def _trigger_server(self) -> None:
        # The parent connects to the port it was given to see the server up; that was 0.
        if isinstance(self.server, asyncio.Server):
            self.port = self.server.sockets[0].getsockname()[1]
        trigger: Any = super()._trigger_server
        trigger()
