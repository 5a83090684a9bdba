"""A send run against a real relay: limits, pauses, storms, dead relays, damaged rows, takeovers."""

import asyncio
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, delete, select

from newsletter.core.config import load_settings
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import StoppedError
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Edition,
    EditionPaper,
    EditionStatus,
    Pace,
    Subscriber,
    SubscriberStatus,
)
from newsletter.core.tokens import Signer
from newsletter.editions import lifecycle
from newsletter.messages.envelope import Envelope
from newsletter.messages.renderer import Renderer
from newsletter.sending import ledger
from newsletter.sending.ledger import Result
from newsletter.sending.mailer import (
    Limits,
    RunOptions,
    SendRun,
    Tally,
    attempt,
    db_executor,
    flight_log,
    lease_owner,
    rate_limit,
    relay_health,
    run,
    shared_clock,
)
from newsletter.sending.transports import Transport
from newsletter.sending.transports.relay_pool import RelayPool
from newsletter.sending.transports.smtp import Relay
from tests.support import factories
from tests.support.chaos_sink import running_chaos_sink
from tests.support.smtp_sink import Sink, running_sink

KEY = "8f3a1c9e7b2d4f60a5c8e1d7b3f92046"
SETTINGS = load_settings(from_address="papers@site.example", secret_keys=KEY)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relays and databases that are gone are given up after a second."""
    monkeypatch.setattr(relay_health, "PATIENCE", 0.5)
    monkeypatch.setattr(db_executor, "PATIENCE", 0.5)


def make_edition(engine: Engine, *addresses: str) -> int:
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        papers = [factories.make_paper(session, number) for number in (1, 2)]
        for address in addresses:
            subscriber = factories.make_subscriber(session, address)
            factories.make_digest(session, edition, subscriber, papers)
        return edition.id or 0


def readers(number: int, domain: str = "there.example") -> list[str]:
    return [f"reader{place}@{domain}" for place in range(number)]


def make_run(engine: Engine, edition_id: int | None, *relays: Relay, **options: Any) -> SendRun:
    pool = RelayPool(relays)
    renderer = Renderer(SETTINGS, Signer(SETTINGS.keys))
    return SendRun(engine, renderer, pool.transport, RunOptions(of=edition_id, **options))


def send(engine: Engine, edition_id: int | None, sink: Sink, **options: Any) -> Tally:
    async def main() -> Tally:
        return await make_run(engine, edition_id, Relay("127.0.0.1", sink.port), **options).run()

    return asyncio.run(main())


def counts(engine: Engine, edition_id: int) -> dict[str, int]:
    with read_scope(engine) as session:
        found = ledger.counts(session, edition_id)
    return {status.value: number for status, number in found.items() if number}


def row(engine: Engine, address: str) -> Delivery:
    with read_scope(engine) as session:
        return session.exec(select(Delivery).where(Delivery.to_address == address)).one()


def test_every_outcome_is_recorded_with_its_reason(engine: Engine, sink: Sink) -> None:
    names = ["ada", "nobody", "busy", "full", "closing", "policy"]
    edition_id = make_edition(engine, *(f"{name}@there.example" for name in names))
    tally = send(engine, edition_id, sink)
    assert counts(engine, edition_id) == {"sent": 1, "failed": 2, "deferred": 3}
    assert tally.done == 6
    assert not tally.stopped
    taken = row(engine, "ada@there.example")
    assert (taken.smtp_code, taken.smtp_response) == (250, "2.0.0 queued as 1")
    refused = row(engine, "nobody@there.example")
    assert (refused.smtp_code, refused.smtp_response) == (550, "5.1.1 no such user")
    waiting = row(engine, "busy@there.example")
    assert waiting.not_before
    assert waiting.not_before > utc_now() + timedelta(minutes=3)
    assert lifecycle.finish_if_done(engine, edition_id) is EditionStatus.SENDING


def test_mail_lost_after_its_last_byte_is_resent_once_with_the_same_bytes(
    engine: Engine, sink: Sink
) -> None:
    edition_id = make_edition(engine, "lost@there.example", "ada@there.example")
    send(engine, edition_id, sink, connections=1)
    copies = [e for e in sink.accepted if e.rcpt_tos == ["lost@there.example"]]
    assert len(copies) == 2
    assert copies[0].original_content == copies[1].original_content
    assert counts(engine, edition_id) == {"sent": 1, "uncertain": 1}
    assert lifecycle.finish_if_done(engine, edition_id) is EditionStatus.SENT


def test_uncertain_mail_is_held_where_the_operator_wants_that(engine: Engine, sink: Sink) -> None:
    edition_id = make_edition(engine, "lost@there.example")
    send(engine, edition_id, sink, resends=0)
    send(engine, edition_id, sink, resends=0)
    assert len(sink.accepted) == 1
    assert lifecycle.finish_if_done(engine, edition_id, 0) is EditionStatus.SENT
    assert lifecycle.retry(engine, factories.ISSUE_DATE, [DeliveryStatus.UNCERTAIN]) == 1
    with read_scope(engine) as session:
        assert session.get_one(Edition, edition_id).status is EditionStatus.READY


def test_two_runs_at_once_share_an_edition(engine: Engine, sink: Sink) -> None:
    edition_id = make_edition(engine, *readers(60))
    relay = Relay("127.0.0.1", sink.port)

    async def main() -> list[Tally]:
        return await asyncio.gather(
            *(make_run(engine, edition_id, relay, connections=2).run() for _ in range(2))
        )

    tallies = asyncio.run(main())
    assert sum(tally.done for tally in tallies) == 60
    assert sorted(sink.recipients()) == sorted(readers(60))


def test_a_limit_counts_attempts_and_the_next_run_goes_on(engine: Engine, sink: Sink) -> None:
    edition_id = make_edition(engine, *readers(5))
    send(engine, edition_id, sink, limit=2)
    assert counts(engine, edition_id) == {"sent": 2, "queued": 3}
    send(engine, edition_id, sink)
    assert len(sink.accepted) == 5


def test_a_rate_holds_over_runs_that_share_it_and_over_a_restart(
    engine: Engine, sink: Sink
) -> None:
    edition_id = make_edition(engine, *readers(16))
    relay = Relay("127.0.0.1", sink.port)
    started = time.monotonic()

    async def main(limit: int) -> None:
        runs = (
            make_run(engine, edition_id, relay, limits=Limits(rate=20.0), limit=limit)
            for _ in range(2)
        )
        await asyncio.gather(*(one.run() for one in runs))

    asyncio.run(main(limit=4))
    asyncio.run(main(limit=4))
    # The 16th may go 15 twentieths of a second after the first, not before.
    assert len(sink.accepted) == 16
    assert time.monotonic() - started >= 15 / 20


def test_a_domain_s_rate_holds_back_only_that_domain(engine: Engine, sink: Sink) -> None:
    slow = [f"slow{place}@small.example" for place in range(4)]
    edition_id = make_edition(engine, *slow, *readers(12))
    started = time.monotonic()
    send(engine, edition_id, sink, limits=Limits(domains={"small.example": 2.0}))
    assert time.monotonic() - started >= 3 / 2
    order = [envelope.rcpt_tos[0] for envelope in sink.accepted]
    assert len(order) == 16
    assert set(readers(12)) <= set(order[:15]), "the others did not wait for it"


def test_a_warm_up_ends_the_day_s_run_and_goes_on_the_next(engine: Engine, sink: Sink) -> None:
    edition_id = make_edition(engine, *readers(6))
    limits = Limits(warm_up=(2, 3))
    tally = send(engine, edition_id, sink, limits=limits)
    assert "warm-up" in tally.stopped
    assert counts(engine, edition_id) == {"sent": 2, "queued": 4}
    send(engine, edition_id, sink, limits=limits)
    assert len(sink.accepted) == 2, "not twice on one day"
    with session_scope(engine) as session:
        today = session.exec(select(Pace).where(col(Pace.name).like("day:%"))).one()
        session.add(Pace(name="day:2000-01-01", used=today.used))
        session.delete(today)
    send(engine, edition_id, sink, limits=limits)
    assert len(sink.accepted) == 5, "the second day's share"


def test_a_clock_that_was_wrong_does_not_stop_the_mail(engine: Engine) -> None:
    now = utc_now()
    with session_scope(engine) as session:
        session.add(Pace(name="all", next_at=now + timedelta(days=400)))
    with session_scope(engine) as session:
        moments = rate_limit.reserve_slots(session, "all", 10.0, most=3, now=now)
    assert moments.given == (
        now,
        now + timedelta(seconds=0.1),
        now + timedelta(seconds=0.2),
    )


def test_a_storm_of_policy_refusals_pauses_the_edition_and_says_why(
    engine: Engine, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "policy_for_all", True)
    edition_id = make_edition(engine, *readers(60))
    tally = send(engine, edition_id, sink)
    assert "refused by policy" in tally.stopped
    assert "5.7.1" in tally.stopped
    with read_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        assert edition.status is EditionStatus.PAUSED
        # Answers that were on their way count too: the number may have grown since.
        assert edition.note.partition(" messages")[2] == tally.stopped.partition(" messages")[2]
    found = counts(engine, edition_id)
    assert found["queued"] == 60, "whom the relay refused waits like whom it was spared"


@pytest.mark.parametrize(
    ("act", "left"), [(lifecycle.pause, "queued"), (lifecycle.cancel, "cancelled")]
)
def test_pause_and_cancel_stop_a_run_in_the_midst_of_it(
    engine: Engine, sink: Sink, act: Callable[..., object], left: str
) -> None:
    edition_id = make_edition(engine, *readers(80))
    relay = Relay("127.0.0.1", sink.port)

    async def main() -> Tally:
        one = make_run(engine, edition_id, relay, connections=2, limits=Limits(rate=100.0))
        acted = False

        def on_progress(tally: Tally) -> None:
            nonlocal acted
            if tally.done >= 10 and not acted:
                acted = True
                act(engine, factories.ISSUE_DATE)

        one.on_progress = on_progress
        return await one.run()

    tally = asyncio.run(main())
    assert tally.stopped
    lifecycle.finish_if_done(engine, edition_id)
    found = counts(engine, edition_id)
    assert set(found) == {"sent", left}
    assert sum(found.values()) == 80
    assert found["sent"] == len(sink.accepted)


def test_a_stop_finishes_messages_in_flight_and_releases_the_rest(
    engine: Engine, sink: Sink
) -> None:
    edition_id = make_edition(engine, *readers(60))

    async def main() -> None:
        one = make_run(engine, edition_id, Relay("127.0.0.1", sink.port))
        one.on_progress = lambda tally: one.stop.set() if tally.done >= 5 else None
        await one.run()

    asyncio.run(main())
    found = counts(engine, edition_id)
    assert set(found) == {"sent", "queued"}
    assert found["sent"] == len(sink.accepted)
    with read_scope(engine) as session:
        assert ledger.owners(session) == []
        waiting = session.exec(select(Delivery).where(Delivery.status == "queued")).all()
        assert {delivery.attempts for delivery in waiting} == {0}


@pytest.mark.usefixtures("impatient")
def test_a_relay_that_is_down_costs_nobody_an_attempt(engine: Engine, sink: Sink) -> None:
    with running_sink() as gone:
        dead = Relay("127.0.0.1", gone.port)
    edition_id = make_edition(engine, *readers(6))

    async def main() -> Tally:
        return await make_run(engine, edition_id, dead).run()

    tally = asyncio.run(main())
    assert f"relay 127.0.0.1:{dead.port}" in tally.stopped
    assert counts(engine, edition_id) == {"queued": 6}
    assert row(engine, "reader0@there.example").attempts == 0
    send(engine, edition_id, sink)
    assert counts(engine, edition_id) == {"sent": 6}


def test_another_relay_stands_in_for_one_that_is_down(engine: Engine, sink: Sink) -> None:
    with running_sink() as gone:
        dead = Relay("127.0.0.1", gone.port, weight=5)
    edition_id = make_edition(engine, *readers(20))

    async def main() -> Tally:
        return await make_run(engine, edition_id, dead, Relay("127.0.0.1", sink.port)).run()

    assert not asyncio.run(main()).stopped
    assert counts(engine, edition_id) == {"sent": 20}


def test_relays_share_the_mail_by_weight(engine: Engine, sink: Sink) -> None:
    edition_id = make_edition(engine, *readers(80))
    with running_sink() as heavy:

        async def main() -> Tally:
            relays = Relay("127.0.0.1", sink.port), Relay("127.0.0.1", heavy.port, weight=3)
            return await make_run(engine, edition_id, *relays, connections=8).run()

        asyncio.run(main())
        assert sink.connections == 2
        assert heavy.connections == 6


def test_damaged_rows_fail_alone_and_say_why(engine: Engine, sink: Sink) -> None:
    edition_id = make_edition(engine, *readers(3), "nul@there.example", "line@there.example")
    with session_scope(engine) as session:
        lone = factories.make_paper(session, 77)
        subscriber = factories.make_subscriber(session, "unread@there.example")
        edition = session.get_one(Edition, edition_id)
        factories.make_digest(session, edition, subscriber, [lone])
        session.exec(delete(EditionPaper).where(col(EditionPaper.paper_id) == lone.id))
        for address, bad in (
            ("nul@there.example", "n\x01l@there.example"),
            ("line@there.example", "x@there.example>\r\nRCPT TO:<y@there.example"),
        ):
            found = session.exec(select(Delivery).where(Delivery.to_address == address)).one()
            found.to_address = bad
    send(engine, edition_id, sink)
    assert counts(engine, edition_id) == {"sent": 3, "failed": 3}
    assert sink.recipients() == readers(3)
    with read_scope(engine) as session:
        failed = session.exec(select(Delivery).where(Delivery.status == "failed")).all()
        said = {delivery.to_address: delivery.smtp_response for delivery in failed}
    assert said["unread@there.example"].startswith("its digest cannot be read: KeyError")
    assert all(said.values())


def test_confirmations_go_out_without_an_edition(engine: Engine, sink: Sink) -> None:
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        subscriber = factories.make_subscriber(
            session, status=SubscriberStatus.PENDING, confirmed_at=None, link_generation=3
        )
        public_id = subscriber.public_id
        for kind in (DeliveryKind.CONFIRMATION, DeliveryKind.ACCOUNT_LINK):
            factories.make_delivery(session, edition, subscriber, edition_id=None, kind=kind)
    assert send(engine, None, sink).outcomes[DeliveryStatus.SENT] == 2
    bodies = [message.get_body(("plain",)) for message in sink.messages()]
    # The link to the account is of after she signed out everywhere; that to confirm opens once.
    assert [f"{public_id}:3" in body.get_content() for body in bodies if body] == [False, True]


def test_a_reader_who_leaves_while_a_slow_relay_works_gets_nothing(
    engine: Engine, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay is down when the run begins; somebody leaves; then it is up."""
    monkeypatch.setattr(relay_health, "PATIENCE", 20.0)
    edition_id = make_edition(engine, *readers(4))
    relay = Relay("127.0.0.1", sink.port)

    async def main() -> None:
        one = make_run(engine, edition_id, Relay("127.0.0.1", 1), connections=1)
        task = asyncio.create_task(one.run())
        await asyncio.sleep(0.5)
        with session_scope(engine) as session:
            leaver = session.exec(
                select(Subscriber).where(Subscriber.email == "reader0@there.example")
            ).one()
            leaver.status = SubscriberStatus.UNSUBSCRIBED
        one._transport.__self__.relays = [relay]  # type: ignore[attr-defined]
        await task

    asyncio.run(main())
    assert sink.recipients() == readers(4)[1:]
    assert counts(engine, edition_id) == {"sent": 3, "suppressed": 1}


