"""`newsletter send` as an operator meets it: exit codes, signals, several workers, bad relays."""

import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Edition,
    EditionStatus,
    Subscriber,
    SubscriberStatus,
)
from newsletter.sending import ledger
from tests.support import factories, preloaded
from tests.support.smtp_sink import Sink, running_sink

ROOT = Path(__file__).parents[2]
DATE = factories.ISSUE_DATE.isoformat()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


def fill(engine: Engine, *addresses: str) -> int:
    with session_scope(engine) as session:
        edition = factories.make_edition(session, status=EditionStatus.READY)
        papers = [factories.make_paper(session)]
        for address in addresses:
            factories.make_digest(
                session, edition, factories.make_subscriber(session, address), papers
            )
        return edition.id or 0


def counts(engine: Engine, edition_id: int) -> dict[str, int]:
    with read_scope(engine) as session:
        found = ledger.counts(session, edition_id)
    return {status.value: number for status, number in found.items() if number}


class Command:
    """`newsletter …` in a process of its own."""

    def __init__(self, engine: Engine, relay: str, folder: Path, **settings: str) -> None:
        url = engine.url.render_as_string(hide_password=False)
        values = {
            "DATABASE_URL": url,
            "SMTP_URL": relay,
            "FROM": "papers@site.example",
            "SECRET_KEYS": "a key that only tests know 0123456789",
        } | settings
        self._environment = {f"NEWSLETTER_{name}": value for name, value in values.items()}
        self._folder = folder

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", "from newsletter.cli import main; main()", *arguments],
            env=os.environ | self._environment | {"PYTHONPATH": str(ROOT)},
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, limit: int = -1) -> tuple[int, str]:
        """With ``limit``, no file can grow beyond so many bytes: a full disk."""
        done = preloaded.run(
            arguments,
            environment=os.environ | self._environment,
            folder=self._folder,
            largest_file=limit,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return done.returncode, out + err


def test_all_sent_is_0_and_some_failed_is_1(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    edition_id = fill(sqlite_engine, "ada@there.example")
    code, said = newsletter.run("send", "--date", DATE)
    assert (code, counts(sqlite_engine, edition_id)) == (0, {"sent": 1}), said
    with session_scope(sqlite_engine) as session:
        edition = session.get_one(Edition, edition_id)
        subscriber = factories.make_subscriber(session, "nobody@there.example")
        factories.make_digest(session, edition, subscriber, [factories.make_paper(session, 2)])
    code, said = newsletter.run("send", "--date", DATE)
    assert code == 1
    assert "1 not delivered" in said
    code, said = newsletter.run("report", "--date", DATE, "--format", "html")
    assert code == 0
    assert "5.1.1 no such user" in said


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_first_signal_drains_and_the_next_run_finishes(
    engine: Engine, sink: Sink, tmp_path: Path, workers: str
) -> None:
    edition_id = fill(engine, *(f"reader{number}@there.example" for number in range(60)))
    newsletter = Command(engine, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    process = newsletter.start("send", "--date", DATE, "--rate", "30/s", "--workers", workers)
    until = time.monotonic() + 60
    while len(sink.accepted) < 5 and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    found = counts(engine, edition_id)
    assert set(found) == {"sent", "queued"}, err
    assert found["sent"] == len(sink.accepted)
    code, said = newsletter.run("send", "--date", DATE, "--workers", workers)
    assert code == 0, said
    assert len(sink.accepted) == 60
    assert counts(engine, edition_id) == {"sent": 60}


def test_a_relay_that_is_down_is_a_line_and_4_and_the_next_run_carries_on(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    edition_id = fill(sqlite_engine, "ada@there.example")
    code, said = Command(sqlite_engine, "smtp://127.0.0.1:1", tmp_path).run("send", "--date", DATE)
    assert code == 4
    assert "stopped: relay 127.0.0.1:1: " in said
    assert "run the same command again to continue" in said
    newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    assert newsletter.run("send", "--date", DATE)[0] == 0
    assert counts(sqlite_engine, edition_id) == {"sent": 1}


def test_a_wrong_password_is_named_and_never_shown(sqlite_engine: Engine, tmp_path: Path) -> None:
    fill(sqlite_engine, "ada@there.example")

    def refuse(*_: object) -> object:
        from aiosmtpd.smtp import AuthResult

        return AuthResult(success=False, handled=False)

    with running_sink(authenticator=refuse, auth_require_tls=False) as strict:
        relay = f"smtp://ada:opensesame@127.0.0.1:{strict.port}"
        code, said = Command(sqlite_engine, relay, tmp_path).run("send", "--date", DATE)
    assert code == 4
    assert "login refused: 535" in said
    assert "opensesame" not in said


def expired_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = utc_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now - timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private, public = folder / "key.pem", folder / "certificate.pem"
    private.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(certificate.public_bytes(pem))
    return private, public


def test_a_certificate_that_has_expired_gets_no_mail(sqlite_engine: Engine, tmp_path: Path) -> None:
    key, certificate = expired_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    fill(sqlite_engine, "ada@there.example")
    with running_sink(tls_context=context) as expired:
        relay = f"smtp://127.0.0.1:{expired.port}?starttls=true"
        code, said = Command(sqlite_engine, relay, tmp_path).run("send", "--date", DATE)
        assert code == 4
        assert re.search(r"stopped: relay 127.0.0.1:\d+: .*certificate", said)
        assert expired.accepted == []


def test_a_stripped_starttls_never_falls_back_to_clear_text(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    fill(sqlite_engine, "ada@there.example")
    relay = f"smtp://127.0.0.1:{sink.port}?starttls=true"
    code, said = Command(sqlite_engine, relay, tmp_path).run("send", "--date", DATE)
    assert code == 4
    assert "STARTTLS" in said
    assert sink.accepted == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"POSTAL_ADDRESS": ""}, "NEWSLETTER_POSTAL_ADDRESS"),
        ({}, "NEWSLETTER_DKIM_KEY_FILE"),
    ],
)
def test_unsigned_or_nameless_mail_does_not_leave_the_machine(
    sqlite_engine: Engine, tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    fill(sqlite_engine, "ada@there.example")
    values = {"POSTAL_ADDRESS": "1 Example Street"} | settings
    code, told = Command(sqlite_engine, "smtp://192.0.2.1:25", tmp_path, **values).run(
        "send", "--date", DATE
    )
    assert code == 2
    assert said in told


def test_due_takes_whose_hour_has_come_and_is_safe_to_call_again(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    now = utc_now()
    with session_scope(sqlite_engine) as session:
        factories.make_paper(session)
        factories.make_subscriber(session, "now@there.example", send_hour=now.hour)
        factories.make_subscriber(session, "later@there.example", send_hour=(now.hour + 2) % 24)
    newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    for _ in range(2):
        code, said = newsletter.run("send", "--due")
        assert code == 0, said
    assert [name for name in sink.recipients() if name == "later@there.example"] == []


@pytest.mark.parametrize("status", [EditionStatus.DRAFT, EditionStatus.READY, EditionStatus.SENT])
def test_due_sends_digests_that_a_killed_run_had_frozen(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path, status: EditionStatus
) -> None:
    """The kill came after the freezing and before a word of it in the edition's status."""
    edition_id = fill(sqlite_engine, "ada@there.example")
    with session_scope(sqlite_engine) as session:
        session.get_one(Edition, edition_id).status = status
    newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    code, said = newsletter.run("send", "--due")
    assert code == 0, said
    assert counts(sqlite_engine, edition_id) == {"sent": 1}


def test_due_carries_deferred_mail_and_leaves_a_paused_edition_alone(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    edition_id = fill(sqlite_engine, "ada@there.example")
    with session_scope(sqlite_engine) as session:
        row = session.exec(select(Delivery)).one()
        row.status, row.attempts = DeliveryStatus.DEFERRED, 1
        row.not_before = utc_now() - timedelta(minutes=1)
        session.get_one(Edition, edition_id).status = EditionStatus.PAUSED
        # Whatever day it is: no digest of today's is due beside the one that waits.
        session.exec(select(Subscriber)).one().vacation_until = date.max
    newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    code, said = newsletter.run("send", "--due")
    assert (code, sink.recipients()) == (0, [])
    assert f"the edition of {DATE} is paused: by hand" in said
    with session_scope(sqlite_engine) as session:
        session.get_one(Edition, edition_id).status = EditionStatus.SENDING
    assert newsletter.run("send", "--due")[0] == 0
    assert counts(sqlite_engine, edition_id) == {"sent": 1}


def test_due_sends_confirmations_and_says_when_the_relay_is_down(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    with session_scope(sqlite_engine) as session:
        subscriber = factories.make_subscriber(
            session, "new@there.example", status=SubscriberStatus.PENDING, confirmed_at=None
        )
        session.add(
            Delivery(
                subscriber_id=subscriber.id or 0,
                kind=DeliveryKind.CONFIRMATION,
                to_address=subscriber.email,
                message_id="one@papers.example",
                status=DeliveryStatus.QUEUED,
            )
        )
    code, said = Command(sqlite_engine, "smtp://127.0.0.1:1", tmp_path).run("send", "--due")
    assert code == 4
    assert "stopped: relay 127.0.0.1:1" in said
    newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    assert newsletter.run("send", "--due")[0] == 0
    assert sink.recipients() == ["new@there.example"]


def test_digests_stopped_by_a_domain_storm_are_deferred_not_lost(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    """Five deferrals in a row close a domain; what was not tried waits, and is counted so."""
    edition_id = fill(sqlite_engine, *(f"busy@{number}.small.example" for number in range(3)))
    newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    code, _ = newsletter.run("send", "--date", DATE)
    assert code == 1
    assert counts(sqlite_engine, edition_id) == {DeliveryStatus.DEFERRED.value: 3}


def test_a_dry_run_reports_unrenderable_digests_and_writes_the_others(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    long = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 50}.example"
    fill(sqlite_engine, "ada@there.example", "bob@there.example", long)
    with session_scope(sqlite_engine) as session:
        session.exec(select(Delivery)).all()[0].to_address = "ada@there.example\nBcc: eve@x.example"
    newsletter = Command(sqlite_engine, "smtp://127.0.0.1:1", tmp_path)
    code, said = newsletter.run("send", "--date", DATE, "--dry-run")
    assert code == 1
    assert "2 messages written" in said
    assert "1 cannot be rendered" in said
    assert "'ada@there.example\\nBcc: eve@x.example': " in said
    names = sorted(path.name for path in (tmp_path / "dry-run").iterdir())
    assert [name[:10] for name in names] == ["a" * 10, "bob@there."]
    assert counts(sqlite_engine, 1) == {"queued": 3}


def test_a_dry_run_into_a_folder_that_cannot_be_is_one_line(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    fill(sqlite_engine, "ada@there.example")
    (tmp_path / "taken").write_text("a file")
    newsletter = Command(sqlite_engine, "smtp://127.0.0.1:1", tmp_path)
    code, said = newsletter.run("send", "--date", DATE, "--dry-run", "--output", "taken/here")
    assert code == 3
    assert "error: cannot write taken/here: Not a directory" in said


def test_a_full_disk_ends_the_run_with_a_line_and_the_next_carries_on(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    edition_id = fill(sqlite_engine, *(f"reader{number}@there.example" for number in range(300)))
    sqlite_engine.dispose()
    newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    code, said = newsletter.run("send", "--date", DATE, limit=120_000)
    assert code == 3, said
    assert re.search("error: the database cannot be used: (disk I/O error|.* full)", said)
    before = len(sink.accepted)
    assert 0 < before < 300
    assert newsletter.run("send", "--date", DATE)[0] == 0
    assert counts(sqlite_engine, edition_id) == {"sent": 300}
    assert len(set(sink.recipients())) == 300
    assert len(sink.accepted) - 300 <= 4, "no more copies than open connections"


def test_a_file_that_is_not_a_database_is_one_line(sqlite_engine: Engine, tmp_path: Path) -> None:
    sqlite_engine.dispose()
    Path(sqlite_engine.url.database or "").write_bytes(b"no database " * 1000)
    code, said = Command(sqlite_engine, "smtp://127.0.0.1:1", tmp_path).run("send")
    assert code == 2
    assert "file is not a database" in said
