"""`newsletter broadcast` as an operator meets it: who gets it, once, and what is refused."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    Broadcast,
    Cadence,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    EditionStatus,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
    Topic,
)
from newsletter.messages.lint import check_message
from newsletter.subscribers.accounts import row_id
from tests.support import factories
from tests.support.command import Newsletter, dump
from tests.support.smtp_sink import Sink, running_sink

LETTER = """# We are moving

On **Friday** we move to new machines: see <https://papers.example/status>.

- Digests may be *late*.
- Nothing is lost <b>at all</b>.
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


def command(engine: Engine, sink: Sink, folder: Path) -> Newsletter:
    (folder / "letter.md").write_text(LETTER, encoding="utf-8")
    return Newsletter(engine, folder, SMTP_URL=f"smtp://127.0.0.1:{sink.port}")


SEND = ("broadcast", "--subject", "We are moving", "--file", "letter.md")


def fill(engine: Engine) -> None:
    """Two who read, one of them weekly, and one each of those who must never get it."""
    with session_scope(engine) as session:
        ada = factories.make_subscriber(session, "ada@there.example")
        session.add(Topic(subscriber_id=row_id(ada), name="Proofs"))
        factories.make_subscriber(session, "weekly@there.example", cadence=Cadence.WEEKLY)
        for status in ("unsubscribed", "paused", "pending"):
            factories.make_subscriber(
                session, f"{status}@there.example", status=SubscriberStatus(status)
            )
        bounced = factories.make_subscriber(session, "bounced@there.example")
        session.add(
            Suppression(address_hash=bounced.address_hash, reason=SuppressionReason.BOUNCED)
        )


