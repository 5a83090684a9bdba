"""A send run pauses itself when too much comes back; what came back is shown."""

import asyncio
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Edition,
    EditionStatus,
    EventKind,
    KeptMail,
)
from newsletter.editions import report as reports
from newsletter.editions import report_html
from newsletter.sending.mailer import Tally, Threshold, reputation
from newsletter.sending.transports.smtp import Relay
from tests.cli.test_send_command import DATE, Command, fill
from tests.sending.test_mailer import counts, make_edition, make_run, readers, send
from tests.support import factories
from tests.support.smtp_sink import Sink, running_sink

THRESHOLD = Threshold(bounces=0.05, complaints=0.003)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


def happen(session: Session, delivery: Delivery, kind: EventKind) -> None:
    session.add(
        DeliveryEvent(
            delivery_id=delivery.id, kind=kind, provider="mail", provider_event_id=uuid4().hex
        )
    )


def came_back(
    session: Session,
    edition: Edition,
    *,
    kind: EventKind,
    of: int,
    number: int,
    status: DeliveryStatus = DeliveryStatus.SENT,
) -> None:
    """An edition's ``of`` deliveries that a relay dealt with, ``number`` of them with an event."""
    for place in range(of):
        reader = factories.make_subscriber(session, f"old{place}-{edition.id}@there.example")
        delivery = factories.make_delivery(session, edition, reader, status=status)
        if place < number:
            happen(session, delivery, kind)


def test_an_edition_that_bounced_too_much_is_not_gone_on_with(engine: Engine, sink: Sink) -> None:
    edition_id = make_edition(engine, *readers(3))
    with session_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        came_back(session, edition, kind=EventKind.BOUNCED, of=100, number=20)
    tally = send(engine, edition_id, sink, threshold=THRESHOLD)
    assert tally.stopped == (
        "20 of 100 deliveries bounced (20.0%; the limit is 5.0%); "
        "use `newsletter send --force` to continue anyway"
    )
    assert sink.accepted == []
    assert counts(engine, edition_id) == {"sent": 100, "queued": 3}
    with read_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        assert (edition.status, edition.note) == (EditionStatus.PAUSED, tally.stopped)


@pytest.mark.parametrize(
    ("days_before", "complaints", "is_sent"), [(1, 3, False), (1, 2, True), (9, 3, True)]
)
def test_complaints_about_the_edition_before_stop_the_next_one(
    engine: Engine, sink: Sink, days_before: int, complaints: int, is_sent: bool
) -> None:
    edition_id = make_edition(engine, *readers(2))
    with session_scope(engine) as session:
        before = factories.make_edition(
            session, factories.ISSUE_DATE - timedelta(days=days_before), status=EditionStatus.SENT
        )
        came_back(session, before, kind=EventKind.COMPLAINED, of=50, number=complaints)
    tally = send(engine, edition_id, sink, threshold=THRESHOLD)
    assert bool(tally.stopped) is not is_sent
    assert tally.stopped.startswith("" if is_sent else "of the edition before, 3 of 50 readers")
    assert len(sink.accepted) == (2 if is_sent else 0)


def test_a_run_pauses_when_complaints_come_in_while_it_goes_on(
    engine: Engine, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reputation, "CHECK_SECONDS", 0.0)
    edition_id = make_edition(engine, *readers(60))
    run = make_run(
        engine,
        edition_id,
        Relay("127.0.0.1", sink.port),
        connections=1,
        threshold=THRESHOLD,
    )

    def complain(tally: Tally) -> None:
        if tally.done != 5:
            return
        with session_scope(engine) as session:
            sent = session.exec(select(Delivery).order_by(col(Delivery.id)).limit(3)).all()
            for delivery in sent:
                delivery.status = DeliveryStatus.COMPLAINED
                happen(session, delivery, EventKind.COMPLAINED)

    run.on_progress = complain
    tally = asyncio.run(run.run())
    assert "readers complained" in tally.stopped
    assert 5 <= len(sink.accepted) < 60
    with read_scope(engine) as session:
        assert session.get_one(Edition, edition_id).status is EditionStatus.PAUSED


def test_refusals_by_the_relay_itself_do_not_pause_a_run(engine: Engine, sink: Sink) -> None:
    edition_id = make_edition(engine, "ada@there.example")
    with session_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        came_back(
            session,
            edition,
            kind=EventKind.BOUNCED,
            of=40,
            number=40,
            status=DeliveryStatus.FAILED,
        )
    assert not send(engine, edition_id, sink, threshold=THRESHOLD).stopped
    assert len(sink.accepted) == 1


def test_the_command_pauses_in_one_line_and_continues_with_force(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path
) -> None:
    edition_id = fill(sqlite_engine, "ada@there.example")
    with session_scope(sqlite_engine) as session:
        edition = session.get_one(Edition, edition_id)
        came_back(session, edition, kind=EventKind.BOUNCED, of=30, number=25)
    newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    code, said = newsletter.run("send", "--date", DATE)
    assert code == 3
    stopped = "stopped: 25 of 30 deliveries bounced (83.3%; the limit is 5.0%); "
    assert f"{stopped}use `newsletter send --force` to continue" in said.replace("\n", " ")
    assert sink.accepted == []
    lenient = Command(
        sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path, PAUSE_ABOVE_BOUNCES="0.9"
    )
    assert lenient.run("send", "--date", DATE)[0] == 0
    assert len(sink.accepted) == 1
    with session_scope(sqlite_engine) as session:
        edition = session.get_one(Edition, edition_id)
        late = factories.make_subscriber(session, "late@there.example")
        factories.make_digest(session, edition, late, [factories.make_paper(session, 2)])
    assert newsletter.run("send", "--date", DATE)[0] == 3
    code, said = newsletter.run("send", "--date", DATE, "--anyway")
    assert code == 0, said
    assert len(sink.accepted) == 2


def test_status_and_report_show_rates_by_domain_and_kept_mail(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    edition_id = fill(sqlite_engine)
    with session_scope(sqlite_engine) as session:
        edition = session.get_one(Edition, edition_id)
        came_back(session, edition, kind=EventKind.COMPLAINED, of=10, number=4)
        session.add(KeptMail(fingerprint="f", received_at=utc_now(), kind="unknown", content=b"x"))
    newsletter = Command(sqlite_engine, "smtp://127.0.0.1:1", tmp_path)
    words = (
        "there.example: 0 of 10 bounced (0.00%), 4 complained (40.00%): "
        "complaints over Gmail's limit of 0.3 %"
    )
    for command in (["status"], ["report"], ["report", "--format", "html"]):
        code, said = newsletter.run(*command, "--date", DATE)
        flat = " ".join(said.split()).replace("&#39;", "'")
        assert code == 0, said
        assert words in flat, command
        assert "1 message matches no delivery" in flat
    for command in (["status", "--json"], ["report", "--format", "json"]):
        shown = json.loads(newsletter.run(*command, "--date", DATE)[1])
        assert shown["kept_mails"] == 1
        assert shown["rates"]["limits"] == {"complaints_advised": 0.001, "complaints_limit": 0.003}
        [domain] = shown["rates"]["domains"]
        assert (domain["domain"], domain["complaint_rate"]) == ("there.example", 0.4)
        assert shown["rates"]["total"]["tried"] == 10


def test_the_page_shows_bounces_and_nothing_if_nothing_was_sent(engine: Engine) -> None:
    with session_scope(engine) as session:
        edition = factories.make_edition(session, date(2026, 1, 1))
        report = reports.edition_report(session, edition)
    assert reports.what_came_back(report) == []
    assert "Bounces and complaints" not in report_html.as_html(report, report_html.draw([]))
