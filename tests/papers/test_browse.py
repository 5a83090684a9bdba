"""Papers by day, by words and by likeness, on both databases."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import PaperVector
from newsletter.papers import browse
from tests.support.factories import make_paper

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
