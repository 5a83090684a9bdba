"""`newsletter why` tells the truth: of what was mailed, of what would be, and changes nothing."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryStatus,
    DigestItem,
    InterestKind,
    Paper,
    Signal,
    Subscriber,
    SubscriberStatus,
)
from newsletter.editions import preparation
from newsletter.editions.why import Asking, Outcome, Why, loader
from newsletter.ranking.profiles import training
from tests.support.factories import ISSUE_DATE
from tests.support.profiles import add_papers, add_subscriber, add_topic, give
from tests.support.visits import everything

DATE = ISSUE_DATE
KEYWORD = InterestKind.KEYWORD
DECIDED = {Outcome.SELECTED, Outcome.RANKED_BELOW}


@pytest.fixture
def papers(engine: Engine) -> list[int]:
    with session_scope(engine) as session:
        return add_papers(session)


def reader(
    engine: Engine, *interests: tuple[InterestKind, str, float], **preferences: Any
) -> Subscriber:
    with session_scope(engine) as session:
        wanted = {"max_papers": 3, "outside_picks": False} | preferences
        number = add_subscriber(session, "ada@reader.example", **wanted)
        follows = [(KEYWORD, word, 1.0) for word in ("bugs", "repair", "proteins", "galaxies")]
        add_topic(session, number, "Repair", *follows, *interests)
    training.train(engine)
    with read_scope(engine) as session:
        return session.get_one(Subscriber, number)


def ask(engine: Engine, who: Subscriber, paper: int | None, date: Any = DATE) -> Why:
    with read_scope(engine) as session:
        known = session.get(Paper, paper) if paper else None
        return Asking(session, session.get_one(Subscriber, who.id), loader()).why(known, date, "it")


def prepare(engine: Engine, date: Any = DATE, **options: Any) -> None:
    preparation.prepare(engine, date, message_domain="papers.example", **options)


def mailed_papers(engine: Engine) -> list[int]:
    with read_scope(engine) as session:
        return list(session.exec(select(DigestItem.paper_id).order_by(col(DigestItem.position))))


def add_up(found: Why) -> bool:
    return round(sum(share.points for share in found.shares), 6) == pytest.approx(found.score)


def test_what_would_be_selected_is_what_is_then_prepared(engine: Engine, papers: list[int]) -> None:
    who = reader(engine)
    before = everything(engine)
    told = {paper: ask(engine, who, paper) for paper in papers}
    assert everything(engine) == before
    prepare(engine)
    chosen = [paper for paper in papers if told[paper].outcome is Outcome.SELECTED]
    assert sorted(chosen, key=lambda paper: told[paper].rank or 0) == mailed_papers(engine)
    assert len(chosen) == 3
    for found in told.values():
        assert add_up(found)
        below = (found.match or 0) < 0.04
        assert (found.outcome is Outcome.UNDER_BAR) is (below and found.outcome not in DECIDED)
    assert Outcome.RANKED_BELOW in {found.outcome for found in told.values()}
    with read_scope(engine) as session:
        for item in session.exec(select(DigestItem)):
            assert told[item.paper_id].score == pytest.approx(item.score, abs=0.11)
            assert told[item.paper_id].match == item.match


def test_a_mailed_paper_is_told_as_it_was_mailed_whatever_changes_later(
    engine: Engine, papers: list[int]
) -> None:
    who = reader(engine)
    prepare(engine)
    first = mailed_papers(engine)[0]
    assert ask(engine, who, first).outcome is Outcome.SELECTED
    with session_scope(engine) as session:
        session.exec(select(Delivery)).one().status = DeliveryStatus.SENT
        item = session.exec(select(DigestItem).where(DigestItem.paper_id == first)).one()
        score = item.score
        give(session, who.id or 0, papers[6], Signal.RELEVANT)
        session.get_one(Paper, papers[3]).upvotes = 9_000
    training.train(engine)
    found = ask(engine, who, first)
    assert (found.outcome, found.rank, found.score) == (Outcome.MAILED, 1, score)
    assert add_up(found)
    assert any(share.kind == "changed" for share in found.shares)
    later = ask(engine, who, first, DATE + timedelta(days=1))
    assert (later.outcome, later.score) == (Outcome.ALREADY_SENT, score)
    assert str(DATE) in later.detail


def test_a_paper_that_a_frozen_digest_left_out_is_ranked_below_it_and_a_later_one_unknown_to_it(
    engine: Engine, papers: list[int]
) -> None:
    who = reader(engine)
    prepare(engine)
    told = {paper: ask(engine, who, paper) for paper in papers}
    assert sum(found.outcome is Outcome.SELECTED for found in told.values()) == 3
    others = [paper for paper, found in told.items() if found.outcome is Outcome.RANKED_BELOW]
    assert others
    assert not set(others) & set(mailed_papers(engine))
    left = others[0]
    with session_scope(engine) as session:
        paper = session.get_one(Paper, left)
        paper.first_seen_at = utc_now() + timedelta(minutes=5)
    found = ask(engine, who, left)
    assert found.outcome is Outcome.NOT_INGESTED
    assert "after the digest" in found.detail


@pytest.mark.parametrize(
    ("mute", "title"),
    [
        ((KEYWORD, "compilers", -1.0), "Fuzzing compilers"),
        ((InterestKind.AUTHOR, "Author 2", -1.0), "Fuzzing compilers"),
        ((InterestKind.CATEGORY, "cs.SE", -1.0), "Fuzzing compilers"),
    ],
)
def test_a_muted_paper_names_the_mute(
    engine: Engine, papers: list[int], mute: tuple[InterestKind, str, float], title: str
) -> None:
    who = reader(engine, mute)
    with read_scope(engine) as session:
        paper = session.exec(select(Paper).where(col(Paper.title).startswith(title))).one()
    found = ask(engine, who, paper.id)
    assert found.outcome is Outcome.MUTED
    assert mute[1].casefold() in found.detail.casefold()
    assert add_up(found)


def test_bar_budget_age_examples_and_strangers_each_have_their_own_answer(
    engine: Engine, papers: list[int]
) -> None:
    who = reader(engine, min_score=99)
    assert ask(engine, who, papers[5]).outcome is Outcome.UNDER_BAR
    assert "minimum of 99" in ask(engine, who, papers[5]).detail
    assert "the least that is shown" not in ask(engine, who, papers[5]).detail
    with session_scope(engine) as session:
        row = session.get_one(Subscriber, who.id)
        row.min_score, row.weekly_budget = 0, 1
    first = [paper for paper in papers if ask(engine, who, paper).outcome is Outcome.SELECTED]
    assert len(first) == 1
    second = [paper for paper in papers if ask(engine, who, paper).outcome is Outcome.BUDGET]
    assert len(second) == 2
    assert "budget of 1 papers a week" in ask(engine, who, second[0]).detail
    with session_scope(engine) as session:
        session.get_one(Paper, papers[0]).first_seen_at = datetime(2020, 1, 1, tzinfo=UTC)
        give(session, who.id or 0, papers[1], Signal.NOT_RELEVANT)
    assert ask(engine, who, papers[0]).outcome is Outcome.TOO_OLD
    known = ask(engine, who, papers[1])
    assert known.outcome is Outcome.ALREADY_SENT
    assert "judged" in known.detail
    stranger = ask(engine, who, None)
    assert stranger.outcome is Outcome.NOT_INGESTED
    assert json.loads(json.dumps(stranger.as_json())) == {
        "paper": {"id": None, "title": "it"},
        "outcome": "not_ingested",
        "rank": None,
        "score": None,
        "match": None,
        "label": None,
        "detail": "No source has listed a paper with this number, id, address or title so far.",
        "shares": [],
    }


def test_who_gets_no_digest_is_told_so_beside_the_ranking(
    engine: Engine, papers: list[int]
) -> None:
    who = reader(engine)
    with session_scope(engine) as session:
        session.get_one(Subscriber, who.id).status = SubscriberStatus.UNSUBSCRIBED
    assert "has unsubscribed" in ask(engine, who, papers[0]).detail


def test_a_reader_of_whom_nothing_is_known_gets_places_and_no_parts(
    engine: Engine, papers: list[int]
) -> None:
    with session_scope(engine) as session:
        number = add_subscriber(session, "new@reader.example", max_papers=2)
    with read_scope(engine) as session:
        who = session.get_one(Subscriber, number)
    told = [ask(engine, who, paper) for paper in papers]
    assert [found.outcome for found in told].count(Outcome.SELECTED) == 2
    assert all(found.shares == () and found.score in {None, 0.0} for found in told)


def test_a_keyword_that_a_paper_does_not_mention_is_only_close(
    engine: Engine, papers: list[int]
) -> None:
    who = reader(engine)
    with read_scope(engine) as session:
        texts = {
            number: f"{paper.title} {paper.abstract}".casefold()
            for number in papers
            if (paper := session.get(Paper, number))
        }
    said = {number: [share.what for share in ask(engine, who, number).shares] for number in papers}
    words = {"bugs": "bug", "repair": "repair", "proteins": "protein", "galaxies": "galax"}
    plain, close = 0, 0
    for number, lines in said.items():
        for word, stem in words.items():
            plain += (mentioned := f"Your keyword “{word}”" in lines)
            close += (
                near := f"Closeness to your keyword “{word}”, which it does not mention" in lines
            )
            assert not mentioned or stem in texts[number]
            assert not near or word not in texts[number].split()
    assert plain
    assert close


def test_a_date_gone_by_without_a_digest_is_told_as_such(engine: Engine, papers: list[int]) -> None:
    who = reader(engine, min_score=99)
    found = ask(engine, who, papers[0], utc_now().date() - timedelta(days=3))
    assert found.outcome is Outcome.UNDER_BAR
    assert "went to this reader: this is as of now" in found.detail
