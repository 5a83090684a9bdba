"""When to try again, how long a domain is left alone, and what a day of the warm-up may send."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from newsletter.core.database import session_scope
from newsletter.core.models import DeliveryStatus, Pace
from newsletter.sending.ledger import Result
from newsletter.sending.mailer import domain_pauses, rate_limit
from newsletter.sending.mailer.brake import Brake
from newsletter.sending.mailer.domain_pauses import DomainNews, DomainWatch
from newsletter.sending.mailer.retry_policy import retry_at

NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DEFERRED, SENT, FAILED = DeliveryStatus.DEFERRED, DeliveryStatus.SENT, DeliveryStatus.FAILED


def result(
    status: DeliveryStatus, code: int = 451, response: str = "", at: datetime = NOW
) -> Result:
    return Result(1, 1, status, code, response, at)


def watched(*results: Result) -> DomainWatch:
    watch = DomainWatch()
    for each in results:
        watch.note("there.example", each)
    return watch


@pytest.mark.parametrize(
    ("attempts", "minutes"),
    [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 180), (99, 180)],
)
def test_the_pause_doubles_up_to_three_hours_give_or_take_a_fifth(
    attempts: int, minutes: int
) -> None:
    for _ in range(50):
        moment = retry_at(attempts, NOW, NOW)
        assert moment
        assert minutes * 0.8 <= (moment - NOW) / MINUTE <= minutes * 1.2


def test_retries_of_a_crowd_are_spread() -> None:
    assert len({retry_at(1, NOW, NOW) for _ in range(20)}) > 10


def test_there_is_no_retry_after_twenty_hours() -> None:
    made = NOW - timedelta(hours=20)
    assert retry_at(1, made, NOW) is None
    assert retry_at(1, made + 3 * MINUTE, NOW) is None
    assert retry_at(1, made + 7 * MINUTE, NOW)


@pytest.mark.parametrize(
    ("deferred", "is_overwhelmed"), [(1, False), (4, False), (5, True), (6, True), (10, True)]
)
def test_a_domain_that_defers_five_in_a_row_is_overwhelmed(
    deferred: int, is_overwhelmed: bool
) -> None:
    watch = watched(*[result(DEFERRED)] * deferred)
    assert ("there.example" in watch.news().overwhelmed) is is_overwhelmed
    assert not watch.news().overwhelmed, "told once"


@pytest.mark.parametrize("other", [result(SENT, 250), result(FAILED, 550), result(DEFERRED, 0)])
def test_a_different_answer_resets_the_count(other: Result) -> None:
    watch = watched(*[result(DEFERRED)] * 4, other, *[result(DEFERRED)] * 4)
    assert not watch.news().overwhelmed
    watch = watched(*[result(DEFERRED)] * 5, other)
    assert not watch.news().overwhelmed, "it takes mail again before the others were told"


def overwhelmed(engine: Engine, now: datetime, *domains: str) -> dict[str, datetime]:
    with session_scope(engine) as session:
        domain_pauses.tell(session, DomainNews(overwhelmed=domains), now, NOW)
        return domain_pauses.paused(session, NOW, now)


def test_each_pause_of_a_domain_is_twice_as_long_up_to_half_an_hour(engine: Engine) -> None:
    now, minutes = NOW, []
    for _ in range(8):
        until = overwhelmed(engine, now, "there.example")["there.example"]
        assert overwhelmed(engine, now, "there.example") == {"there.example": until}, (
            "mail that was under way when the pause began makes it no longer"
        )
        minutes.append((until - now) / MINUTE)
        now = until
    assert minutes == [1, 2, 4, 8, 16, 30, 30, 30]
    found = overwhelmed(engine, now + timedelta(hours=2), "there.example", "other.example")
    later = now + timedelta(hours=2, minutes=1)
    assert found == {"there.example": later, "other.example": later}, "the first pause again"


def test_what_one_sender_was_told_of_a_domain_all_know_until_it_takes_mail(engine: Engine) -> None:
    watch = DomainWatch()
    assert watch.is_quiet
    watch.hear(overwhelmed(engine, NOW, "there.example"))
    assert not watch.is_quiet
    assert watch.paused_until("there.example", NOW) == NOW + MINUTE
    assert watch.paused_until("there.example", NOW + MINUTE) is None
    assert watch.paused_until("elsewhere.example", NOW) is None
    watch.note("elsewhere.example", result(SENT, 250))
    watch.note("there.example", result(SENT, 250))
    news = watch.news()
    assert set(news.open) == {"there.example"}
    with session_scope(engine) as session:
        domain_pauses.tell(session, news, NOW, NOW)
        assert domain_pauses.paused(session, NOW, NOW) == {}
    assert overwhelmed(engine, NOW, "there.example") == {"there.example": NOW + MINUTE}


def test_a_run_that_begins_later_asks_the_domain_again(engine: Engine) -> None:
    overwhelmed(engine, NOW, "there.example")
    overwhelmed(engine, NOW + 2 * MINUTE, "there.example")
    begun = NOW + 3 * MINUTE
    with session_scope(engine) as session:
        assert domain_pauses.paused(session, begun, begun) == {}
        news = DomainNews(overwhelmed={"there.example"})
        domain_pauses.tell(session, news, begun, begun)
        found = domain_pauses.paused(session, begun, begun)
        assert found == {"there.example": begun + MINUTE}, "its own first pause"
        before = NOW - timedelta(days=1)
        second = timedelta(seconds=1)
        assert domain_pauses.paused(session, NOW, begun - second) == found, "a clock behind"
        assert domain_pauses.paused(session, before, before) == {}, (
            "written before a clock was set back"
        )


def noted(brake: Brake, status: DeliveryStatus, code: int, response: str = "") -> bool:
    return brake.note(result(status, code, response), "there.example")


def test_ten_policy_refusals_among_twenty_are_a_storm_that_says_so_once() -> None:
    brake = Brake()
    for number in range(9):
        assert not noted(brake, FAILED, 550, f"5.7.1 number {number}")
        assert not noted(brake, SENT, 250, "ok")
        assert not noted(brake, FAILED, 0, "no answer counts neither way")
        assert not noted(brake, DEFERRED, 421, "4.7.0 what is tried again does not either")
    assert noted(brake, FAILED, 550, "5.7.1 the tenth")
    assert brake.reason.startswith("10 of the last 19 messages were refused by policy")
    assert brake.reason.endswith("550 5.7.1 the tenth")
    assert noted(brake, SENT, 250, "ok"), "a storm is not over with the next message"
    assert "the tenth" in brake.reason


def test_old_refusals_are_not_a_storm() -> None:
    brake = Brake()
    for _ in range(9):
        noted(brake, FAILED, 550, "5.7.1 no")
    for _ in range(12):
        noted(brake, SENT, 250)
    assert not noted(brake, FAILED, 550, "5.7.1 no")


WARM_UP = (2, 5, 9)


def share(engine: Engine, day: int, most: int = 100) -> int:
    with session_scope(engine) as session:
        now = NOW + timedelta(days=day)
        return rate_limit.reserve_today(session, WARM_UP, most=most, now=now)


def test_each_day_of_a_warm_up_has_its_share_and_then_there_is_no_limit(engine: Engine) -> None:
    assert [share(engine, 0, 1), share(engine, 0), share(engine, 0)] == [1, 1, 0]
    assert [share(engine, day) for day in (1, 2, 3)] == [5, 9, 100]


def test_a_day_without_mail_does_not_count_as_a_warm_up_day(engine: Engine) -> None:
    assert share(engine, 0) == 2
    # Taken, and given back since no relay had it; and a day on which nobody asked for any.
    assert share(engine, 1) == 5
    with session_scope(engine) as session:
        rate_limit.give_back_today(session, 5, now=NOW + timedelta(days=1))
    assert share(engine, 3, 0) == 0
    assert share(engine, 4) == 5, "the second day's share"


def test_returned_warm_up_messages_can_be_sent_the_same_day(engine: Engine) -> None:
    assert share(engine, 0) == 2
    with session_scope(engine) as session:
        rate_limit.give_back_today(session, 1, now=NOW)
    assert share(engine, 0) == 1
    with session_scope(engine) as session:
        rate_limit.give_back_today(session, 100, now=NOW)
    assert share(engine, 0) == 2


def moments(engine: Engine, rate: float, most: int, now: datetime, **more: int) -> list[float]:
    with session_scope(engine) as session:
        found = rate_limit.reserve_slots(session, "all", rate, most=most, now=now, **more)
    return [(moment - NOW).total_seconds() for moment in (*found.given, found.following)]


def test_moments_are_a_step_apart_and_given_away_once(engine: Engine) -> None:
    assert moments(engine, 10, 3, NOW) == [0, 0.1, 0.2, 0.3]
    assert moments(engine, 10, 9, NOW) == [0.3, 0.4, 0.5], "not further ahead than .4 s"
    assert moments(engine, 10, 9, NOW) == [0.5]
    assert moments(engine, 10, 9, NOW, at_least=1) == [0.5, 0.6]
    later = NOW + timedelta(seconds=60)
    assert moments(engine, 10, 2, later) == [60, 60.1, 60.2], "what was not used is lost"


@pytest.mark.parametrize(("days", "is_believed"), [(1.9, True), (2.1, False)])
def test_a_next_moment_of_a_wrong_clock_is_forgotten(
    engine: Engine, days: float, is_believed: bool
) -> None:
    with session_scope(engine) as session:
        session.add(Pace(name="all", next_at=NOW + timedelta(days=days)))
    [first, *_] = moments(engine, 10, 1, NOW)
    assert first == (days * 86_400 if is_believed else 0)


def test_a_rate_of_less_than_one_in_two_days_is_kept(engine: Engine) -> None:
    rate = 1 / (5 * 86_400)
    assert moments(engine, rate, 1, NOW) == [0, 5 * 86_400]
    assert moments(engine, rate, 1, NOW) == [5 * 86_400]
