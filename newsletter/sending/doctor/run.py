"""Runs every check in turn; one that cannot run says so and does not stop the others."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from ipaddress import ip_address

import dns.resolver
import httpx

from newsletter.core import database
from newsletter.core.config import Settings
from newsletter.core.database import utc_now
from newsletter.core.errors import DatabaseError, SettingsError
from newsletter.sending.doctor import connectivity, dns_records
from newsletter.sending.doctor.dns import DnsError, DnsResolver
from newsletter.sending.doctor.exposure import private_files, trusted_proxies
from newsletter.sending.doctor.findings import Finding, ok, problem, warning
from newsletter.sending.doctor.rephrasing import endpoint
from newsletter.sending.transports.smtp import Relay, parse_relays


def examine(
    settings: Settings,
    *,
    resolver: dns.resolver.Resolver | None = None,
    client: httpx.Client | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Iterator[Finding]:
    """Yield findings as soon as they are known; nothing is sent or changed."""
    yield from _settings(settings)
    yield _database(settings)
    yield from private_files(settings)
    yield from trusted_proxies(settings)
    relays: tuple[Relay, ...] = ()
    if settings.smtp_url is not None:
        relays = parse_relays(settings.relay_url, settings.ehlo_name)
    for target in relays:
        yield from connectivity.relay(target)
    with client or httpx.Client() as web:
        yield from connectivity.pages(settings.base_url, web, now)
    yield from endpoint(settings)
    if settings.from_address is None:
        return
    try:
        names = DnsResolver(resolver or dns.resolver.Resolver())
    except dns.resolver.NoResolverConfiguration:
        yield warning("DNS", "this machine has no name server", "add one to /etc/resolv.conf")
        return
    for check in _record_checks(settings, relays, names):
        try:
            yield from check()
        except DnsError as error:
            yield warning("DNS", str(error), "check the name servers and try again")
        except SettingsError as error:
            yield problem("DKIM", str(error), "see the line above")


def _settings(settings: Settings) -> Iterator[Finding]:
    try:
        settings.require("from_address", "smtp_url", "secret_keys", "postal_address")
    except SettingsError as error:
        yield problem("settings", str(error), "see README.md, Settings")
    else:
        yield ok("settings", "everything needed to send is set")


def _database(settings: Settings) -> Finding:
    try:
        engine = database.connect(settings.database_url)
        database.require_current(engine)
        engine.dispose()
    except DatabaseError as error:
        return problem("database", str(error), "run `newsletter db upgrade`")
    return ok("database", "can be opened and is up to date")


def _record_checks(
    settings: Settings, relays: Iterable[Relay], names: DnsResolver
) -> list[Callable[[], Iterable[Finding]]]:
    sender = (settings.from_address or "").rpartition("@")[2]
    bounces = settings.bounce_domain or sender

    def of_the_relays() -> Iterator[Finding]:
        found = [
            address
            for relay in relays
            if not relay.is_loopback
            for address in _addresses(relay, names)
        ]
        yield from dns_records.spf_record(bounces, found, names)
        for address in found:
            yield dns_records.pointer(address, names)

    return [
        lambda: dns_records.dkim_records(settings, names),
        of_the_relays,
        lambda: dns_records.dmarc_record(settings, names),
        lambda: [dns_records.bounce_host(bounces, names)],
    ]


def _addresses(relay: Relay, names: DnsResolver) -> list[str]:
    """IP addresses of the relay, looked up unless its host is an address already."""
    try:
        return [str(ip_address(relay.host))]
    except ValueError:
        return names.addresses(relay.host)