def test_active_readers_get_it_once_however_often_it_is_run(
    engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    fill(engine)
    newsletter = command(engine, sink, tmp_path)
    code, said, _ = newsletter.run(*SEND)
    assert (code, sink.recipients()) == (0, ["ada@there.example", "weekly@there.example"]), said
    assert "broadcast 1: sent; 2 sent" in said
    code, said, _ = newsletter.run(*SEND)
    assert (code, len(sink.accepted)) == (0, 2)
    assert "0 readers added" in said
    code, said, _ = newsletter.run("status", "--json")
    [shown] = json.loads(said)["broadcasts"]
    assert (shown["prepared"], shown["counts"]["sent"], shown["status"]) == (2, 2, "sent")
    message = next(each for each in sink.messages() if each["To"].endswith("<ada@there.example>"))
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Unsubscribe"].startswith("<https://papers.example/unsubscribe/")
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert "• Digests may be late." in plain.get_content()
    assert "&lt;b&gt;at all&lt;/b&gt;" in html.get_content()
    content = sink.accepted[0].original_content or b""
    bad = [check for check in check_message(content) if check.passed is False]
    assert [check.name for check in bad] == ["DKIM"]  # the test has no key


def test_a_second_broadcast_on_one_day_needs_force_and_filters_widen_the_first(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    fill(sqlite_engine)
    newsletter = command(sqlite_engine, sink, tmp_path)
    assert newsletter.run(*SEND, "--topic", "Proofs")[0] == 0
    assert sink.recipients() == ["ada@there.example"]
    # The same words to more readers: nobody gets them twice.
    assert newsletter.run(*SEND, "--cadence", "weekly")[0] == 0
    assert sink.recipients() == ["ada@there.example", "weekly@there.example"]
    other = ("broadcast", "--subject", "Another", "--file", "letter.md")
    code, _, err = newsletter.run(*other)
    assert (code, len(sink.accepted)) == (2, 2)
    assert "a broadcast went out today already ('We are moving')" in err
    assert newsletter.run(*other, "--force", "--only", "ada@there.example")[0] == 0
    assert len(sink.accepted) == 3


def test_looking_first_changes_no_row(sqlite_engine: Engine, sink: Sink, tmp_path: Path) -> None:
    fill(sqlite_engine)
    newsletter = command(sqlite_engine, sink, tmp_path)
    before = dump(sqlite_engine)
    code, said, _ = newsletter.run(*SEND, "--dry-run", "--output", "out")
    assert (code, "dry run: 2 readers would get this broadcast" in said) == (0, True)
    assert len(list((tmp_path / "out").iterdir())) == 2
    code, said, _ = newsletter.run(*SEND, "--preview")
    assert (code, "Subject: We are moving" in said) == (0, True)
    assert newsletter.run(*SEND, "--preview", "--output", "letter.html")[0] == 0
    assert "We are moving" in (tmp_path / "letter.html").read_text("utf-8")
    code, said, _ = newsletter.run(*SEND, "--test", "op@site.example")
    assert (code, sink.recipients()) == (0, ["op@site.example"])
    assert sink.messages()[0]["Subject"] == "[Test] We are moving"
    assert dump(sqlite_engine) == before


def test_a_killed_broadcast_goes_on_where_it_was(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    with session_scope(sqlite_engine) as session:
        for number in range(300):
            factories.make_subscriber(session, f"reader{number}@there.example")
    newsletter = command(sqlite_engine, sink, tmp_path)
    process = newsletter.start(*SEND, "--connections", "1", "--rate", "100/s")
    deadline = time.monotonic() + 60
    while len(sink.accepted) < 50 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    had = len(sink.accepted)
    assert 50 <= had < 300
    code, said, err = newsletter.run(*SEND)
    assert code == 0, said + err
    assert len(set(sink.recipients())) == 300
    # What was in flight on the one connection may come once more, with the same Message-ID.
    assert len(sink.accepted) <= 301
    assert len({message["Message-ID"] for message in sink.messages()}) == 300


def test_who_leaves_between_queueing_and_sending_gets_nothing(
    engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    with session_scope(engine) as session:
        left = factories.make_subscriber(session, "left@there.example")
        broadcast = Broadcast(
            issue_date=utc_now().date(),
            fingerprint="x",
            subject="S",
            body="Text",
            status=EditionStatus.SENDING,
        )
        session.add(broadcast)
        session.flush()
        for reader in (left, factories.make_subscriber(session, "busy@there.example")):
            session.add(
                Delivery(
                    broadcast_id=broadcast.id,
                    subscriber_id=row_id(reader),
                    kind=DeliveryKind.BROADCAST,
                    to_address=reader.email,
                    subject="S",
                    message_id=f"{reader.public_id}@site.example",
                    status=DeliveryStatus.QUEUED,
                )
            )
        left.status = SubscriberStatus.UNSUBSCRIBED
    newsletter = command(engine, sink, tmp_path)
    newsletter.run("send", "--due")
    with read_scope(engine) as session:
        query = select(Delivery.to_address, Delivery.status).where(Delivery.broadcast_id == 1)
        found = dict(session.exec(query).all())
    assert found == {
        "left@there.example": DeliveryStatus.SUPPRESSED,
        "busy@there.example": DeliveryStatus.DEFERRED,
    }
    code, said, _ = newsletter.run("report", "--broadcast", "1")
    assert (code, "deferred: busy@there.example: " in said) == (0, True), said
    code, said, _ = newsletter.run("retry", "--broadcast", "1")
    assert (code, "1 delivery queued again" in said) == (0, True)
    code, said, _ = newsletter.run("cancel", "--broadcast", "1")
    assert (code, said) == (0, "cancelled: 1 message will not be sent\n")


def test_the_database_refuses_a_second_copy_for_one_reader(engine: Engine) -> None:
    with session_scope(engine) as session:
        reader = factories.make_subscriber(session)
        session.add(
            Broadcast(
                issue_date=factories.ISSUE_DATE,
                fingerprint="x",
                subject="S",
                body="T",
                status=EditionStatus.SENDING,
            )
        )
    insert = text(
        "INSERT INTO delivery (broadcast_id, read_here, subscriber_id, kind, to_address, to_name, "
        "length, occasion, message_id, subject, notice, status, attempts, resends, created_at, "
        f"smtp_response) VALUES (1, false, {row_id(reader)}, 'broadcast', 'a@b.example', '', "
        "'normal', 'regular', :id, '', '', 'queued', 0, 0, '2026-11-20', '')"
    )
    with engine.begin() as connection:
        connection.execute(insert, {"id": "1@site.example"})
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert, {"id": "2@site.example"})


@pytest.mark.parametrize(
    ("arguments", "content", "line"),
    [
        (("--only", "nobody@there.example"), LETTER, "no subscriber has this address"),
        (("--topic", "Proof"), LETTER, "the nearest is 'Proofs'"),
        (("--cadence", "hourly"), LETTER, "hourly"),
        (("--preview", "--dry-run"), LETTER, "one of --dry-run, --preview and --test"),
        (("--output", "x.eml"), LETTER, "--output goes with"),
        (("--test", "not an address"), LETTER, "not an address"),
        ((), "", "there is no text in it"),
        ((), "[a](javascript:alert(1))", "cannot work in a mail"),
        ((), "one\n\n[a](/relative)", "line 3"),
        ((), "word " * 20_000, "a broadcast may have 50000"),
        ((), b"\xff\xfe", "not UTF-8"),
        ((), None, "No such file"),
    ],
)
def test_what_cannot_be_sent_is_one_line_and_exit_code_2(
    sqlite_engine: Engine,
    sink: Sink,
    tmp_path: Path,
    arguments: tuple[str, ...],
    content: str | bytes | None,
    line: str,
) -> None:
    fill(sqlite_engine)
    newsletter = command(sqlite_engine, sink, tmp_path)
    letter = tmp_path / "letter.md"
    if content is None:
        letter.unlink()
    else:
        letter.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, _, err = newsletter.run(*SEND, *arguments)
    assert (code, line in err) == (2, True), err
    assert not sink.accepted
