"""`newsletter inbound` and `newsletter suppressions`, as an operator or an MTA runs them."""

import io
import json
import shutil
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.cli import main
from newsletter.core import database
from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    KeptMail,
    Subscriber,
    SubscriberStatus,
)
from newsletter.core.tokens import Purpose, Signer
from tests.support.bounce_mails import MESSAGE_ID, READER, letter, person, report
from tests.support.factories import make_delivery, make_edition, make_subscriber
from tests.support.imap_server import free_port, imap_server, put

KEY = "a key for these commands" * 2
SIGNER = Signer((KEY,))
PROGRAM = Path(sys.executable).with_name("newsletter")


@dataclass
class Done:
    """What a command printed."""

    stdout: str
    stderr: str


class Site:
    """A folder with a database in which one digest was sent to `READER`."""

    def __init__(
        self,
        folder: Path,
        migrated_file: Path,
        patch: pytest.MonkeyPatch,
        printed: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self.patch = patch
        self.printed = printed
        self.settings = {
            "NEWSLETTER_DATABASE_URL": f"sqlite:///{folder / 'site.db'}",
            "NEWSLETTER_SECRET_KEYS": KEY,
            "NEWSLETTER_FROM": "papers@news.example.org",
            "NEWSLETTER_BOUNCE_DOMAIN": "bounces.example.org",
        }
        shutil.copyfile(migrated_file, folder / "site.db")
        self.engine: Engine = database.connect(self.settings["NEWSLETTER_DATABASE_URL"])
        with session_scope(self.engine) as session:
            subscriber = make_subscriber(session, READER, address_hash=SIGNER.hash_address(READER))
            delivery = make_delivery(
                session,
                make_edition(session),
                subscriber,
                status=DeliveryStatus.SENT,
                message_id=MESSAGE_ID,
                created_at=utc_now(),
            )
            self.verp = SIGNER.verp_address(delivery.id or 0, "bounces.example.org")
            token = SIGNER.sign(Purpose.UNSUBSCRIBE, subscriber.public_id)
            self.unsubscribe = f"unsubscribe+{token}@bounces.example.org"

    def run(self, *arguments: str, mail: bytes = b"", code: int = 0) -> Done:
        """Run the command in this process: starting one takes seconds."""
        with self.patch.context() as patch:
            patch.chdir(self.folder)
            for name, value in self.settings.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["newsletter", *arguments])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mail)))
            self.printed.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        done = Done(*self.printed.readouterr())
        assert (ended.value.code or 0) == code, done
        return done

    def read(self, *arguments: str, **how: Any) -> list[dict[str, Any]]:
        found = json.loads(self.run("inbound", *arguments, "--json", **how).stdout)
        messages: list[dict[str, Any]] = found["messages"]
        return messages

    @property
    def status(self) -> DeliveryStatus:
        with database.read_scope(self.engine) as session:
            return session.exec(select(Delivery)).one().status

    def count(self, table: Any) -> int:
        with database.read_scope(self.engine) as session:
            return len(session.exec(select(table)).all())


@pytest.fixture
def site(
    tmp_path: Path,
    migrated_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Site]:
    site = Site(tmp_path, migrated_file, monkeypatch, capsys)
    yield site
    site.engine.dispose()


