"""The trending order: upvotes and saves, halved for every two days of age."""

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import Feedback, Signal
from newsletter.papers import browse
from newsletter.papers.browse import Order
from tests.support.factories import make_paper, make_subscriber
from tests.support.visits import visit

FRIDAY = date(2026, 11, 20)
MONDAY = FRIDAY - timedelta(days=4)


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 8, tzinfo=UTC)


@given(st.integers(1, 10**6), st.integers(0, 1000), st.datetimes(timezones=st.just(UTC)))
def test_two_days_of_age_are_worth_twice_the_points(
    points: int, more: int, moment: datetime
) -> None:
    older = moment - browse.HALF_LIFE if moment.year > 1 else moment
    if older < moment:
        assert math.isclose(browse.trend(2 * points, older), browse.trend(points, moment))
    assert browse.trend(points + more, moment) >= browse.trend(points, moment)
    assert browse.trend(0, moment) < browse.trend(1, older)


def save(session: Session, paper: int, readers: int) -> None:
    for number in range(readers):
        reader = make_subscriber(session, f"reader-{paper}-{number}@reader.example")
        session.add(Feedback(subscriber_id=reader.id or 0, paper_id=paper, signal=Signal.SAVED))


@pytest.fixture
def week(engine: Engine) -> dict[str, int]:
    """Papers of a week, by what is special about each."""
    with session_scope(engine) as session:
        made = {
            "loved on Monday": (1, MONDAY, 39, 0),
            "liked on Friday": (2, FRIDAY, 10, 0),
            "saved by two": (3, FRIDAY, 0, 2),
            "saved by three": (4, FRIDAY, 8, 3),
            "nothing yet": (5, FRIDAY, 0, 0),
            "nothing on Monday": (6, MONDAY, 0, 0),
        }
        found = {}
        for name, (number, day, upvotes, readers) in made.items():
            found[name] = (
                make_paper(session, number, title=name, first_seen_at=at(day), upvotes=upvotes).id
                or 0
            )
            save(session, found[name], readers)
        return found


@pytest.mark.usefixtures("week")
def test_new_and_saved_papers_trend_and_old_upvotes_fade(engine: Engine) -> None:
    with read_scope(engine) as session:
        orders = {
            order: [
                paper.title for paper in browse.between(session, MONDAY, FRIDAY, order=order)[0]
            ]
            for order in Order
        }
    assert orders[Order.UPVOTES][:3] == ["loved on Monday", "liked on Friday", "saved by three"]
    # 8 + 3 now, 10 now, 39 / 4 after four days; two savers could be guessed, and count nothing.
    assert orders[Order.TRENDING] == [
        "saved by three",
        "liked on Friday",
        "loved on Monday",
        "nothing yet",
        "saved by two",
        "nothing on Monday",
    ]


@pytest.mark.usefixtures("week")
def test_the_page_says_what_trending_is_and_keeps_the_order_on_its_ways(engine: Engine) -> None:
    with visit(engine) as client:
        page = client.get(f"/week/{FRIDAY}?order=trending").text
        assert page.index("saved by three") < page.index("loved on Monday")
        assert "half as much for every 2 days" in page
        for span in ("day", "week", "month"):
            assert f'href="/{span}/{MONDAY}?order=trending"' in page
        plain = client.get(f"/week/{FRIDAY}").text
        assert plain.index("loved on Monday") < plain.index("saved by three")
        assert "half as much" not in plain
        assert client.get("/?order=trending").status_code == 200
        assert client.get("/?order=alphabet").status_code == 422