def test_rows_of_a_killed_process_are_settled_by_its_flight_log(
    engine: Engine, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edition_id = make_edition(engine, *readers(4))
    dead = f"{lease_owner.machine()}:999999999:1:0badcafe"
    now = utc_now()
    with session_scope(engine) as session:
        ids = ledger.claim(session, edition_id, owner=dead, now=now, limit=9)
        ledger.begin(session, ids[:3], owner=dead, now=now)
    log = flight_log.FlightLog(flight_log.folder_for(engine), dead)
    log.open()
    log.started(ids[0], 1)
    log.started(ids[1], 1)
    log.finished(Result(ids[0], 1, DeliveryStatus.SENT, 250, "kept", now))
    with session_scope(engine) as session:
        ledger.postpone(session, {}, owner=dead)
    send(engine, edition_id, sink)
    # The first was answered, the second was in the air, the others nobody had heard of.
    assert sink.recipients() == readers(4)[1:]
    with read_scope(engine) as session:
        rows = session.exec(select(Delivery).order_by(col(Delivery.id))).all()
    assert [(r.attempts, r.resends) for r in rows] == [(1, 0), (2, 1), (1, 0), (1, 0)]
    assert Counter(r.status for r in rows) == {DeliveryStatus.SENT: 4}
    assert not list(tmp_path.glob("*.flight")), "logs go when they are used"


def test_a_resend_that_no_relay_heard_of_is_still_to_come(
    engine: Engine, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edition_id = make_edition(engine, *readers(2))
    dead = f"{lease_owner.machine()}:999999999:1:0badcafe"
    now = utc_now()
    log = flight_log.FlightLog(flight_log.folder_for(engine), dead)
    log.open()
    with session_scope(engine) as session:
        first, second = ledger.claim(session, edition_id, owner=dead, now=now, limit=9)
        ledger.begin(session, [first, second], owner=dead, now=now)
        lost = [
            Result(number, 1, DeliveryStatus.UNCERTAIN, 0, "lost", now)
            for number in (first, second)
        ]
        for result in lost:
            log.started(result.delivery_id, 1)
            log.finished(result)
        ledger.record(session, lost, owner=dead)
        # The same run begins both anew; it dies before the first is handed over, and when it has
        # found no relay for the second.
        ledger.claim(session, edition_id, owner=dead, now=now, limit=9)
        ledger.begin(session, [first, second], owner=dead, now=now)
    log.started(second, 2)
    log.withdrawn(second, 2)
    send(engine, edition_id, sink)
    assert sink.recipients() == readers(2)
    assert counts(engine, edition_id) == {"sent": 2}


def test_pipelined_but_unsent_messages_are_put_back(engine: Engine) -> None:
    edition_id = make_edition(engine, *readers(30))
    with running_chaos_sink(seed=0) as relay:
        relay.calm = True
        one = make_run(engine, edition_id, Relay("127.0.0.1", relay.port), connections=1)
        transport = one._transport()

        class Stopping(Transport):
            """Stops the run while a message goes out that another was announced with."""

            async def send(self, envelope: Envelope, following: Envelope | None = None) -> str:
                if following is not None:
                    one.stop.set()
                return await transport.send(envelope, following)

            async def close(self) -> None:
                await transport.close()

        one._transport = Stopping
        asyncio.run(one.run())
        sent = len(relay.taken)
        assert sent < 30
        assert relay.heard == sent + 1
        assert counts(engine, edition_id) == {"sent": sent, "queued": 30 - sent}
        asyncio.run(make_run(engine, edition_id, Relay("127.0.0.1", relay.port)).run())
        assert sorted(each.recipient for each in relay.taken) == sorted(readers(30))


def test_a_reader_who_leaves_during_the_message_before_gets_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    edition_id = make_edition(engine, *readers(30))
    monkeypatch.setattr(run, "FRESH_SECONDS", 0.2)
    left: list[str] = []
    with running_chaos_sink(seed=0) as relay:
        relay.calm = True
        one = make_run(engine, edition_id, Relay("127.0.0.1", relay.port), connections=2)
        ordinary = one._transport

        class Hanging(Transport):
            """Once, when another message is to follow, its reader leaves and the relay is slow."""

            def __init__(self) -> None:
                self._transport = ordinary()

            async def send(self, envelope: Envelope, following: Envelope | None = None) -> str:
                answer = await self._transport.send(envelope, following)
                if following is not None and not left:
                    left.append(following.recipient)
                    with session_scope(engine) as session:
                        leaver = session.exec(
                            select(Subscriber).where(Subscriber.email == following.recipient)
                        ).one()
                        leaver.status = SubscriberStatus.UNSUBSCRIBED
                    await asyncio.sleep(0.4)
                return answer

            async def close(self) -> None:
                await self._transport.close()

        one._transport = Hanging
        asyncio.run(one.run())
        [leaver] = left
        others = set(readers(30)) - {leaver}
        assert sorted(each.recipient for each in relay.taken) == sorted(others)
    assert counts(engine, edition_id) == {"sent": 29, "suppressed": 1}


def test_a_run_renews_its_leases_while_a_relay_takes_its_time(
    engine: Engine, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    edition_id = make_edition(engine, *readers(1))
    monkeypatch.setattr(run, "RENEW_SECONDS", 0.0)
    until: list[Any] = []

    async def main() -> None:
        one = make_run(engine, edition_id, Relay("127.0.0.1", sink.port))
        answered = asyncio.Event()

        class Slow(Transport):
            async def send(self, envelope: Envelope, following: Envelope | None = None) -> str:
                await answered.wait()
                return "250 at last"

            async def close(self) -> None:
                pass

        one._transport = Slow
        sending = asyncio.create_task(one.run())
        while len(set(until)) < 3:
            await asyncio.sleep(0.05)
            until.append(row(engine, readers(1)[0]).lease_until)
        answered.set()
        await sending

    asyncio.run(main())
    assert row(engine, readers(1)[0]).status is DeliveryStatus.SENT


def test_a_flight_log_of_another_boot_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = flight_log.FlightLog(tmp_path, "machine/boot/space:1:1:abc")
    log.open()
    log.started(1, 1)
    assert flight_log.read(tmp_path, log.owner) is not None
    monkeypatch.setattr(lease_owner, "boot", lambda: "another")
    assert flight_log.read(tmp_path, log.owner) is None


def test_owners_on_this_machine_are_known_to_live_or_to_be_dead(engine: Engine) -> None:
    alive = lease_owner.new_owner()
    gone = f"{lease_owner.machine()}:999999999:123:abc"
    reused = f"{':'.join(alive.split(':')[:2])}:1:abc"
    elsewhere = "another/boot/space:1:1:abc"
    assert lease_owner.dead(engine, [alive, gone, reused, elsewhere]) == [gone, reused]
    lease_owner.forget(alive)
    assert lease_owner.dead(engine, [alive]) == [alive]


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1)])
def test_a_clock_that_jumps_in_mid_run_loses_and_doubles_nothing(
    engine: Engine, sink: Sink, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    edition_id = make_edition(engine, *readers(30))

    def clock() -> datetime:
        return utc_now() + (jump if len(sink.accepted) > 5 else timedelta(0))

    for module in (run, shared_clock, attempt):
        monkeypatch.setattr(module, "utc_now", clock)
    send(engine, edition_id, sink, connections=2)
    monkeypatch.undo()
    send(engine, edition_id, sink)
    assert counts(engine, edition_id) == {"sent": 30}
    assert sorted(sink.recipients()) == sorted(readers(30))


def test_a_database_that_is_locked_for_a_while_only_delays_the_run(
    sqlite_engine: Engine, sink: Sink
) -> None:
    edition_id = make_edition(sqlite_engine, *readers(10))
    path = sqlite_engine.url.database or ""
    locked, free = threading.Event(), threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        locked.set()
        free.wait(1)
        connection.execute("ROLLBACK")
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    send(sqlite_engine, edition_id, sink)
    holder.join()
    assert counts(sqlite_engine, edition_id) == {"sent": 10}


@pytest.mark.usefixtures("impatient")
def test_a_database_lost_in_mid_run_ends_it_with_a_line_and_the_next_run_loses_nothing(
    sqlite_engine: Engine, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    edition_id = make_edition(sqlite_engine, *readers(40))
    taken = sqlite_engine.url.database or ""
    monkeypatch.setattr(run, "GROUP", 10)

    async def main() -> None:
        one = make_run(sqlite_engine, edition_id, Relay("127.0.0.1", sink.port), connections=1)

        def break_it(tally: Tally) -> None:
            if tally.done == 7:
                sqlite_engine.dispose()
                Path(taken).rename(f"{taken}.away")
                Path(taken).mkdir()

        one.on_progress = break_it
        await one.run()

    with pytest.raises(StoppedError, match="the database cannot be used"):
        asyncio.run(main())
    Path(taken).rmdir()
    Path(f"{taken}.away").rename(taken)
    accepted = len(sink.accepted)
    assert accepted >= 7
    send(sqlite_engine, edition_id, sink)
    assert counts(sqlite_engine, edition_id) == {"sent": 40}
    assert sorted(sink.recipients()) == sorted(readers(40)), "not even one copy"
