"""The doctor finds what is wrong and says how to fix it; a stub name server plays the world."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dns.resolver
import httpx
import pytest
from aiosmtpd.smtp import AuthResult
from typer.testing import CliRunner

from newsletter.cli import make_app
from newsletter.core import database
from newsletter.core.config import Settings
from newsletter.core.database import utc_now
from newsletter.core.errors import SettingsError
from newsletter.messages import dkim
from newsletter.sending.doctor import connectivity, dns_records
from newsletter.sending.doctor.dns import DnsResolver
from newsletter.sending.doctor.findings import Finding, Level
from newsletter.sending.doctor.preflight import check_can_send
from newsletter.sending.doctor.run import examine
from newsletter.sending.transports.smtp import Relay
from tests.support import digests as mails
from tests.support import dns_server, tls
from tests.support.dns_server import txt
from tests.support.smtp_sink import running_sink

DOMAIN = "digest.example.org"
RELAY = "5.9.9.9"
Zone = dict[tuple[str, str], Sequence[str]]


def healthy_zone() -> Zone:
    zone: Zone = {(name, "TXT"): [txt(text)] for name, text in mails.dns_records(DOMAIN).items()}
    return zone | {
        (DOMAIN, "TXT"): [txt("v=spf1 ip4:5.9.9.0/24 -all"), txt("site-verification=1")],
        (f"_dmarc.{DOMAIN}", "TXT"): [txt("v=DMARC1; p=none; rua=mailto:dmarc@example.org")],
        (DOMAIN, "MX"): [f"10 mx.{DOMAIN}."],
        (f"mx.{DOMAIN}", "A"): [RELAY],
        ("9.9.9.5.in-addr.arpa", "PTR"): [f"mx.{DOMAIN}."],
    }


@contextmanager
def names(zone: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[DnsResolver]:
    with dns_server.serve(zone) as server:
        yield DnsResolver(server.resolver())


def record_findings(settings: Settings, zone: Zone) -> list[Finding]:
    with names(zone) as known:
        return [
            *dns_records.dkim_records(settings, known),
            *dns_records.spf_record(DOMAIN, [RELAY], known),
            *dns_records.dmarc_record(settings, known),
            dns_records.bounce_host(DOMAIN, known),
            dns_records.pointer(RELAY, known),
        ]


def test_a_healthy_domain_has_nothing_to_fix(tmp_path: Path) -> None:
    findings = record_findings(mails.signing_settings(tmp_path), healthy_zone())
    assert {finding.level for finding in findings} == {Level.OK}
    assert [finding.check for finding in findings] == [
        *("DKIM", "DKIM", "SPF", "DMARC", "bounces", "PTR")
    ]


SELECTOR = f"newsletter._domainkey.{DOMAIN}"
OTHER_KEY = dkim.dns_value(dkim.new_key(type(mails.RSA_KEY)))
RIGHT = dkim.dns_value(mails.RSA_KEY)
DKIM, SPF, DMARC = (SELECTOR, "TXT"), (DOMAIN, "TXT"), (f"_dmarc.{DOMAIN}", "TXT")
MX, PTR, HOST = (DOMAIN, "MX"), ("9.9.9.5.in-addr.arpa", "PTR"), (f"mx.{DOMAIN}", "A")
# The record, what is published instead, what is said of it, and the cure.
PROBLEMS: list[tuple[tuple[str, str], list[str], str, str]] = [
    (DKIM, [], "does not exist", f"publish TXT {SELECTOR} with: v=DKIM1; k=rsa"),
    (DKIM, [OTHER_KEY], "publishes a different key", "publish TXT"),
    (DKIM, ["v=DKIM1; p="], "revokes its key", "publish TXT"),
    (DKIM, [RIGHT, OTHER_KEY], "has 2 TXT records", "publish TXT"),
    (DKIM, ["v=DKIM1; k=rsa; p=%%%"], "publishes a different key", "publish TXT"),
    (SPF, ["unrelated"], "has no SPF record", f"v=spf1 ip4:{RELAY} -all"),
    (SPF, ["v=spf1 -all", "v=spf1 +all"], "has 2 SPF records", "publish TXT"),
    (SPF, ["v=spf1 ip4:192.0.2.1 -all"], "does not allow the relay", f"add ip4:{RELAY}"),
    (SPF, ["v=spf1 ipv4:5.9.9.9"], "is invalid", "fix its syntax"),
    (DMARC, [], "there is no record", "v=DMARC1; p=none"),
    (DMARC, ["v=DMARC1; p=maybe"], "has no valid p=", "set p=none"),
    (MX, ["0 ."], "neither MX nor address", "NEWSLETTER_BOUNCE_DOMAIN"),
    (PTR, [], "has no PTR record", "ask your hosting provider"),
    (HOST, ["5.9.9.10"], "does not resolve back", f"with {RELAY}"),
]


@pytest.mark.parametrize(
    ("place", "published", "what", "fix"), PROBLEMS, ids=[what for _, _, what, _ in PROBLEMS]
)
def test_a_defect_in_dns_is_found_and_its_cure_named(
    tmp_path: Path, place: tuple[str, str], published: list[str], what: str, fix: str
) -> None:
    data = [txt(text) for text in published] if place[1] == "TXT" else published
    findings = record_findings(mails.signing_settings(tmp_path), healthy_zone() | {place: data})
    [found] = [finding for finding in findings if finding.level is not Level.OK]
    assert found.level is Level.PROBLEM
    assert what in found.what
    assert fix in found.fix


def test_a_key_marked_as_test_is_a_warning_and_an_spf_macro_a_note(tmp_path: Path) -> None:
    zone = healthy_zone() | {
        DKIM: [txt(f"{RIGHT}; t=y:s")],
        SPF: [txt("v=spf1 exists:%{i}.x.example -all")],
    }
    findings = record_findings(mails.signing_settings(tmp_path), zone)
    said = {finding.level: finding for finding in findings}
    assert "marked as a test" in said[Level.WARNING].what
    assert "remove t=y" in said[Level.WARNING].fix
    assert "which are not evaluated" in said[Level.NOTE].what


def test_a_short_key_is_named(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    (tmp_path / "short.pem").write_bytes(dkim.pem(key))
    settings = mails.settings(dkim_key_file=tmp_path / "short.pem")
    with names({(SELECTOR, "TXT"): [txt(dkim.dns_value(key))]}) as known:
        [found] = dns_records.dkim_records(settings, known)
    assert found.level is Level.WARNING
    assert "1024 bits" in found.what


def test_unsigned_mail_and_a_foreign_signature_are_problems(tmp_path: Path) -> None:
    with names({}) as known:
        [found] = dns_records.dkim_records(mails.settings(), known)
        assert found.level is Level.PROBLEM
        assert "newsletter dkim keygen" in found.fix
        settings = mails.signing_settings(tmp_path, dkim_domain="relay.example.net")
        foreign = list(dns_records.dkim_records(settings, known))
    assert any(
        "is not aligned with mail from digest.example.org" in found.what for found in foreign
    )


def test_dmarc_of_a_parent_domain_counts_and_strictness_is_respected(tmp_path: Path) -> None:
    zone = {("_dmarc.example.org", "TXT"): [txt("v=DMARC1; p=reject; adkim=s")]}
    with names(zone) as known:
        [found] = dns_records.dmarc_record(mails.settings(), known)
        assert found == Finding(
            "DMARC",
            Level.OK,
            "_dmarc.example.org has p=reject, and the DKIM domain is aligned",
        )
        settings = mails.signing_settings(tmp_path, dkim_domain="example.org")
        [strict] = dns_records.dmarc_record(settings, known)
    assert strict.level is Level.PROBLEM
    assert "strict alignment" in strict.what


def test_a_relay_with_tls_and_login_is_well(tmp_path: Path) -> None:
    certificate = tls.make(tmp_path)
    with running_sink(
        tls_context=certificate.server,
        authenticator=lambda *_: AuthResult(success=True),
        enable_SMTPUTF8=True,
    ) as sink:
        relay = Relay("127.0.0.1", sink.port, username="u", password="p", starttls=True)
        said = {
            finding.what: finding.level for finding in connectivity.relay(relay, certificate.client)
        }
    assert any("uses TLS; its certificate is valid for 89 days" in what for what in said)
    assert said[f"127.0.0.1:{sink.port} accepts the login"] is Level.OK
    assert Level.PROBLEM not in said.values()


def test_a_certificate_about_to_end_is_a_warning(tmp_path: Path) -> None:
    certificate = tls.make(tmp_path, days=3)
    with running_sink(tls_context=certificate.server) as sink:
        findings = list(connectivity.relay(Relay("127.0.0.1", sink.port), certificate.client))
    assert any("expires in 2 days" in finding.what for finding in findings)


def test_a_refused_login_and_a_dead_relay_are_told_apart(tmp_path: Path) -> None:
    certificate = tls.make(tmp_path)
    with running_sink(
        tls_context=certificate.server,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
    ) as sink:
        relay = Relay("127.0.0.1", sink.port, username="u", password="p", starttls=True)
        refused = list(connectivity.relay(relay, certificate.client))[-1]
        untrusted = list(connectivity.relay(relay, ssl.create_default_context()))[-1]
    [dead] = connectivity.relay(Relay("127.0.0.1", sink.port))
    assert "refuses the login (535)" in refused.what
    assert "does not verify: self-signed certificate" in untrusted.what
    assert f"cannot use smtp://127.0.0.1:{sink.port}:" in dead.what
    assert {refused.level, untrusted.level, dead.level} == {Level.PROBLEM}


class Pages(BaseHTTPRequestHandler):
    """Answers every GET as the server object says."""

    def do_GET(self) -> None:
        self.send_response_only(self.server.status)  # type: ignore[attr-defined]
        moment = datetime.now(UTC) + self.server.offset  # type: ignore[attr-defined]
        self.send_header("Date", moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def web_server(
    context: ssl.SSLContext | None = None, status: int = 200, offset: timedelta = timedelta()
) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Pages)
    server.status, server.offset = status, offset  # type: ignore[attr-defined]
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_pages_over_https_and_a_right_clock_are_well(tmp_path: Path) -> None:
    certificate = tls.make(tmp_path)
    with (
        web_server(certificate.server) as url,
        httpx.Client(verify=certificate.client) as client,
    ):
        findings = list(connectivity.pages(url, client, utc_now))
    assert [(finding.check, finding.level) for finding in findings] == [
        ("base URL", Level.OK),
        ("clock", Level.OK),
    ]


def test_problems_with_pages_and_clock_are_reported() -> None:
    with httpx.Client() as client:
        with web_server(status=502, offset=timedelta(hours=1)) as url:
            plain, broken, clock = connectivity.pages(url, client, utc_now)
        _, silent = connectivity.pages(url, client, utc_now)
    assert "is not HTTPS" in plain.what
    assert "answers 502" in broken.what
    assert "differ by" in clock.what
    assert "does not answer" in silent.what
    assert all(finding.fix for finding in (plain, broken, clock, silent))


def test_an_examination_goes_on_when_dns_is_silent(tmp_path: Path) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], 9, 0.3
    url = f"sqlite:///{tmp_path / 'n.db'}"
    engine = database.connect(url)
    database.upgrade(engine)
    engine.dispose()
    with running_sink() as sink, web_server() as base_url:
        settings = mails.signing_settings(
            tmp_path, smtp_url=f"smtp://127.0.0.1:{sink.port}", base_url=base_url, database_url=url
        )
        findings = list(examine(settings, resolver=resolver))
    checks = [finding.check for finding in findings]
    assert checks.count("DNS") == 4
    assert "database" in checks
    assert "relay" in checks
    said = {finding.check: finding for finding in findings}
    assert said["database"].level is Level.OK
    assert "no answer from DNS for MX" in said["DNS"].what


def test_an_examination_asks_for_the_relays_address(tmp_path: Path) -> None:
    zone = healthy_zone() | {("relay.example.org", "A"): [RELAY]}
    settings = mails.signing_settings(
        tmp_path, smtp_url="smtp://relay.example.org:2525", base_url="http://127.0.0.1:9"
    )
    with dns_server.serve(zone) as server:
        findings = list(examine(settings, resolver=server.resolver()))
    assert Finding("SPF", Level.OK, f"{DOMAIN} allows the relay {RELAY} to send") in findings
    assert Finding("PTR", Level.OK, f"{RELAY} resolves to mx.{DOMAIN} and back") in findings


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"dkim_key_file": None, "dkim_ed25519_key_file": None}, "would not be signed"),
        ({"dkim_domain": "other.example"}, "the DKIM domain other.example is not aligned"),
        ({"base_url": "http://papers.example.org"}, "are not HTTPS"),
    ],
)
def test_a_real_send_is_refused_unless_forced(
    tmp_path: Path, overrides: dict[str, Any], reason: str
) -> None:
    settings = mails.signing_settings(
        tmp_path, **({"smtp_url": "smtp://relay.example.org"} | overrides)
    )
    with pytest.raises(SettingsError, match=reason) as caught:
        check_can_send(settings)
    assert "--force" in str(caught.value)
    check_can_send(settings, force=True)
    on_loopback = mails.signing_settings(
        tmp_path, **(overrides | {"smtp_url": "smtp://127.0.0.1:2525 smtp://localhost"})
    )
    check_can_send(on_loopback)


def test_a_send_that_is_signed_and_https_may_start(tmp_path: Path) -> None:
    settings = mails.signing_settings(tmp_path, smtp_url="smtp://relay.example.org")
    check_can_send(settings)
    one_of_two_is_elsewhere = mails.settings(
        smtp_url="smtp://127.0.0.1:2525 smtp://relay.example.org"
    )
    with pytest.raises(SettingsError, match="would not be signed"):
        check_can_send(one_of_two_is_elsewhere)


def test_the_command_prints_findings_and_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEWSLETTER_BASE_URL", "http://127.0.0.1:9")
    done = CliRunner().invoke(make_app(), ["doctor", "--json"])
    assert done.exit_code == 1
    findings = json.loads(done.stdout)["findings"]
    assert findings[0]["check"] == "settings"
    assert "NEWSLETTER_FROM" in findings[0]["what"]
    assert {"check", "level", "what", "fix"} == set(findings[0])
    shown = CliRunner().invoke(make_app(), ["doctor"])
    assert "problem" in shown.stdout
    assert "newsletter db upgrade" in shown.stdout
