"""Workers on hosts that die, freeze, lose the database or the relay, or have a wrong clock.

The short form runs with the other tests; `make chaos` runs more rounds (CHAOS_KILLS).
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, make_url, text
from sqlmodel import Session, col, select

from newsletter.cluster import queue
from newsletter.cluster.site import Site
from newsletter.cluster.tasks import open_queue
from newsletter.cluster.worker import NewsletterWorker
from newsletter.core import database
from newsletter.core.config import Settings, load_settings
from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import (
    Delivery,
    DeliveryStatus,
    Edition,
    EditionStatus,
    Paper,
    Subscriber,
    SubscriberStatus,
)
from newsletter.sending import ledger
from tests.support import factories
from tests.support.chaos_sink import ChaosSink, running_chaos_sink
from tests.support.database_proxy import DatabaseProxy, running_proxy
from tests.support.hosts import Host, Network, network, wait_until

ROUNDS = max(1, int(os.environ.get("CHAOS_KILLS", "4")) // 4)
SEED = int(os.environ.get("CHAOS_SEED", "20261128"))
HOSTS, CONNECTIONS = 4, 4
# Enough that there is mail in every round: the hosts send some forty a second.
READERS = 120 if ROUNDS == 1 else 240 * ROUNDS
RATE = 40.0  # a second, over all hosts: slow enough that every mishap comes in the midst of it


def site_settings(url: str, relay: str, port: int) -> Settings:
    return load_settings(
        database_url=url,
        smtp_url=f"smtp://{relay}:{port}?starttls=false&timeout=2",
        from_address="papers@site.example",
        secret_keys=("0f9b8c7d6e5a41322334455667788990aabbccddeeff0011",),
        base_url="https://papers.example",
        sources=(),
        rate=RATE,
    )


def worker(settings: Settings, clock: timedelta = timedelta()) -> Callable[[], None]:
    """The life of a worker; its clock may be wrong."""

    def live() -> None:
        right = database.utc_now
        for name, module in list(sys.modules.items()):
            if name.startswith("newsletter.") and vars(module).get("utc_now") is right:
                vars(module)["utc_now"] = lambda: right() + clock
        site = Site(settings, database.connect(settings.database_url))
        with Path("worker.log").open("a", buffering=1, encoding="utf-8") as log:
            work = NewsletterWorker(site, concurrency=2, say=lambda line: print(line, file=log))
            asyncio.run(work.run())

    return live


def add_readers(session: Session, edition: Edition, papers: list[Paper]) -> None:
    for number in range(READERS):
        name = "nobody" if number % 20 == 7 else "reader"
        # On vacation: these workers prepare no other edition for them meanwhile.
        address = f"{name}{number}@there{number % 3}.example"
        person = factories.make_subscriber(session, address, vacation_until=date(2099, 1, 1))
        factories.make_digest(session, edition, person, papers)


def put_shares(engine: Engine, edition_id: int, first: int) -> None:
    async def put() -> None:
        async with open_queue(engine) as app:
            for share in range(first, first + HOSTS):
                lock = f"send:edition:{edition_id}:{share}"
                await queue.put(app, "send", lock, kind="edition", number=edition_id, share=share)

    asyncio.run(put())


def age_leases(engine: Engine) -> None:
    """Let ten minutes pass for those who hold a lease now."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE delivery SET lease_until = now() - interval '1 s' WHERE id IN "
                "(SELECT id FROM delivery WHERE lease_until IS NOT NULL ORDER BY id FOR UPDATE)"
            )
        )


def unsubscribe_some(engine: Engine, draw: random.Random, count: int) -> set[int]:
    """Who leaves before their mail has begun."""
    with session_scope(engine) as session:
        waiting = session.exec(
            select(Subscriber)
            .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
            .where(Delivery.status == DeliveryStatus.QUEUED, Delivery.attempts == 0)
        ).all()
        leavers = draw.sample(list(waiting), min(count, len(waiting)))
        for person in leavers:
            person.status = SubscriberStatus.UNSUBSCRIBED
        ids = {person.id or 0 for person in leavers}
    with read_scope(engine) as session:
        return set(
            session.exec(
                select(Delivery.subscriber_id).where(
                    col(Delivery.subscriber_id).in_(ids), Delivery.attempts == 0
                )
            )
        )


def sent(engine: Engine) -> int:
    with read_scope(engine) as session:
        return len(session.exec(select(Delivery.id).where(Delivery.status == "sent")).all())


