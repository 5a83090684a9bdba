"""SMTP: relays and their URLs; one connection, one message a transaction, failures told apart."""

import asyncio
import re
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address
from ssl import SSLError
from urllib.parse import parse_qs, unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPResponseException,
    SMTPTimeoutError,
)

from newsletter.core.errors import (
    PermanentTransportError,
    RelayError,
    SettingsError,
    TransientTransportError,
    TransportError,
    UncertainTransportError,
)
from newsletter.messages.envelope import Envelope
from newsletter.sending.transports.line_check import SAFE, Lines, look_at
from newsletter.sending.transports.smtp_protocol import Dialogue, Reply, one_line

# Seconds for a connection, its greeting and login: a relay that takes longer is down.
CONNECT_SECONDS = 60
# Relays close long sessions with 421; renewing before that costs one greeting in a hundred.
MESSAGES_PER_CONNECTION = 100
# Some filters in front of a relay drop commands after a message's end, against RFC 2920 §3.2.
# After this many losses nothing is pipelined to that relay any more.
LOSSES = 3
SERVICE_CLOSING = 421
GO_AHEAD = 354
_MAILABLE = re.compile(r"[^<>\s]+")
_YES = {"1", "true", "yes", "required"}
_NO = {"0", "false", "no"}


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail is handed to. ``starttls``: True demands it, None takes it where offered.

    ``weight`` is its share beside other relays; ``timeout`` in seconds is for each answer, where
    None waits as long as RFC 5321 §4.5.3.2 says. ``rate`` is messages a second, over all senders.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    implicit_tls: bool = False
    starttls: bool | None = None
    weight: int = 1
    ehlo_name: str | None = None
    timeout: float | None = None
    rate: float | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether mail stays on this machine on its way to the relay."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def takes_any_certificate(self) -> bool:
        """Whether TLS was not asked for and nobody can listen: any certificate will do."""
        return self.is_loopback and self.starttls is None and not self.implicit_tls

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_relays(urls: str, ehlo_name: str | None = None) -> tuple[Relay, ...]:
    """The relays of `parse_relay` URLs, separated by spaces."""
    return tuple(replace(parse_relay(url), ehlo_name=ehlo_name) for url in urls.split())


def parse_relay(url: str) -> Relay:
    """A relay from ``smtp://user:password@host:port?starttls=true`` or ``smtps://…``.

    Further options: ``weight`` (1 to 1000), ``timeout`` (1 to 600 seconds) and ``rate`` (messages
    a second).

    Raises:
        SettingsError: the URL cannot be read, or would send a password in the clear.
    """
    parts = urlsplit(url)
    implicit = parts.scheme == "smtps"
    try:
        port = parts.port or (465 if implicit else 587 if parts.username else 25)
    except ValueError as error:
        raise SettingsError("NEWSLETTER_SMTP_URL: the port is not a number up to 65535") from error
    options = parse_qs(parts.query)
    unknown = set(options) - {"starttls", "weight", "timeout", "rate"}
    if unknown:
        raise SettingsError(f"NEWSLETTER_SMTP_URL: unknown option {sorted(unknown)[0]!r}")
    wish = options.get("starttls", [""])[0].lower()
    if wish and wish not in _YES | _NO:
        raise SettingsError("NEWSLETTER_SMTP_URL: starttls must be true or false")
    relay = Relay(
        host=parts.hostname or "",
        port=port,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        implicit_tls=implicit,
        starttls=None if not wish else wish in _YES,
        weight=_number(options, "weight", default=1, most=1000),
        timeout=_number(options, "timeout", default=600, most=600)
        if "timeout" in options
        else None,
        rate=_rate(options["rate"][0]) if "rate" in options else None,
    )
    if relay.username and not implicit and not relay.is_loopback:
        if relay.starttls is False:
            raise SettingsError(
                "NEWSLETTER_SMTP_URL: a password is never sent without TLS; "
                "drop starttls=false, or use smtps://"
            )
        # A stripped STARTTLS offer must not downgrade a login to clear text.
        relay = replace(relay, starttls=True)
    return relay


def _number(options: dict[str, list[str]], name: str, *, default: int, most: int) -> int:
    text = options.get(name, [str(default)])[0]
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= most:
        raise SettingsError(f"NEWSLETTER_SMTP_URL: {name} must be a whole number from 1 to {most}")
    return int(text)


