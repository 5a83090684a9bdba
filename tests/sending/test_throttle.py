"""A relay that waits, slows mail down or hangs up is followed, and everybody gets one mail."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col, func, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import SettingsError
from newsletter.core.models import (
    Delivery,
    Edition,
    EditionStatus,
    Pace,
    Subscriber,
    Suppression,
)
from newsletter.core.refusals import asks_to_slow_down
from newsletter.sending.mailer import relay_pace
from newsletter.sending.mailer.db_executor import DatabaseLine
from newsletter.sending.mailer.shared_clock import SharedClock
from newsletter.sending.mailer.throttle import MOST_IN_A_ROW, Throttle
from newsletter.sending.transports import smtp_protocol
from newsletter.sending.transports.smtp import parse_relay
from tests.cli.test_send_command import DATE, Command, counts, fill
from tests.support.strict_relay import running_strict_relay

READERS = [f"reader{number}@there{number % 3}.example" for number in range(40)]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (454, "Throttling failure: Maximum sending rate exceeded."),
        (421, "4.7.0 [TSS04] Messages from 203.0.113.7 temporarily deferred"),
        (421, "4.7.28 Our system has detected an unusual rate of unsolicited mail"),
        (450, "4.2.1 The user you are trying to contact is receiving mail at a rate exceeded"),
        (452, "4.3.2 rate limit"),
        (451, "4.7.500 Server busy: too many connections from your IP"),
    ],
)
def test_a_relay_that_wants_less_is_understood(code: int, words: str) -> None:
    assert asks_to_slow_down(code, words)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (451, "4.7.1 Greylisted, please try again in 300 seconds"),
        (450, "4.2.0 mailbox busy"),
        (421, "4.3.2 shutting down"),
        (550, "5.7.1 rate limit"),
        (250, "2.0.0 rate limit"),
    ],
)
def test_one_that_wants_later_or_never_is_not_taken_for_it(code: int, words: str) -> None:
    assert not asks_to_slow_down(code, words)


NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
ONE, OTHER = "one.example:25", "other.example:25"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def asked(engine: Engine, relay: str, seconds: float, took: float = 8.0) -> float:
    with session_scope(engine) as session:
        return relay_pace.slow_down(session, relay, took, after(seconds))


def slots(
    engine: Engine, relay: str, seconds: float, *, taken: int = 0, limit: float | None = None
) -> tuple[float | None, list[float]]:
    with session_scope(engine) as session:
        found = relay_pace.reserve(
            session, relay, taken=taken, most=3, now=after(seconds), limit=limit
        )
    return found.rate, [(moment - NOW).total_seconds() for moment in found.given]


def slowed(engine: Engine, seconds: float) -> dict[str, float]:
    with read_scope(engine) as session:
        return relay_pace.slowed(session, after(seconds))


def test_a_relays_pace_halves_at_once_grows_with_each_message_and_is_forgotten(
    engine: Engine,
) -> None:
    assert slots(engine, ONE, 0) == (None, []), "nothing holds it back"
    assert asked(engine, ONE, 0) == 4.0
    assert asked(engine, ONE, 0.9) == 4.0, "what was under way meanwhile is of the same cause"
    assert asked(engine, ONE, 1.5) == 2.0
    assert slowed(engine, 2) == {ONE: 2.0}
    assert slots(engine, OTHER, 2) == (None, []), "another relay is none of its business"
    assert slots(engine, ONE, 2) == (2.0, [2.0])
    assert slots(engine, ONE, 2) == (2.0, [2.5]), "another sender's moment is half a second later"
    rate, given = slots(engine, ONE, 3, taken=20)
    assert rate == pytest.approx(4.0)
    assert given == pytest.approx([3.0, 3.25])
    assert slowed(engine, 61) == {ONE: 4.0}
    assert slowed(engine, 61.6) == {}, "a minute after it last asked"
    assert slots(engine, ONE, 61.6) == (None, [])
    assert asked(engine, ONE, 62, took=6) == 3.0, "from the start again"
    for second in range(20):
        slowest = asked(engine, ONE, 70 + 2 * second)
    assert slowest == relay_pace.SLOWEST
    assert slowed(engine, -5) == {}, "a moment to come is of a clock that was wrong"


def test_a_relay_with_a_rate_of_its_own_is_never_faster(engine: Engine) -> None:
    assert slots(engine, ONE, 0, limit=10) == (10, [0, 0.1, 0.2])
    assert slots(engine, ONE, 0, limit=10) == (10, [0.3, 0.4])
    assert asked(engine, ONE, 5, took=8) == 4.0
    assert slots(engine, ONE, 6, limit=10) == (4.0, [6.0, 6.25])
    assert slots(engine, ONE, 7, limit=10, taken=500)[0] == 10
    assert slots(engine, ONE, 99, limit=10)[0] == 10


def test_a_message_is_tried_four_times_more_and_a_relay_that_takes_nothing_is_hopeless(
    sqlite_engine: Engine,
) -> None:
    async def main() -> None:
        paces = relay_pace.RelayPaces(sqlite_engine, SharedClock(), {ONE: None, OTHER: 7.0})
        throttle = Throttle(paces, DatabaseLine(sqlite_engine))
        await throttle.hear()
        assert throttle.rates == {OTHER: 7.0}
        assert throttle.total is None
        for number in range(MOST_IN_A_ROW):
            assert not throttle.is_hopeless
            assert await throttle.slow_down(ONE, number)
        assert throttle.is_hopeless
        assert throttle.rates == {OTHER: 7.0, ONE: 1.0}
        assert throttle.total == 8.0
        throttle.taken(OTHER)
        assert not throttle.is_hopeless
        again = [await throttle.slow_down(ONE, 99) for _ in range(6)]
        assert again == [True] * 4 + [False] * 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("option", "rate"), [("rate=14", 14.0), ("rate=0.5/s", 0.5), ("weight=2", None)]
)
def test_a_relays_rate_is_read_from_its_url(option: str, rate: float | None) -> None:
    assert parse_relay(f"smtp://mail.example:25?{option}").rate == rate


@pytest.mark.parametrize("text", ["0", "-1", "fast", "1e9", "nan", "0.0", "14/m"])
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="rate must be messages a second"):
        parse_relay(f"smtp://mail.example:25?weight=1&rate={text}")


def test_of_two_relays_the_one_that_asks_is_spared_and_the_other_is_not(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    edition_id = fill(sqlite_engine, *READERS)
    with running_strict_relay("throttling") as strict, running_strict_relay() as calm:
        urls = " ".join(f"smtp://127.0.0.1:{relay.port}" for relay in (strict, calm))
        code, said = Command(sqlite_engine, urls, tmp_path).run("send", "--date", DATE)
        assert code == 0, said
        assert sorted(strict.taken + calm.taken) == sorted(READERS)
        assert strict.taken
        assert len(calm.taken) > len(strict.taken)
        with read_scope(sqlite_engine) as session:
            rows = session.exec(select(Pace).where(col(Pace.rate).is_not(None))).all()
        assert {row.name for row in rows} <= {f"relay:127.0.0.1:{strict.port}"}
    assert counts(sqlite_engine, edition_id) == {"sent": 40}


@pytest.mark.parametrize("how", ["throttling", "421 after three"])
def test_one_run_mails_everybody_once_at_the_relays_own_pace(
    sqlite_engine: Engine, tmp_path: Path, how: str
) -> None:
    edition_id = fill(sqlite_engine, *READERS)
    with running_strict_relay(how) as relay:
        newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{relay.port}", tmp_path)
        code, said = newsletter.run("send", "--date", DATE)
        assert code == 0, said
        assert sorted(relay.taken) == sorted(READERS)
        print(f"\n{how}: 40 mails, {sum(relay.refused.values())} refusals")
    assert counts(sqlite_engine, edition_id) == {"sent": 40}


def test_greylisting_pauses_nothing_and_the_timers_run_carries_on(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    edition_id = fill(sqlite_engine, *READERS)
    with session_scope(sqlite_engine) as session:
        # Whatever day it is: no digest of today's is due beside those that wait.
        session.execute(update(Subscriber).values(vacation_until=date.max))
    with running_strict_relay("greylisting") as relay:
        newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{relay.port}", tmp_path)
        assert newsletter.run("send", "--date", DATE)[0] == 1
        for _ in range(4):  # a domain that defers everything is left alone before the rest is tried
            with session_scope(sqlite_engine) as session:
                assert session.get_one(Edition, edition_id).status is not EditionStatus.PAUSED
                session.execute(
                    update(Delivery).values(not_before=utc_now()).where(
                        col(Delivery.not_before).is_not(None)
                    )
                )  # fmt: skip
            code, said = newsletter.run("send", "--due")
        assert code == 0, said
        assert sorted(relay.taken) == sorted(READERS)
    with read_scope(sqlite_engine) as session:
        assert session.exec(select(func.count()).select_from(Suppression)).one() == 0
    assert counts(sqlite_engine, edition_id) == {"sent": 40}


def test_a_relay_is_waited_for_as_long_as_the_standard_says() -> None:
    assert parse_relay("smtp://127.0.0.1:25").timeout is None
    assert (smtp_protocol.COMMAND_SECONDS, smtp_protocol.FINAL_DOT_SECONDS) == (300, 600)
    assert parse_relay("smtp://127.0.0.1:25?timeout=7").timeout == 7


def test_a_relay_that_is_slow_after_the_dot_gets_one_copy(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    edition_id = fill(sqlite_engine, "ada@there.example", "bob@there.example")
    with running_strict_relay(slow=3.0) as relay:
        newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{relay.port}", tmp_path)
        assert newsletter.run("send", "--date", DATE)[0] == 0
        assert sorted(relay.taken) == ["ada@there.example", "bob@there.example"]
    assert counts(sqlite_engine, edition_id) == {"sent": 2}
