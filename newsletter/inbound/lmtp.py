"""An SMTP or LMTP listener for bounces and replies: `smtp://host:port`, `lmtp://host:port`.

Only mail for our own addresses is taken, and a bounce or unsubscribe address only with its
signature: backscatter to invented addresses is refused at the door. A mail is answered 250 after
what it changed is committed, and 451 when that failed, so that the sender keeps it.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.core.errors import NewsletterError, TokenError, UsageError
from newsletter.core.tokens import Purpose, Signer
from newsletter.inbound.bounces.mime import LONGEST_MAIL
from newsletter.inbound.bounces.patterns import UNSUBSCRIBE_ADDRESS
from newsletter.inbound.files import Incoming

logger = logging.getLogger(__name__)

# Returned messages come back whole: ten times the largest digest.
LARGEST_MAIL = 2 * 1024 * 1024
IDLE_SECONDS = 60
# RFC 5321 §4.5.1 and RFC 2142 §4 ask for the first two; reports go to the others by custom.
REQUIRED = frozenset({"postmaster", "abuse", "bounce", "bounces", "complaints", "fbl"})


class _Smtp(SMTP):
    # Mails with lines longer than RFC 5321 allows exist; we accept them.
    line_length_limit = 64 * 1024


class _Lmtp(LMTP):
    line_length_limit = _Smtp.line_length_limit


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen, and in which protocol."""

    is_lmtp: bool
    host: str
    port: int


def parse_listen_address(url: str) -> ListenAddress:
    """``smtp://host:port`` or ``lmtp://host:port``.

    Raises:
        UsageError: the URL has another form.
    """
    needed = f"{url!r}: must have the form lmtp://127.0.0.1:2424 or smtp://127.0.0.1:2525"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(needed) from error
    if parts.scheme not in {"smtp", "lmtp"} or not parts.hostname or port is None:
        raise UsageError(needed)
    return ListenAddress(parts.scheme == "lmtp", parts.hostname, port)


class SmtpHandler:
    """Checks recipients and passes mails on. The methods are aiosmtpd's hooks."""

    def __init__(
        self,
        signer: Signer,
        domains: Collection[str],
        handle: Callable[[Incoming], None],
        *,
        mailboxes: Collection[str] = (),
    ) -> None:
        """``domains`` are ours, lower-case; ``handle`` commits what a mail changes.

        Of other local parts only ``mailboxes`` are taken, and those that every domain has.
        """
        self._signer = signer
        self._mailboxes = REQUIRED | {each.lower() for each in mailboxes}
        self._domains = frozenset(domains)
        self._handle = handle

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse recipients that are not ours."""
        refusal = self._refusal(address)
        if refusal:
            return refusal
        if isinstance(server, LMTP) and envelope.rcpt_tos:
            # LMTP wants an answer for each recipient (RFC 2033 §4.2), and the library gives one.
            return "452 4.5.3 one recipient at a time"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    def _refusal(self, address: str) -> str:
        local_part, _, domain = address.rpartition("@")
        if domain.lower() not in self._domains:
            return "550 5.7.1 relaying denied"
        if local_part.lower().startswith("bounce+"):
            is_ours = self._signer.verp_delivery(address) is not None
        elif found := UNSUBSCRIBE_ADDRESS.match(address):
            is_ours = self._is_token(found["token"])
        else:
            is_ours = local_part.lower() in self._mailboxes
        return "" if is_ours else "550 5.1.1 unknown address"

    def _is_token(self, token: str) -> bool:
        try:
            self._signer.verify(Purpose.UNSUBSCRIBE, token)
        except TokenError:
            return False
        return True

    async def handle_DATA(  # noqa: N802  (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Accept the mail, adding the envelope as a mailbox would write it."""
        content = envelope.content or b""
        data = content if isinstance(content, bytes) else content.encode()
        lines = [f"Return-Path: <{envelope.mail_from or ''}>"]
        lines += [f"Delivered-To: {address}" for address in envelope.rcpt_tos]
        head = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")
        whole = (head + data)[:LONGEST_MAIL]
        incoming = Incoming(", ".join(envelope.rcpt_tos), whole, len(data))
        try:
            await asyncio.to_thread(self._handle, incoming)
        except NewsletterError as error:
            logger.error("a mail could not be recorded: %s", error)
            return "451 4.3.0 not recorded, try again later"
        return "250 OK"


async def listen(address: ListenAddress, door: SmtpHandler, *, started: asyncio.Event) -> None:
    """Serve until cancelled; ``started`` is set when connections are taken.

    Raises:
        UsageError: cannot listen on that address.
    """
    protocol = _Lmtp if address.is_lmtp else _Smtp

    def connection() -> SMTP:
        return protocol(
            door,
            data_size_limit=LARGEST_MAIL,
            enable_SMTPUTF8=True,
            timeout=IDLE_SECONDS,
            loop=asyncio.get_running_loop(),
        )

    try:
        server: Any = await asyncio.get_running_loop().create_server(
            connection, address.host, address.port
        )
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address.host}:{address.port}: {error.strerror}"
        ) from error
    async with server:
        started.set()
        await server.serve_forever()
