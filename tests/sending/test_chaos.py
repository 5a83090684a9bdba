"""Senders killed at random moments, a relay that misbehaves: nobody missing, no needless copy.

The short form runs with the other tests; `make chaos` runs it for longer (CHAOS_KILLS).
"""

import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import (
    Delivery,
    DeliveryStatus,
    Edition,
    EditionStatus,
    Paper,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.sending import ledger as deliveries
from tests.support import factories
from tests.support.chaos_sink import ChaosSink, running_chaos_sink
from tests.support.strict_relay import running_strict_relay

KILLS = int(os.environ.get("CHAOS_KILLS", "6"))
SEED = int(os.environ.get("CHAOS_SEED", "20261120"))
BATCH = 80
ROOT = Path(__file__).parents[2]
CONNECTIONS = 4
DATE = factories.ISSUE_DATE.isoformat()


class Nursery:
    """Senders on demand; see chaos_nursery.py."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.chaos_nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
            cwd=Path(environment["SENDER_LOG"]).parent,
        )
        self._started: queue.Queue[int] = queue.Queue()
        self._codes: dict[int, int] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            what, *numbers = line.split()
            if what == "started":
                self._started.put(int(numbers[0]))
            else:
                self._codes[int(numbers[0])] = int(numbers[1])

    def start(self, *arguments: str) -> int:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        return self._started.get(timeout=60)

    def code(self, sender: int, seconds: float = 120) -> int:
        """The sender's exit code, waited for."""
        until = time.monotonic() + seconds
        while sender not in self._codes:
            assert time.monotonic() < until, f"sender {sender} does not end"
            time.sleep(0.01)
        return self._codes[sender]

    def is_running(self, sender: int) -> bool:
        return sender not in self._codes

    def kill(self, sender: int) -> bool:
        """Kill it as hard as can be; whether it was running still."""
        if not self.is_running(sender):
            return False
        os.kill(sender, signal.SIGKILL)
        return self.code(sender) == -signal.SIGKILL

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)


@pytest.fixture
def sink() -> Iterator[ChaosSink]:
    with running_chaos_sink(SEED) as sink:
        yield sink


@pytest.fixture
def nursery(
    sink: ChaosSink, engine: Engine, database_url: str, tmp_path: Path
) -> Iterator[Nursery]:
    environment = {
        "NEWSLETTER_DATABASE_URL": database_url,
        "NEWSLETTER_SMTP_URL": f"smtp://127.0.0.1:{sink.port}?timeout=1",
        "NEWSLETTER_FROM": "papers@site.example",
        "NEWSLETTER_SECRET_KEYS": "a key that only tests know 0123456789",
        "SENDER_LOG": str(tmp_path / "senders.log"),
    }
    nursery = Nursery(environment)
    yield nursery
    nursery.close()


@pytest.fixture
def edition_id(engine: Engine) -> int:
    with session_scope(engine) as session:
        edition = factories.make_edition(session, status=EditionStatus.READY)
        for number in range(1, 4):
            factories.make_paper(session, number)
        add_subscribers(session, edition)
        return edition.id or 0


def add_subscribers(session: Session, edition: Edition) -> None:
    """A batch with frozen digests; one in twenty has an address that the sink refuses."""
    papers = list(session.exec(select(Paper).order_by(col(Paper.id))))
    known = session.exec(select(func.count()).select_from(Subscriber)).one()
    for number in range(known, known + BATCH):
        name = "nobody" if number % 20 == 7 else "reader"
        subscriber = factories.make_subscriber(session, f"{name}{number}@there.example")
        factories.make_digest(session, edition, subscriber, papers)


def keep_busy(engine: Engine, edition_id: int) -> None:
    """More to send when little is left, so that every kill comes in the midst of it."""
    with session_scope(engine) as session:
        if deliveries.statuses(session, edition_id)[DeliveryStatus.QUEUED] < BATCH // 2:
            edition = session.get_one(Edition, edition_id)
            edition.status = EditionStatus.SENDING
            add_subscribers(session, edition)


def rows(engine: Engine) -> list[Delivery]:
    with read_scope(engine) as session:
        return list(session.exec(select(Delivery).order_by(col(Delivery.id))))