def _rate(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(?:/s)?", text)
    rate = float(found[1]) if found else 0.0
    if not rate:
        raise SettingsError(
            "NEWSLETTER_SMTP_URL: rate must be messages a second, such as 14 or 0.5"
        )
    return rate


class SmtpTransport:
    """One connection to a relay, opened at the first message and renewed when it must be."""

    def __init__(self, relay: Relay, losses: Counter[Relay] | None = None) -> None:
        """``losses`` counts, for all connections, what was lost behind a content."""
        self._relay = relay
        self._losses = Counter() if losses is None else losses
        self._dialogue: Dialogue | None = None
        self._offers_utf8 = self._offers_8bit = False
        self._sent = 0
        self._reset = False
        self._announced: Envelope | None = None

    @property
    def is_open(self) -> bool:
        """Whether a connection stands that the next message may use."""
        return self._dialogue is not None and self._dialogue.is_usable

    async def choose(self) -> str:
        """The relay; see `Transport.choose`."""
        return str(self._relay)

    async def send(self, envelope: Envelope, following: Envelope | None = None) -> str:
        """Hand one message over; see `Transport.send`.

        The commands for ``following`` go along with the content where the relay takes them: a
        wait and a wake-up less for both sides, which is a quarter of the rate.

        Raises:
            RelayError: the relay cannot be used at all; the message is not to blame.
        """
        _check_addresses(envelope)
        lines = _checked_lines(envelope)
        dialogue, is_fresh = await self._usable(envelope)
        was_announced = dialogue.has_announced
        try:
            if was_announced:
                replies = await dialogue.announced()
            else:
                replies = await self._open_envelope(dialogue, envelope)
        except ConnectionError as error:
            self._drop()
            self._losses[self._relay] += was_announced
            if not is_fresh:
                # The old connection's fault, not the message's.
                return await self.send(envelope, following)
            raise TransientTransportError(str(error)) from error
        if replies[-1].code != GO_AHEAD or not all(reply.is_positive for reply in replies[:-1]):
            if not is_fresh and SERVICE_CLOSING in {reply.code for reply in replies}:
                # So many messages a connection and no more; the next one takes this.
                self._drop()
                return await self.send(envelope, following)
            raise self._refusal(replies, is_at_sender=True)
        then = self._announce(following)
        try:
            answer = await dialogue.content(envelope.data, has_dot=lines.has_dot, then=then)
        except ConnectionError as error:
            # Lost after the final dot: without the relay's answer nobody can know whether it
            # took the message (bulk-mail rule 26). A dot that never left leaves no doubt.
            self._drop()
            if dialogue.surely_unfinished:
                raise TransientTransportError(str(error)) from error
            raise UncertainTransportError(str(error)) from error
        if not answer.is_positive:
            raise self._refusal([answer], is_at_sender=False)
        self._sent += 1
        if self._sent >= MESSAGES_PER_CONNECTION:
            await self.close()
        return f"{answer.code} {answer.text}"

    async def _usable(self, envelope: Envelope) -> tuple[Dialogue, bool]:
        """A dialogue in which ``envelope`` may come next, and whether it is a new one."""
        dialogue = self._dialogue
        if dialogue is not None and (
            not dialogue.is_usable  # closed, or told to close, while it lay idle
            or (dialogue.has_announced and self._announced is not envelope)
        ):
            self._drop()
        if self._dialogue is None:
            return await self._connect(), True
        return self._dialogue, False

    def _announce(self, following: Envelope | None) -> Sequence[bytes]:
        """The commands for what follows; none where it has to wait for another connection."""
        self._announced = None
        is_last = self._sent + 1 >= MESSAGES_PER_CONNECTION
        if following is None or is_last or self._losses[self._relay] >= LOSSES:
            return ()
        try:
            _check_addresses(following)
            commands = self._commands(following)
        except PermanentTransportError:
            return ()  # it will hear of that when it is its turn
        self._announced = following
        return commands

    async def close(self) -> None:
        """Say goodbye, if a connection is open."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            await dialogue.quit()

    async def _open_envelope(self, dialogue: Dialogue, envelope: Envelope) -> list[Reply]:
        """Replies to MAIL, RCPT and DATA, up to the first that refuses."""
        group = self._commands(envelope)
        if self._reset:
            # So that nothing of the message that failed is charged to this one.
            replies = await dialogue.commands([b"RSET\r\n", *group])
            self._reset = False
            return replies[1:] or replies
        return await dialogue.commands(group)

    def _commands(self, envelope: Envelope) -> list[bytes]:
        """MAIL, RCPT and DATA.

        Raises:
            PermanentTransportError: the relay does not take such an address.
        """
        options = ""
        if self._offers_8bit and not envelope.data.isascii():
            options += " BODY=8BITMIME"
        if not envelope.recipient.isascii():
            if not self._offers_utf8:
                raise PermanentTransportError(
                    "the relay does not accept non-ASCII addresses (no SMTPUTF8)"
                )
            options += " SMTPUTF8"
        return [
            f"MAIL FROM:<{envelope.sender}>{options}\r\n".encode(),
            f"RCPT TO:<{envelope.recipient}>\r\n".encode(),
            b"DATA\r\n",
        ]

    def _refusal(self, replies: Sequence[Reply], *, is_at_sender: bool) -> TransportError:
        """The error for the first reply that refuses; leaves the connection fit or dropped.

        With ``is_at_sender`` the first answers MAIL: what it refuses is our address.
        """
        refused = next((reply for reply in replies if not reply.is_positive), replies[-1])
        if (
            refused.code >= 400
            and replies[-1].code >= 400
            and SERVICE_CLOSING not in {reply.code for reply in replies}
            and not (self._dialogue is not None and self._dialogue.has_announced)
        ):
            self._reset = True
        else:
            # Closing (RFC 5321 §4.2.3), or out of step: DATA taken though the recipient was not
            # (RFC 2920 §3.1), an answer that answers nothing, or the next message begun, which
            # must not bear what this one did. A new connection is cheaper than finding out.
            self._drop()
        if 500 <= refused.code < 600:
            at = " (in reply to MAIL FROM)" if is_at_sender and refused is replies[0] else ""
            return PermanentTransportError(f"{refused.text}{at}", code=refused.code)
        return TransientTransportError(refused.text, code=refused.code)

    async def _connect(self) -> Dialogue:
        relay = self._relay
        client = SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.username,
            password=relay.password,
            use_tls=relay.implicit_tls,
            start_tls=None if relay.implicit_tls else relay.starttls,
            local_hostname=relay.ehlo_name or own_name(),
            validate_certs=not relay.takes_any_certificate,
            timeout=relay.timeout or CONNECT_SECONDS,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except (SMTPException, OSError, SSLError, ValueError) as error:
            client.close()
            reason = _reason(error, relay)
            if relay.is_loopback and "certificate" in reason.lower():
                reason += "; for a relay on this machine drop starttls=true, or use smtp://"
            raise RelayError(f"relay {relay}: {reason}") from error
        transport = client.transport
        if not isinstance(transport, asyncio.Transport):
            raise RelayError(f"relay {relay}: connection closed by the relay")
        self._offers_utf8 = client.supports_extension("smtputf8")
        self._offers_8bit = client.supports_extension("8bitmime")
        self._sent, self._reset = 0, False
        self._dialogue = Dialogue(
            transport,
            timeout=relay.timeout,
            pipelining=client.supports_extension("pipelining"),
        )
        return self._dialogue

    def _drop(self) -> None:
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.abort()


def _check_addresses(envelope: Envelope) -> None:
    """Refuse what would be read as SMTP commands (bulk-mail rule 13).

    Raises:
        PermanentTransportError: says which address cannot be mailed.
    """
    for address in (envelope.sender, envelope.recipient):
        if not _MAILABLE.fullmatch(address) or not address.isprintable():
            raise PermanentTransportError(f"not a deliverable address: {address!r}")


def _checked_lines(envelope: Envelope) -> Lines:
    """Refuse what a relay could read as the end of one message and another (bulk-mail rule 11).

    Raises:
        PermanentTransportError: the message holds a CR or LF alone.
    """
    if envelope.has_safe_lines:  # looking again takes a tenth of an unsigned message's time
        return SAFE
    lines = look_at(envelope.data)
    if not lines.is_canonical:
        raise PermanentTransportError("the message contains a bare CR or LF")
    return lines


@cache
def own_name() -> str:
    """This machine's name for EHLO, looked up once: a slow resolver must not slow every greeting.

    Without a full name an address literal is what RFC 5321 §4.1.3 asks for.
    """
    name = socket.getfqdn()
    return name if "." in name and name.isascii() and " " not in name else "[127.0.0.1]"


def _reason(error: Exception, relay: Relay) -> str:
    if isinstance(error, SMTPAuthenticationError):
        return f"login refused: {error.code} {one_line(error.message)}"
    if isinstance(error, SMTPTimeoutError):
        return f"no answer in {relay.timeout or CONNECT_SECONDS:g} s"
    if isinstance(error, SMTPConnectError) and error.__cause__ is not None:
        return one_line(str(error.__cause__)) or one_line(str(error))
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {one_line(error.message)}"
    return one_line(str(error)) or type(error).__name__