def test_a_file_is_read_recorded_and_printed_as_json(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bounce.eml").write_bytes(report(to=site.verp))
    [message] = site.read("bounce.eml")
    assert message["file"] == "bounce.eml"
    assert (message["kind"], message["matched"]) == ("bounce", True)
    [recipient] = message["recipients"]
    assert recipient["address"] == READER
    assert (recipient["permanence"], recipient["status"]) == ("permanent", "5.1.1")
    assert recipient["reason"] == "no_such_address"
    assert site.status is DeliveryStatus.BOUNCED


def test_an_mta_pipes_a_mail_in(site: Site) -> None:
    done = site.run("inbound", "-", mail=report(to=site.verp))
    assert "suppressed" in done.stdout
    assert site.status is DeliveryStatus.BOUNCED


def test_a_pipe_that_can_record_nothing_asks_the_mta_to_try_again(site: Site) -> None:
    for setting, value in (
        ("NEWSLETTER_DATABASE_URL", "sqlite:///elsewhere.db"),
        ("NEWSLETTER_SECRET_KEYS", ""),
        ("NEWSLETTER_DATABASE_URL", "no database at all"),
    ):
        before, site.settings[setting] = site.settings[setting], value
        done = site.run("inbound", "-", mail=report(to=site.verp), code=75)
        assert len(done.stderr.splitlines()) == 1
        site.settings[setting] = before
    assert not (site.folder / "elsewhere.db").exists()


def test_without_a_database_mails_are_read_and_nothing_is_recorded(site: Site) -> None:
    (site.folder / "bounce.eml").write_bytes(report(to=site.verp))
    (site.folder / "empty.db").touch()
    for url in ("sqlite:///none.db", "sqlite:///empty.db"):
        site.settings["NEWSLETTER_DATABASE_URL"] = url
        done = site.run("inbound", "bounce.eml", "--json")
        [message] = json.loads(done.stdout)["messages"]
        assert (message["kind"], message["matched"]) == ("bounce", False)
        assert "nothing was recorded" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_maildir_is_emptied_of_unseen_mail_and_a_poison_mail_stops_nothing(site: Site) -> None:
    for folder in ("new", "cur", "tmp"):
        (site.folder / "Maildir" / folder).mkdir(parents=True)
    new, cur = site.folder / "Maildir/new", site.folder / "Maildir/cur"
    (new / "1.poison").write_bytes(b"\xff\0Content-Type: multipart/mixed; boundary=\n" * 1000)
    (new / "2.bounce").write_bytes(report(to=site.verp))
    (cur / "3.flagged:2,F").write_bytes(person("Re: Your papers", "Thank you!"))
    (cur / "4.seen:2,S").write_bytes(person("Old", "Read long ago."))
    assert [message["kind"] for message in site.read("Maildir")] == ["unknown", "bounce", "unknown"]
    assert sorted(file.name for file in cur.iterdir()) == [
        "1.poison:2,S", "2.bounce:2,S", "3.flagged:2,FS", "4.seen:2,S",
    ]  # fmt: skip
    assert list(new.iterdir()) == []
    assert site.read("Maildir") == []


def test_an_unreadable_file_is_reported_and_the_others_are_read(site: Site) -> None:
    (site.folder / "bounce.eml").write_bytes(report(to=site.verp))
    done = site.run("inbound", "missing.eml", "bounce.eml", "--json", code=2)
    assert "missing.eml: cannot be read" in done.stderr
    assert len(json.loads(done.stdout)["messages"]) == 1


def test_kept_mails_are_listed_and_can_be_taken_out(site: Site) -> None:
    mail = person("Please", "take me off this list")
    site.run("inbound", "-", mail=mail)
    assert "Please" in site.run("inbound", "--kept").stdout
    [kept] = json.loads(site.run("inbound", "--kept", "--json").stdout)["kept"]
    assert kept["kind"] == "unknown"
    site.run("inbound", "--kept", "--output", "kept")
    [file] = (site.folder / "kept").iterdir()
    assert file.read_bytes() == mail


def test_nothing_to_read_is_wrong_use(site: Site) -> None:
    assert "name the mails to read" in site.run("inbound", code=2).stderr
    for url in ("lmtp://nowhere", "http://127.0.0.1:1", "smtp://127.0.0.1:no"):
        assert "must have the form" in site.run("inbound", "--listen", url, code=2).stderr
    site.settings["NEWSLETTER_IMAP_URL"] = "imaps://no-user.example"
    assert "must have the form" in site.run("inbound", "--imap", code=2).stderr


@contextmanager
def listening(site: Site, protocol: str) -> Iterator[int]:
    """`newsletter inbound --listen` as a process; gives its port, ends it by SIGTERM."""
    port = free_port()
    process = subprocess.Popen(
        [PROGRAM, "inbound", "--listen", f"{protocol}://127.0.0.1:{port}"],
        cwd=site.folder,
        env=site.settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "listening" in process.stderr.readline()
    try:
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    assert process.returncode == 0


@pytest.mark.parametrize(("protocol", "client"), [("lmtp", smtplib.LMTP), ("smtp", smtplib.SMTP)])
def test_mail_can_be_handed_over_by_smtp_and_lmtp(
    site: Site, protocol: str, client: type[smtplib.SMTP]
) -> None:
    with listening(site, protocol) as port, client("127.0.0.1", port) as server:
        server.sendmail("", [site.verp.upper()], report(to="list@elsewhere.example", returned=""))
        assert site.status is DeliveryStatus.BOUNCED
        server.sendmail(READER, [site.unsubscribe], person("unsubscribe", ""))
        with database.read_scope(site.engine) as session:
            assert session.exec(select(Subscriber)).one().status is SubscriberStatus.UNSUBSCRIBED
        for stranger in (
            "someone@elsewhere.example",
            "bounce+1-aaaaaaaaaaaaaaaa@bounces.example.org",
            "unsubscribe+forged.token@bounces.example.org",
        ):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                server.sendmail("", [stranger], report())
            assert refused.value.recipients[stranger][0] == 550


def test_lmtp_takes_one_recipient_at_a_time(site: Site) -> None:
    # The library answers once for all recipients, where LMTP wants an answer for each.
    with listening(site, "lmtp") as port, smtplib.LMTP("127.0.0.1", port) as server:
        refused = server.sendmail("", ["bounces@news.example.org", site.verp], report())
        assert refused[site.verp][0] == 452


def test_a_mail_that_cannot_be_recorded_stays_with_its_sender(site: Site) -> None:
    with listening(site, "smtp") as port, smtplib.SMTP("127.0.0.1", port) as server:
        with site.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE delivery_event")
        with pytest.raises(smtplib.SMTPDataError) as refused:
            server.sendmail("", [site.verp], report())
        assert refused.value.smtp_code == 451


@pytest.fixture
def dovecot() -> Iterator[tuple[str, Path]]:
    with imap_server() as server:
        yield server


def test_an_imap_mailbox_is_read_once_and_nothing_in_it_is_deleted(
    site: Site, dovecot: tuple[str, Path]
) -> None:
    url, maildir = dovecot
    site.settings["NEWSLETTER_IMAP_URL"] = url
    put(maildir, "1.poison", b"\0\xff" * 5000)
    put(maildir, "2.bounce", report(to=site.verp))
    put(maildir, "3.giant", letter("x@y.example", "large", "x" * 76 + "\n" + "y\n" * 1_500_000))
    found = site.read("--imap")
    # In whichever order the server numbers mails that came in the same second.
    kinds = sorted(message["kind"] for message in found)
    assert kinds == ["auto_reply", "bounce", "unknown"]
    assert site.status is DeliveryStatus.BOUNCED
    assert site.count(DeliveryEvent) == 1
    assert site.count(KeptMail) == 2
    assert site.read("--imap") == []
    assert len(list((maildir / "cur").iterdir())) == 3


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        (b"", "it is empty"),
        (b"\r\n \r\n", "it is empty"),
        (b"hello there\n", "it is not a mail"),
        (b"Dear all,\nFrom: next week on we meet on Mondays.\n", "it is not a mail"),
        (b"note: buy milk\n\nand bread", "it is not a mail"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 9, "it is not a mail"),
        (b'{"from": "ada@reader.example"}', "it is not a mail"),
    ],
)
def test_garbage_is_refused_in_one_line_and_nothing_of_it_is_recorded(
    site: Site, garbage: bytes, why: str
) -> None:
    done = site.run("inbound", "-", mail=garbage, code=2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert done.stderr.startswith(f"error: standard input: {why}")
    done = site.run("inbound", "-", "--json", mail=garbage, code=2)
    assert json.loads(done.stdout) == {"messages": []}
    assert why in done.stderr
    assert site.count(KeptMail) == site.count(DeliveryEvent) == 0


def test_garbage_in_a_folder_does_not_stop_the_mails_beside_it(site: Site) -> None:
    folder = site.folder / "mails"
    folder.mkdir()
    (folder / "1.eml").write_bytes(b"no mail")
    (folder / "2.eml").write_bytes(report(to=site.verp))
    done = site.run("inbound", "mails", "--json", code=2)
    assert [mail["kind"] for mail in json.loads(done.stdout)["messages"]] == ["bounce"]
    assert "1.eml: it is not a mail" in done.stderr


def test_a_mail_of_unknown_kind_is_no_garbage(site: Site) -> None:
    for mail in (b"From: ada@reader.example\n\nhello", b"Subject: \n\n"):
        [message] = site.read("-", mail=mail)
        assert message["kind"] == "unknown"


def test_an_imap_server_that_refuses_is_one_line(site: Site, dovecot: tuple[str, Path]) -> None:
    url, _ = dovecot
    site.settings["NEWSLETTER_IMAP_URL"] = url.replace("s3cret", "wrong")
    done = site.run("inbound", "--imap", code=2)
    assert "Authentication failed" in done.stderr
    assert "wrong" not in done.stderr
    site.settings["NEWSLETTER_IMAP_URL"] = f"imap://u:p@127.0.0.1:{free_port()}/INBOX"
    assert "refused" in site.run("inbound", "--imap", code=2).stderr


def test_history_shows_in_order_why_an_address_gets_no_mail(site: Site) -> None:
    assert "gets mail" in site.run("suppressions", "show", READER).stdout
    site.run("inbound", "-", mail=report(to=site.verp))
    told = site.run("suppressions", "show", READER).stdout
    assert "mail reported: bounced permanent no such address 5.1.1" in told
    assert f"{READER} gets no mail: mail to the address bounced" in told
    site.run("suppressions", "remove", READER, "--reason", "mailbox is back")
    told = site.run("suppressions", "show", READER).stdout
    assert "suppression lifted: mailbox is back" in told
    assert f"{READER} gets mail" in told
    site.run("suppressions", "add", READER, "--reason", "asked by phone")
    site.run("suppressions", "remove", READER, "--reason", "called again")
    told = site.run("suppressions", "show", READER).stdout
    assert "suppression lifted: called again (it was: asked by phone)" in " ".join(told.split())
    stranger = site.run("suppressions", "show", "stranger@reader.example").stdout
    assert "there is no subscriber with this address" in stranger


def test_the_operator_suppresses_and_lifts(site: Site) -> None:
    site.run("suppressions", "add", READER.upper(), "--reason", "asked by telephone")
    [row] = json.loads(site.run("suppressions", "list", "--json").stdout)["suppressions"]
    assert (row["email"], row["reason"]) == (READER, "operator")
    assert row["note"] == "asked by telephone"
    site.run("suppressions", "remove", READER, "--reason", "asked again")
    assert site.run("suppressions", "list").stdout == ""
    assert (
        "is not suppressed"
        in site.run("suppressions", "remove", READER, "--reason", "x", code=2).stderr
    )
    assert "@-sign" in site.run("suppressions", "add", "nobody", "--reason", "x", code=2).stderr


def test_the_operator_cannot_bring_back_people_who_left(site: Site) -> None:
    site.run("inbound", "-", mail=letter(READER, "unsubscribe", "", to=site.unsubscribe))
    done = site.run("suppressions", "remove", READER, "--reason", "oops", code=2)
    assert "only they can sign up again" in done.stderr


def test_a_list_of_another_provider_is_imported_line_by_line(site: Site) -> None:
    (site.folder / "list.csv").write_text(
        "created,email,reason\n2026,ada@reader.example,550\n2026,not an address,550\n"
        "2026,Bob@Reader.Example,550\n2026,,550\n"
    )
    how = ("suppressions", "import", "list.csv", "--kind", "bounced", "--reason", "old provider")
    done = json.loads(site.run(*how, "--json", code=1).stdout)
    assert (done["added"], done["known"]) == (2, 0)
    assert [refused["line"] for refused in done["refused"]] == [3, 5]
    assert "2 already suppressed" in site.run(*how, code=1).stdout
    (site.folder / "plain.txt").write_text("carol@reader.example\n\n")
    assert "1 suppressed" in site.run("suppressions", "import", "plain.txt").stdout
    (site.folder / "none.csv").write_text("name,town\nAda,London\n")
    assert "no column" in site.run("suppressions", "import", "none.csv", code=2).stderr
