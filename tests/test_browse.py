"""Papers by day, by words and by likeness, on both databases."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.db import read_scope, session_scope
from newsletter.models import Paper, PaperVector
from newsletter.papers import browse
from newsletter.papers.browse import Query
from tests.factories import make_paper

DAY = date(2026, 11, 20)


def seen(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@pytest.fixture
def papers(engine: Engine) -> None:
    with session_scope(engine) as session:
        make_paper(
            session,
            1,
            title="Repairing programs automatically",
            abstract="We study neural patches.",
            authors=["Émilie du Châtelet"],
            categories=["cs.SE", "cs.LG"],
            first_seen_at=seen(DAY),
            upvotes=3,
        )
        make_paper(
            session,
            2,
            title="Proofs of everything",
            abstract="A repair of an old proof, in Lean.",
            authors=["Ada Lovelace"],
            categories=["cs.LO"],
            first_seen_at=seen(DAY, 23),
            upvotes=9,
        )
        make_paper(
            session,
            3,
            title="Galaxies",
            abstract="Far away.",
            source="biorxiv",
            authors=["Vera Rubin"],
            categories=["astro-ph.GA"],
            first_seen_at=seen(DAY - timedelta(days=3)),
        )


def found(session: Session, **asked: object) -> list[int | None]:
    return [paper.id for paper in browse.search(session, Query(**asked))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({"words": "repair"}, [1, 2]),  # the title weighs more than the abstract
        ({"words": "repairs Lean"}, [2]),
        ({"words": "emilie châtelet"}, [1]),
        ({"words": "nothing like this"}, []),
        ({"category": "cs.LO"}, [2]),
        ({"category": "cs.L"}, []),
        ({"source": "biorxiv"}, [3]),
        ({"words": "repair", "category": "cs.SE"}, [1]),
        ({"since": DAY}, [2, 1]),
        ({"until": DAY - timedelta(days=1)}, [3]),
        ({}, [2, 1, 3]),
    ],
)
@pytest.mark.usefixtures("papers")
def test_search_narrows_by_words_category_source_and_date(
    engine: Engine, asked: dict[str, object], ids: list[int]
) -> None:
    with read_scope(engine) as session:
        assert found(session, **asked) == ids


@pytest.mark.parametrize(
    "hostile",
    ['"', "AND OR NOT", "title:x", "a*", "(((", "'; DROP TABLE paper; --", "-" * 50, "x " * 5000,
     "\u0000", "NEAR(a b)", "^x", "{x} : y", "é" * 3000],
)  # fmt: skip
@pytest.mark.usefixtures("papers")
def test_no_search_words_are_syntax(engine: Engine, hostile: str) -> None:
    with read_scope(engine) as session:
        found(session, words=hostile, category=hostile.replace("\u0000", ""))


@pytest.mark.usefixtures("papers")
def test_a_revised_or_deleted_paper_is_found_by_what_it_says_now(engine: Engine) -> None:
    with session_scope(engine) as session:
        first, second = session.get(Paper, 1), session.get(Paper, 2)
        assert first
        assert second
        first.title, first.abstract = "About whales", "Whales."
        session.delete(second)
    with read_scope(engine) as session:
        assert found(session, words="whale") == [1]
        assert found(session, words="repair") == []
        assert found(session, words="proofs") == []


@pytest.mark.usefixtures("papers")
def test_a_day_lists_the_most_upvoted_first_and_knows_its_neighbours(engine: Engine) -> None:
    with read_scope(engine) as session:
        assert browse.newest_day(session) == DAY
        listed, total = browse.between(session, DAY, DAY)
        assert ([paper.id for paper in listed], total) == ([2, 1], 2)
        around = browse.neighbours(session, DAY, DAY)
        assert (around.before, around.after) == (DAY - timedelta(days=3), None)
        assert browse.neighbours(session, DAY - timedelta(days=3), DAY - timedelta(days=2)) == (
            browse.Neighbours(None, DAY)
        )


@pytest.mark.usefixtures("papers")
def test_similar_papers_are_those_whose_vectors_point_the_same_way(engine: Engine) -> None:
    with read_scope(engine) as session:
        assert browse.similar(session, 1) == []
    vectors = {1: (1, 0), 2: (-1, 0), 3: (0.8, 0.6)}
    with session_scope(engine) as session:
        for number, vector in vectors.items():
            data = np.array(vector, "<f2").tobytes()
            session.add(PaperVector(paper_id=number, feature_space="s", vector=data))
    with read_scope(engine) as session:
        assert [paper.id for paper in browse.similar(session, 1)] == [3]