def unsubscribe_somebody(engine: Engine, draw: random.Random) -> int | None:
    """One of those whose mail has not begun leaves, while others' is going out; who it is."""
    with session_scope(engine) as session:
        waiting = session.exec(
            select(Subscriber)
            .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
            .where(
                Subscriber.status == SubscriberStatus.ACTIVE,
                Delivery.status == DeliveryStatus.QUEUED,
                Delivery.attempts == 0,
            )
        ).all()
        if not waiting:
            return None
        leaver = draw.choice(waiting)
        leaver.status = SubscriberStatus.UNSUBSCRIBED
        return leaver.id


def not_begun(engine: Engine, leavers: set[int | None]) -> set[int]:
    """Those of them whose mail has not begun."""
    with read_scope(engine) as session:
        return set(
            session.exec(
                select(Delivery.subscriber_id).where(
                    col(Delivery.subscriber_id).in_(leavers - {None}), Delivery.attempts == 0
                )
            )
        )


def send_and_kill(
    nursery: Nursery,
    engine: Engine,
    sink: ChaosSink,
    edition_id: int,
    draw: random.Random,
    senders: int,
) -> tuple[int, set[int]]:
    """Keep senders running and kill one after the other.

    Returns how many were killed, and the subscribers who had left before their mail was begun.
    """
    arguments = ("send", "--date", DATE, "--connections", str(CONNECTIONS))
    running = [nursery.start(*arguments) for _ in range(senders)]
    kills = 0
    leavers: set[int | None] = set()
    left_in_time: set[int] = set()
    while kills < KILLS:
        keep_busy(engine, edition_id)
        # Some die before they have said a word to the relay, most in the midst of it.
        heard, until = sink.heard + draw.randrange(0, 25), time.monotonic() + 4
        while sink.heard < heard and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.03))
        victim = draw.randrange(senders)
        kills += nursery.kill(running[victim])
        # On PostgreSQL a mail may begin while its reader's leaving is not committed yet; that
        # is settled by the next round.
        left_in_time |= not_begun(engine, leavers)
        leavers = {unsubscribe_somebody(engine, draw)} if draw.random() < 0.5 else set()
        if draw.random() < 0.3:
            # What was deferred comes back at once instead of in five minutes.
            nursery.code(nursery.start("retry", "--date", DATE, "--status", "deferred"))
        running[victim] = nursery.start(*arguments)
    for sender in running:
        nursery.kill(sender)
    return kills + senders, left_in_time


def finish(nursery: Nursery, engine: Engine, edition_id: int) -> None:
    """Retries and resends until the edition is through."""
    for _ in range(20):
        for status in ("deferred", "uncertain"):
            assert nursery.code(nursery.start("retry", "--date", DATE, "--status", status)) == 0
        code = nursery.code(
            nursery.start("send", "--date", DATE, "--connections", str(CONNECTIONS))
        )
        with read_scope(engine) as session:
            counts = deliveries.counts(session, edition_id)
        if code in {0, 1} and not sum(counts[status] for status in deliveries.UNFINISHED):
            return
    pytest.fail(f"it never ends: {counts}")


@pytest.mark.timeout(120 + 6 * KILLS)
@pytest.mark.parametrize("senders", [1, 3], ids=["one sender", "three senders"])
def test_killed_again_and_again_nobody_is_missing_and_copies_are_explained(
    engine: Engine,
    nursery: Nursery,
    sink: ChaosSink,
    edition_id: int,
    senders: int,
    tmp_path: Path,
) -> None:
    draw = random.Random(SEED)
    kills, left_in_time = send_and_kill(nursery, engine, sink, edition_id, draw, senders)
    sink.calm = True
    finish(nursery, engine, edition_id)

    by_recipient = defaultdict(list)
    for taken in sink.taken:
        by_recipient[taken.recipient].append(taken)
    ledger = rows(engine)
    log = (tmp_path / "senders.log").read_text()

    # Nobody is missing, and nothing is claimed that did not happen.
    for row in ledger:
        got = by_recipient.get(row.to_address, [])
        if row.status is DeliveryStatus.SENT:
            assert got, f"{row.to_address} is said to be sent: {row.smtp_response}"
        elif row.status is DeliveryStatus.FAILED:
            assert row.to_address.startswith("nobody"), row.smtp_response
        else:
            assert row.status is DeliveryStatus.SUPPRESSED, (row.to_address, row.status)
            # Who left while the first mail's fate was unknown gets no second one.
            assert row.attempts or not got, f"{row.to_address} got a mail that never began"
        if row.subscriber_id in left_in_time:
            assert not got, f"{row.to_address} had left before the mail was begun"
        # Each copy is the same message, to the byte.
        assert {taken.message_id for taken in got} <= {row.message_id}
        assert len({taken.digest for taken in got}) <= 1

    # Counts conserve.
    counts = Counter(row.status for row in ledger)
    assert counts[DeliveryStatus.SENT] + counts[DeliveryStatus.FAILED] + counts[
        DeliveryStatus.SUPPRESSED
    ] == len(ledger)
    with read_scope(engine) as session:
        assert session.get_one(Edition, edition_id).status is EditionStatus.SENT

    # Copies: the sink hid its answer, or a kill came while the message was in its hands.
    copies = sum(len(got) - 1 for got in by_recipient.values())
    hidden = sum(not taken.answered for taken in sink.taken)
    print(
        f"\n{engine.dialect.name}, {senders} senders: {kills} kills, {len(sink.taken)} mails to "
        f"{len(ledger)} subscribers, {copies} copies ({hidden} answers hidden by the sink), "
        f"missing 0, {counts[DeliveryStatus.SUPPRESSED]} suppressed "
        f"({len(left_in_time)} left before their mail began), mischief "
        f"{sum(sink.mischief.values())}"
    )
    assert copies <= hidden + CONNECTIONS * kills
    assert "Traceback" not in log

    # A last run finds nothing to do.
    before = len(sink.taken)
    nursery.code(nursery.start("send", "--date", DATE))
    assert len(sink.taken) == before


