"""What a send run promises: it takes over, keeps to its limit, and never runs ahead of its rows."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.config import load_settings
from newsletter.core.database import session_scope, utc_now
from newsletter.core.errors import RelayError
from newsletter.core.models import Delivery, DeliveryStatus
from newsletter.core.tokens import Signer
from newsletter.messages.envelope import Envelope
from newsletter.messages.renderer import Renderer
from newsletter.sending import ledger
from newsletter.sending.ledger import LEASE, Result
from newsletter.sending.mailer import RunOptions, SendRun, run
from newsletter.sending.mailer.begun import BegunDelivery
from newsletter.sending.transports import Transport
from newsletter.sending.transports.smtp import Relay, SmtpTransport
from tests.support import factories
from tests.support.smtp_sink import Sink, running_sink

KEY = "8f3a1c9e7b2d4f60a5c8e1d7b3f92046"
SETTINGS = load_settings(from_address="papers@site.example", secret_keys=KEY)
ELSEWHERE = "another machine:4711:1:0badcafe"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


def make_edition(engine: Engine, readers: int) -> int:
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        paper = factories.make_paper(session)
        for number in range(readers):
            reader = factories.make_subscriber(session, f"reader{number}@there.example")
            factories.make_digest(session, edition, reader, [paper])
        return edition.id or 0


class Faltering(Transport):
    """A transport whose first calls fail before the relay hears of a message."""

    def __init__(self, port: int, failures: int) -> None:
        self.real: Transport = SmtpTransport(Relay("127.0.0.1", port))
        self.left = failures

    async def send(self, envelope: Envelope, following: Envelope | None = None) -> str:
        if self.left:
            self.left -= 1
            raise RelayError("no connection just now")
        return await self.real.send(envelope, following)

    async def close(self) -> None:
        await self.real.close()


def make_run(
    engine: Engine, edition_id: int, sink: Sink, *, failures: int = 0, limit: int | None = None
) -> SendRun:
    return SendRun(
        engine,
        Renderer(SETTINGS, Signer(SETTINGS.keys)),
        lambda: Faltering(sink.port, failures),
        RunOptions(of=edition_id, connections=2, limit=limit),
    )


def send(engine: Engine, edition_id: int, sink: Sink, **options: int) -> str:
    async def main() -> str:
        return (await make_run(engine, edition_id, sink, **options).run()).stopped

    return asyncio.run(main())


def statuses(engine: Engine) -> list[tuple[DeliveryStatus, int]]:
    with Session(engine) as session:
        rows = session.exec(select(Delivery).order_by(Delivery.to_address)).all()
        return [(row.status, row.attempts) for row in rows]


def test_a_run_waits_for_leased_rows_and_takes_over_when_leases_end(
    engine: Engine, sink: Sink
) -> None:
    edition_id = make_edition(engine, 3)
    with session_scope(engine) as session:
        # So given that they end in a second.
        given = utc_now() - LEASE + timedelta(seconds=1)
        held = ledger.claim(session, edition_id, owner=ELSEWHERE, now=given, limit=2)
        ledger.begin(session, held[:1], owner=ELSEWHERE, now=given)
    assert send(engine, edition_id, sink) == ""
    assert sorted(sink.recipients()) == [f"reader{number}@there.example" for number in range(3)]
    # The first may have gone out there, too: it was resent, and that was its second attempt.
    assert [attempts for _, attempts in statuses(engine)] == [2, 1, 1]
    assert {status for status, _ in statuses(engine)} == {DeliveryStatus.SENT}


def test_messages_no_relay_took_do_not_count_against_a_limit(engine: Engine, sink: Sink) -> None:
    edition_id = make_edition(engine, 8)
    assert send(engine, edition_id, sink, limit=5, failures=2) == ""
    assert len(sink.accepted) == 5
    assert sorted(statuses(engine)) == sorted(
        [(DeliveryStatus.SENT, 1)] * 5 + [(DeliveryStatus.QUEUED, 0)] * 3
    )


def job(number: int) -> BegunDelivery:
    return BegunDelivery(number, 1, "a text", None, float("inf"))


def test_no_message_is_handed_over_while_a_whole_group_waits_for_its_commit(
    sqlite_engine: Engine, sink: Sink
) -> None:
    now = datetime(2026, 11, 20, 7, tzinfo=UTC)
    answered = Result(9, 1, DeliveryStatus.SENT, 250, "ok", now)

    async def main() -> None:
        one = make_run(sqlite_engine, make_edition(sqlite_engine, 1), sink)
        one._backlog.waiting.append(job(1))
        one._backlog.results = [answered] * run.GROUP
        waiting = asyncio.create_task(one._next_job())
        for _ in range(5):
            one._work.set()
            await asyncio.sleep(0)
        assert not waiting.done()
        assert one._ledger_wanted.is_set()
        del one._backlog.results[0]
        one._work.set()
        assert (await waiting) == job(1)

    asyncio.run(main())