def hurt(
    net: Network,
    start: Callable[[Host, int], None],
    engine: Engine,
    proxy: DatabaseProxy,
    loop: asyncio.AbstractEventLoop,
    draw: random.Random,
) -> int:
    """Every mishap once, each to another host; returns how many may cost copies."""
    victim, frozen, lonely, mute = draw.sample(net.hosts, HOSTS)
    before = sent(engine)
    wait_until(lambda: sent(engine) > before + 4, what="mail at the start")
    frozen.send_signal(signal.SIGSTOP)
    lonely.cut_off_from(net.database)
    mute.cut_off_from(net.relay)
    victim.kill()
    start(victim, net.hosts.index(victim))
    time.sleep(3)
    frozen.send_signal(signal.SIGCONT)
    lonely.heal(net.database)
    mute.heal(net.relay)
    proxy.restart(loop)
    time.sleep(1)
    proxy.is_down = False
    return HOSTS + HOSTS  # one host each, and all of them when the database restarts


@pytest.mark.timeout(120 + 90 * ROUNDS)
def test_hosts_die_freeze_and_are_cut_off_and_everybody_gets_one_mail_all_the_same(
    queue_engine: Engine, tmp_path: Path
) -> None:
    draw = random.Random(SEED)
    with session_scope(queue_engine) as session:
        edition = factories.make_edition(
            session, status=EditionStatus.SENDING, opened_at=database.utc_now()
        )
        papers = [factories.make_paper(session, number) for number in range(1, 3)]
        add_readers(session, edition, papers)
        edition_id = edition.id or 0
    url = make_url(queue_engine.url.render_as_string(hide_password=False))
    queue_engine.dispose()
    with (
        network(HOSTS, tmp_path) as net,
        running_chaos_sink(SEED, net.relay) as sink,
        running_proxy(f"{url.query['host']}/.s.PGSQL.5432", net.database) as (proxy, loop),
    ):
        sink.calm = True
        away = (
            f"postgresql://{quote(url.username or '')}@{net.database}:{proxy.port}/{url.database}"
            "?tcp_user_timeout=2000&connect_timeout=2"
        )
        settings = site_settings(away, net.relay, sink.port)

        def start(host: Host, number: int) -> None:
            # The last host's clock is ten minutes ahead.
            ahead = timedelta(minutes=10) if number == HOSTS - 1 else timedelta()
            host.start(worker(settings, ahead))

        mishaps = 0
        left: set[int] = set()
        for number, host in enumerate(net.hosts):
            start(host, number)
        for turn in range(ROUNDS):
            put_shares(queue_engine, edition_id, 10 * turn)
            left |= unsubscribe_some(queue_engine, draw, 5)
            mishaps += hurt(net, start, queue_engine, proxy, loop, draw)
        finish(queue_engine, edition_id)
        for host in net.hosts:
            host.send_signal(signal.SIGTERM)
        logs = "".join(path.read_text() for path in tmp_path.glob("host*/worker.log"))
        check(queue_engine, sink, left, mishaps, logs)


def finish(engine: Engine, edition_id: int) -> None:
    """Until nothing is left to send: what dead hosts held is given to others, as after a while."""

    def is_done() -> bool:
        with read_scope(engine) as session:
            return not ledger.is_unfinished(session, edition_id)

    for turn in range(30 * ROUNDS):
        put_shares(engine, edition_id, 1000 + 10 * turn)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            if is_done():
                return
            time.sleep(0.1)
        if turn:
            age_leases(engine)
        with session_scope(engine) as session:
            ledger.requeue(session, edition_id, (DeliveryStatus.DEFERRED, DeliveryStatus.UNCERTAIN))
    pytest.fail("it never ends")


def check(engine: Engine, sink: ChaosSink, left: set[int], mishaps: int, logs: str) -> None:
    with read_scope(engine) as session:
        rows = session.exec(select(Delivery)).all()
    by_recipient = defaultdict(list)
    for taken in sink.taken:
        by_recipient[taken.recipient].append(taken)
    for row in rows:
        got = by_recipient.get(row.to_address, [])
        if row.status is DeliveryStatus.SENT:
            assert got, f"{row.to_address} is said to be sent: {row.smtp_response}"
        elif row.status is DeliveryStatus.FAILED:
            assert row.to_address.startswith("nobody"), row.smtp_response
        else:
            assert row.status is DeliveryStatus.SUPPRESSED, (row.to_address, row.status)
        if row.subscriber_id in left:
            assert not got, f"{row.to_address} had left before the mail was begun"
        assert {taken.message_id for taken in got} <= {row.message_id}
        assert len({taken.digest for taken in got}) <= 1
    copies = sum(len(got) - 1 for got in by_recipient.values())
    counts = Counter(row.status.value for row in rows)
    print(f"\n{mishaps} mishaps, {len(sink.taken)} mails, {copies} copies, {dict(counts)}")
    assert sum(counts.values()) == READERS
    assert copies <= CONNECTIONS * mishaps
    assert "Traceback" not in logs