RELAYS = [
    "sender refused",
    "sender refused at MAIL",
    "account refused",
    "greylisting",
    "throttling",
    "slow after the dot",
    "421 after three",
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", RELAYS)
def test_no_reader_pays_when_a_relay_refuses_delays_or_slows_mail(
    engine: Engine, database_url: str, edition_id: int, tmp_path: Path, how: str
) -> None:
    """A sender is killed on the way; when the relay is put right, everybody gets one mail."""
    with session_scope(engine) as session:
        for row in session.exec(select(Delivery)):
            if row.to_address.startswith("nobody"):
                row.to_address = row.to_address.replace("nobody", "reader-")
    slow = 0.5 if how == "slow after the dot" else 0.0
    with running_strict_relay(how, slow=slow) as relay:
        nursery = Nursery(
            {
                "NEWSLETTER_DATABASE_URL": database_url,
                "NEWSLETTER_SMTP_URL": f"smtp://127.0.0.1:{relay.port}",
                "NEWSLETTER_FROM": "papers@site.example",
                "NEWSLETTER_SECRET_KEYS": "a key that only tests know 0123456789",
                "SENDER_LOG": str(tmp_path / "senders.log"),
            }
        )
        arguments = ("send", "--date", DATE, "--connections", str(CONNECTIONS))
        try:
            victim = nursery.start(*arguments)
            until = time.monotonic() + 5
            while not (relay.taken or relay.refused) and time.monotonic() < until:
                time.sleep(0.01)
            kills = int(nursery.kill(victim))
            codes = [nursery.code(nursery.start(*arguments))]
            with read_scope(engine) as session:
                paused = session.get_one(Edition, edition_id).status is EditionStatus.PAUSED
            assert paused is ("refused" in how)
            refused = sum(relay.refused.values())
            relay.calm = how not in {"throttling", "421 after three", "greylisting"}
            relay.slow = 0.0
            for _ in range(6):
                codes.append(nursery.code(nursery.start(*arguments)))
                nursery.code(nursery.start("retry", "--date", DATE, "--status", "deferred"))
                if codes[-1] == 0:
                    break
        finally:
            nursery.close()
        with read_scope(engine) as session:
            suppressed = session.exec(select(func.count()).select_from(Suppression)).one()
        ledger = rows(engine)
        copies = sum(number - 1 for number in relay.copies.values())
        print(
            f"\n{engine.dialect.name}, {how}: {kills} kill, exit codes {codes}, {refused} refusals "
            f"before it was put right, {len(relay.taken)} mails to {len(ledger)} subscribers, "
            f"{copies} copies, {len(ledger) - len(relay.copies)} missing, {suppressed} suppressed"
        )
        assert suppressed == 0
        assert {row.status for row in ledger} == {DeliveryStatus.SENT}
        assert set(relay.copies) == {row.to_address for row in ledger}
        # A kill may cost one copy of what was in the relay's hands.
        assert copies <= CONNECTIONS * kills
