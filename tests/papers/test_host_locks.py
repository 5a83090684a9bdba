"""Turns at a host: one request at a time, and a pause, over all processes."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from newsletter.core.errors import FetchError
from newsletter.papers.host_locks import DatabaseTurns, place_of


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = datetime(2026, 9, 24, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += timedelta(seconds=max(seconds, 0.01))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def turns(engine: Engine, clock: Clock) -> DatabaseTurns:
    """As one process has them; another one has others, on the same database."""
    return DatabaseTurns(engine, now=clock, sleep=clock.sleep)


def waited(engine: Engine, clock: Clock, host: str) -> float:
    """Seconds until a turn came."""
    before = clock()
    with turns(engine, clock).take(host):
        return (clock() - before).total_seconds()


def test_arxiv_is_asked_once_in_three_seconds_whichever_of_its_hosts(
    engine: Engine, clock: Clock
) -> None:
    assert place_of("export.arxiv.org") == place_of("oaipmh.arxiv.org") == "arxiv.org"
    assert place_of("notarxiv.org") == "notarxiv.org"
    waits = [
        waited(engine, clock, host)
        for host in ("export.arxiv.org", "rss.arxiv.org", "oaipmh.arxiv.org")
    ]
    assert waits[0] == 0
    assert all(wait >= 3 for wait in waits[1:])


def test_hosts_do_not_wait_for_each_other(engine: Engine, clock: Clock) -> None:
    assert waited(engine, clock, "export.arxiv.org") == 0
    assert waited(engine, clock, "huggingface.co") == 0
    assert waited(engine, clock, "huggingface.co") >= 1


def test_the_pause_begins_when_the_answer_is_there(engine: Engine, clock: Clock) -> None:
    with turns(engine, clock).take("export.arxiv.org"):
        clock.sleep(20)
    assert waited(engine, clock, "export.arxiv.org") >= 3


def test_while_one_process_asks_no_other_does(engine: Engine, clock: Clock) -> None:
    with turns(engine, clock).take("export.arxiv.org") as turn:
        for _ in range(12):
            clock.sleep(10)
            turn.keep()
        # Two minutes in, and still nobody else's turn.
        began = clock()
        other = turns(engine, clock).take("export.arxiv.org")
        other.__enter__()
        assert (clock() - began).total_seconds() > 60
        other.__exit__(None, None, None)


def test_a_process_that_was_killed_holds_the_others_up_for_its_lease_only(
    engine: Engine, clock: Clock
) -> None:
    killed = turns(engine, clock).take("export.arxiv.org")
    killed.__enter__()
    assert 60 <= waited(engine, clock, "export.arxiv.org") <= 90


def test_a_pause_the_host_asked_for_holds_for_everybody(engine: Engine, clock: Clock) -> None:
    with turns(engine, clock).take("api.crossref.org") as turn:
        turn.ask_not_before(clock() + timedelta(seconds=90))
    assert 89 <= waited(engine, clock, "api.crossref.org") <= 91


def test_a_pause_longer_than_a_run_waits_is_said_and_left_to_a_later_run(
    engine: Engine, clock: Clock
) -> None:
    with turns(engine, clock).take("api2.openreview.net") as turn:
        turn.ask_not_before(clock() + timedelta(hours=1))
    with (
        pytest.raises(FetchError, match="not to be asked before 2026-09-24 09:00 UTC"),
        turns(engine, clock).take("api2.openreview.net"),
    ):
        pass
    clock.sleep(3601)
    assert waited(engine, clock, "api2.openreview.net") == 0
