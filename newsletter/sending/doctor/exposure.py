"""Checks of what others may read, and of whom the site believes to be its proxy."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from newsletter.core import database
from newsletter.core.config import SETTINGS_FILE, Settings
from newsletter.core.secrets import others_may_read
from newsletter.sending.doctor.findings import Finding, ok, warning

_SET_PROXIES = "set NEWSLETTER_TRUSTED_PROXIES to the proxy's address"


def private_files(settings: Settings) -> Iterator[Finding]:
    """Whether others on this machine may read the database, the settings or a key."""
    open_to_others = []
    for what, path in _secret_files(settings):
        # A missing file is another check's business.
        with suppress(OSError):
            if others_may_read(path):
                open_to_others.append((what, path))
    for what, path in open_to_others:
        yield warning(
            "files",
            f"others on this machine may read or write the {what} {path}",
            f"chmod 600 {shlex.quote(str(path))}",
        )
    if not open_to_others:
        yield ok("files", "only their owner may read database, settings and keys")


def _secret_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    try:
        path = database.file_of(make_url(settings.database_url))
    except ArgumentError:
        path = None  # another check says so
    if path is not None:
        yield "database", path
        yield from (("database", Path(f"{path}{suffix}")) for suffix in ("-wal", "-shm"))
    yield "settings file", SETTINGS_FILE
    for key in (settings.dkim_key_file, settings.dkim_ed25519_key_file):
        if key is not None:
            yield "key file", key


def trusted_proxies(settings: Settings) -> Iterator[Finding]:
    """Whether the site can tell visitors apart: only a proxy can speak HTTPS for it."""
    given = [each.strip() for each in settings.trusted_proxies.split(",") if each.strip()]
    if not given and urlsplit(settings.base_url).scheme == "https":
        yield warning(
            "proxy",
            f"{settings.base_url} needs a reverse proxy, and none is trusted: all visitors seem to "
            "come from one address and share one limit",
            f"{_SET_PROXIES}, such as 127.0.0.1",
        )
    for each in given:
        if each == "*":
            yield warning(
                "proxy",
                "every sender of X-Forwarded-For is trusted: visitors can choose the address that "
                "limits count",
                _SET_PROXIES,
            )
        elif not _is_network(each):
            yield warning("proxy", f"{each!r} is not an IP address: no proxy has it", _SET_PROXIES)


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
