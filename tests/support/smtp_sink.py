"""A real SMTP server on loopback that does what a recipient's name tells it to."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Sink:
    """What the server received; ``accepted`` holds what it answered 250 to."""

    accepted: list[Envelope] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    greeted: list[str] = field(default_factory=list)
    policy_for_all: bool = False

    async def handle_EHLO(  # noqa: N802  (the library's name)
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        self.connections += 1
        self.greeted.append(hostname)
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answers = {
            "nobody": "550 5.1.1 no such user",
            "policy": "550 5.7.1 rejected by policy",
            "busy": "451 4.3.0 try later",
            "closing": "421 4.3.2 closing",
        }
        answer = answers.get("policy" if self.policy_for_all else address.partition("@")[0])
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        name = envelope.rcpt_tos[0].partition("@")[0]
        if name == "full":
            return "452 4.2.2 mailbox full"
        self.accepted.append(envelope)
        if name == "lost":
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return "250 2.0.0 queued as 1"

    def messages(self) -> list[EmailMessage]:
        return [
            message_from_bytes(envelope.original_content or b"", policy=policy.default)
            for envelope in self.accepted
        ]

    def recipients(self) -> list[str]:
        return sorted(envelope.rcpt_tos[0] for envelope in self.accepted)


class _Controller(Controller):
    def __init__(self, handler: Any, **options: Any) -> None:
        super().__init__(handler, hostname="127.0.0.1", port=0, **options)

    def _trigger_server(self) -> None:
        """The parent connects to port 0; the port the system chose is known by now."""
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def running_sink(**options: Any) -> Iterator[Sink]:
    sink = Sink()
    controller = _Controller(sink, **options)
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()
