"""A relay that waits, slows mail down or hangs up is followed, and everybody gets one mail."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col, func, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Delivery, Edition, EditionStatus, Subscriber, Suppression
from newsletter.core.refusals import asks_to_slow_down
from newsletter.sending.mailer.throttle import MOST_IN_A_ROW, SLOWEST, Throttle
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


def test_the_pace_halves_at_once_grows_by_steps_and_knows_when_it_is_hopeless() -> None:
    throttle = Throttle(rate=8.0)
    assert throttle.slow_down(1)
    assert throttle.rate == 4.0
    assert throttle.slow_down(2)
    assert throttle.rate == 4.0, "what was under way meanwhile is of the same cause"
    before = throttle.rate
    throttle.taken()
    assert before < throttle.rate < before + 1
    for number in range(MOST_IN_A_ROW):
        assert not throttle.is_hopeless
        throttle.slow_down(number)
    assert throttle.is_hopeless
    assert throttle.rate >= SLOWEST
    assert [throttle.slow_down(99) for _ in range(6)] == [True] * 4 + [False] * 2


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
