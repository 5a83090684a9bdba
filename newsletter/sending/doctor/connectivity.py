"""Checks that connect: the relay and its TLS, the pages behind the links, the clock."""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from newsletter.sending.doctor.findings import Finding, note, ok, problem, warning
from newsletter.sending.transports.smtp import Relay

TIMEOUT_SECONDS = 10
# Renewal usually comes 30 days ahead: under 10, it failed more than once.
CERTIFICATE_DAYS = 10
# Receivers tolerate some minutes in Date and in DKIM's t=; links that end count in hours.
CLOCK_SECONDS = 120


def relay(target: Relay, context: ssl.SSLContext | None = None) -> Iterator[Finding]:
    """Whether the relay takes a connection, TLS and the login; nothing is sent."""
    context = context or ssl.create_default_context()
    kind = "smtps" if target.implicit_tls else "smtp"
    try:
        with _connect(target, context) as client:
            client.ehlo_or_helo_if_needed()
            yield from _tls(target, client, context)
            if target.username:
                client.login(target.username, target.password or "")
                yield ok("relay", f"{target} accepts the login")
            yield from _extensions(target, client)
    except smtplib.SMTPAuthenticationError as error:
        yield problem(
            "relay",
            f"{target} refuses the login ({error.smtp_code})",
            "check user and password in NEWSLETTER_SMTP_URL; write special characters as %XX",
        )
    except ssl.SSLCertVerificationError as error:
        yield problem(
            "relay",
            f"the certificate of {target} does not verify: {error.verify_message}",
            "use the host name the certificate is for, or renew it",
        )
    except (OSError, smtplib.SMTPException) as error:
        said = " ".join(str(error).split())[:160] or type(error).__name__
        yield problem(
            "relay",
            f"cannot use {kind}://{target}: {said}",
            "check host, port and firewall; many networks block port 25, use 587 with a login",
        )


def _connect(target: Relay, context: ssl.SSLContext) -> smtplib.SMTP:
    if target.implicit_tls:
        return smtplib.SMTP_SSL(target.host, target.port, timeout=TIMEOUT_SECONDS, context=context)
    return smtplib.SMTP(target.host, target.port, timeout=TIMEOUT_SECONDS)


def _tls(target: Relay, client: smtplib.SMTP, context: ssl.SSLContext) -> Iterator[Finding]:
    if not target.implicit_tls:
        if target.starttls is False:
            return
        if not client.has_extn("starttls"):
            if not target.is_loopback:
                yield problem(
                    "relay",
                    f"{target} does not offer TLS: mails cross the network unencrypted",
                    "use a relay with STARTTLS, or smtps://",
                )
            return
        client.starttls(context=context)
        client.ehlo()
    certificate = client.sock.getpeercert() if isinstance(client.sock, ssl.SSLSocket) else None
    ends = certificate.get("notAfter") if certificate else None
    if not isinstance(ends, str):
        return
    left = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) - datetime.now(UTC)
    if left < timedelta(days=CERTIFICATE_DAYS):
        yield warning(
            "relay", f"the certificate of {target} expires in {left.days} days", "renew it"
        )
    else:
        yield ok("relay", f"{target} uses TLS; its certificate is valid for {left.days} days")


def _extensions(target: Relay, client: smtplib.SMTP) -> Iterator[Finding]:
    if client.has_extn("pipelining"):
        yield ok("relay", f"{target} answers and offers PIPELINING")
    else:
        yield note("relay", f"{target} answers but does not offer PIPELINING: sending takes longer")
    if not client.has_extn("smtputf8"):
        yield note(
            "relay",
            f"{target} does not offer SMTPUTF8: addresses like jürgen@example.org fail there",
        )


def pages(base_url: str, client: httpx.Client, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Whether the links in mails lead somewhere, over HTTPS; and whether the clocks agree."""
    if urlsplit(base_url).scheme != "https":
        yield problem(
            "base URL",
            f"{base_url} is not HTTPS, and one-click unsubscribe needs it",
            "put a web server with a certificate in front of `newsletter serve`, and set "
            "NEWSLETTER_BASE_URL",
        )
    try:
        answer = client.get(f"{base_url}/", follow_redirects=True, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        said = " ".join(str(error).split())[:160] or type(error).__name__
        yield problem(
            "base URL",
            f"{base_url} does not answer: {said}",
            "start `newsletter serve`, and check the host name, web server and certificate",
        )
        return
    if answer.is_error:
        yield problem(
            "base URL",
            f"{base_url} answers {answer.status_code}",
            "check that the web server forwards requests to `newsletter serve`",
        )
    else:
        yield ok("base URL", f"{base_url} answers")
    yield from _clock(answer.headers.get("date", ""), now())


def _clock(said: str, now: datetime) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(said)
    except ValueError:
        return
    if theirs.tzinfo is None:
        return
    apart = abs((theirs - now).total_seconds())
    if apart > CLOCK_SECONDS:
        yield problem(
            "clock",
            f"the clocks of this machine and the web server differ by {apart:.0f} seconds",
            "run a time service (systemd-timesyncd, chrony) on both",
        )
    else:
        yield ok("clock", "agrees with the web server")
