"""SMTP by aiosmtplib: one connection, one message a transaction, every failure told apart."""

from dataclasses import dataclass
from ipaddress import ip_address
from ssl import SSLError
from urllib.parse import parse_qs, unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from newsletter.errors import (
    PermanentTransportError,
    SettingsError,
    TransientTransportError,
    TransportError,
    UncertainTransportError,
)
from newsletter.transports.base import Envelope

# RFC 5321 §4.5.3.2 allows five minutes a command and ten for the final dot. A relay that takes
# a minute is down for our purposes: the delivery is deferred and tried again.
TIMEOUT_SECONDS = 60
# Relays close long sessions with 421; renewing before that costs one greeting in a hundred.
MESSAGES_PER_CONNECTION = 100
_YES = {"1", "true", "yes", "required"}
_NO = {"0", "false", "no"}


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail is handed to. ``starttls``: True demands it, None takes it where offered."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    implicit_tls: bool = False
    starttls: bool | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether mail stays on this machine on its way to the relay."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_relay(url: str) -> Relay:
    """A relay from ``smtp://user:password@host:port?starttls=true`` or ``smtps://…``.

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
    unknown = set(options) - {"starttls"}
    if unknown:
        raise SettingsError(f"NEWSLETTER_SMTP_URL: unknown option {sorted(unknown)[0]!r}")
    wish = options.get("starttls", [""])[0].lower()
    if wish and wish not in _YES | _NO:
        raise SettingsError("NEWSLETTER_SMTP_URL: starttls takes true or false")
    relay = Relay(
        host=parts.hostname or "",
        port=port,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        implicit_tls=implicit,
        starttls=None if not wish else wish in _YES,
    )
    if relay.username and not implicit and not relay.is_loopback:
        if relay.starttls is False:
            raise SettingsError(
                "NEWSLETTER_SMTP_URL: a password is never sent without TLS; "
                "drop starttls=false, or use smtps://"
            )
        # A stripped STARTTLS offer must not downgrade a login to clear text.
        relay = Relay(relay.host, port, relay.username, relay.password, implicit, starttls=True)
    return relay


class SmtpTransport:
    """One connection to a relay, opened at the first message and renewed when it must be."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._client: SMTP | None = None
        self._sent = 0

    async def send(self, envelope: Envelope) -> str:
        """Hand one message over; see `Transport.send`."""
        client = await self._connected()
        try:
            await client.mail(envelope.sender, timeout=TIMEOUT_SECONDS)
            await client.rcpt(envelope.recipient, timeout=TIMEOUT_SECONDS)
        except SMTPException as error:
            raise await self._failed(error) from error
        try:
            answer = await client.data(envelope.data, timeout=TIMEOUT_SECONDS)
        except SMTPResponseException as error:
            raise await self._failed(error) from error
        except SMTPException as error:
            # The connection was lost while or after the data went out. Without the relay's
            # answer nobody can know whether it took the message (bulk-mail law 26).
            await self._drop()
            raise UncertainTransportError(_one_line(str(error))) from error
        self._sent += 1
        return f"{answer.code} {_one_line(answer.message)}"

    async def close(self) -> None:
        """Say goodbye, if a connection is open."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            await client.quit(timeout=5)
        except SMTPException:
            client.close()  # it is gone already: nothing is lost by it

    async def _connected(self) -> SMTP:
        if self._client is not None and self._client.is_connected:
            if self._sent < MESSAGES_PER_CONNECTION:
                return self._client
            await self.close()
        relay = self._relay
        client = SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.username,
            password=relay.password,
            use_tls=relay.implicit_tls,
            start_tls=None if relay.implicit_tls else relay.starttls,
            timeout=TIMEOUT_SECONDS,
        )
        try:
            await client.connect()
        except (SMTPException, OSError, SSLError) as error:
            client.close()
            raise TransientTransportError(f"relay {relay}: {_reason(error)}") from error
        self._client, self._sent = client, 0
        return client

    async def _failed(self, error: SMTPException) -> TransportError:
        """The error of ours for what happened before or instead of the data."""
        if not isinstance(error, SMTPResponseException):
            await self._drop()
            return TransientTransportError(_reason(error))
        code, response = error.code, _one_line(error.message)
        if code == 421:
            await self._drop()  # the relay is closing (RFC 5321 §4.2.3)
        else:
            await self._reset()
        if 500 <= code < 600:
            return PermanentTransportError(response, code=code)
        return TransientTransportError(response, code=code)

    async def _reset(self) -> None:
        """RSET, so that nothing of this message is charged to the next one."""
        if self._client is None:
            return
        try:
            await self._client.rset(timeout=TIMEOUT_SECONDS)
        except SMTPException:
            await self._drop()

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _reason(error: Exception) -> str:
    if isinstance(error, SMTPAuthenticationError):
        return f"login refused: {error.code} {_one_line(error.message)}"
    if isinstance(error, SMTPTimeoutError):
        return f"no answer in {TIMEOUT_SECONDS} s"
    if isinstance(error, SMTPServerDisconnected):
        return "connection closed by the relay"
    if isinstance(error, SMTPConnectError) and error.__cause__ is not None:
        return _one_line(str(error.__cause__)) or _one_line(str(error))
    return _one_line(str(error)) or type(error).__name__


def _one_line(text: str) -> str:
    """An answer as one printable line; relays may say anything."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:500]
