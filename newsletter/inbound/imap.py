"""Read unseen mail from an IMAP mailbox (RFC 9051, with the standard library's client).

A mail is marked as seen after what it changed is committed: a crash in between reads it again,
and reading again changes nothing. Nothing is ever deleted or moved.
"""

import imaplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from newsletter.core.errors import InputError, SettingsError
from newsletter.inbound.bounces.mime import LONGEST_MAIL
from newsletter.inbound.files import Incoming

# A server that says nothing for this long is gone.
TIMEOUT_SECONDS = 60
# One run's share; the rest waits for the next, so that a flooded mailbox still makes progress.
MOST_MAILS = 5000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The mailbox to read. Only on this machine may it be unencrypted."""

    host: str
    port: int
    user: str
    password: str
    folder: str
    is_tls: bool

    @property
    def shown(self) -> str:
        """The mailbox for messages, without its password."""
        scheme = "imaps" if self.is_tls else "imap"
        return f"{scheme}://{self.user}@{self.host}:{self.port}/{self.folder}"


def parse_mailbox(url: str) -> Mailbox:
    """``imaps://user:password@host:port/FOLDER``; ``imap://`` asks for STARTTLS.

    Raises:
        SettingsError: the URL has another form.
    """
    needed = "NEWSLETTER_IMAP_URL: must have the form imaps://user:password@host/INBOX"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsError(needed) from error
    if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username:
        raise SettingsError(needed)
    is_tls = parts.scheme == "imaps"
    return Mailbox(
        host=parts.hostname,
        port=port or (993 if is_tls else 143),
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        folder=unquote(parts.path.strip("/")) or "INBOX",
        is_tls=is_tls,
    )


def poll(mailbox: Mailbox, handle: Callable[[Incoming], None]) -> int:
    """Hand every unseen mail to ``handle``, then mark it as seen; returns how many there were.

    Raises:
        InputError: the server cannot be reached or refuses a command.
    """
    try:
        with _connected(mailbox) as server:
            _ask(server.select(_quoted(mailbox.folder)), f"select {mailbox.folder}")
            [found] = _ask(server.uid("SEARCH", "UNSEEN"), "search")
            uids = (found or b"").split()[:MOST_MAILS]
            for uid in uids:
                _take(server, uid.decode("ascii"), mailbox, handle)
            return len(uids)
    except (imaplib.IMAP4.error, OSError) as error:
        raise InputError(str(error) or type(error).__name__, where=mailbox.shown) from error


def _take(
    server: imaplib.IMAP4, uid: str, mailbox: Mailbox, handle: Callable[[Incoming], None]
) -> None:
    # PEEK leaves the mail unseen; the partial fetch keeps a giant out of memory.
    wanted = f"(RFC822.SIZE BODY.PEEK[]<0.{LONGEST_MAIL}>)"
    answer = _ask(server.uid("FETCH", uid, wanted), f"fetch {uid}")
    for described, data in (item for item in answer if isinstance(item, tuple)):
        handle(Incoming(f"{mailbox.folder}/{uid}", data, _size_in(described, data)))
        _ask(server.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)"), f"store {uid}")
        return
    # Gone between search and fetch: another client took it.


def _size_in(described: bytes, data: bytes) -> int:
    _, _, rest = described.partition(b"RFC822.SIZE ")
    digits = rest.split(b" ")[0]
    return int(digits) if digits.isdigit() else len(data)


def _quoted(folder: str) -> str:
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _ask(answer: tuple[str, list[Any]], what: str) -> list[Any]:
    status, values = answer
    if status != "OK":
        raise imaplib.IMAP4.error(f"{what}: {values!r:.200}")
    return values


@contextmanager
def _connected(mailbox: Mailbox) -> Iterator[imaplib.IMAP4]:
    """Logged in, over TLS unless the server is this machine."""
    context = ssl.create_default_context()
    server: imaplib.IMAP4
    if mailbox.is_tls:
        server = imaplib.IMAP4_SSL(
            mailbox.host, mailbox.port, ssl_context=context, timeout=TIMEOUT_SECONDS
        )
    else:
        server = imaplib.IMAP4(mailbox.host, mailbox.port, timeout=TIMEOUT_SECONDS)
    with server:
        if not mailbox.is_tls and mailbox.host not in _LOOPBACK:
            server.starttls(context)
        server.login(mailbox.user, mailbox.password)
        yield server
