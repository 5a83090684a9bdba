"""A paper is found by whatever somebody has of it, and no other paper is."""

import pytest
from sqlalchemy import Engine

from newsletter.core.database import read_scope, session_scope
from newsletter.papers import store
from newsletter.papers.lookup import find_papers
from tests.support.sources import NOW, record

TITLE = "Fault localisation before program repair: a study of 214 faults"
DOI = "10.1145/3377811.3380391"


@pytest.fixture
def number(engine: Engine) -> int:
    """Id of the paper that is asked for; another one stands beside it."""
    with session_scope(engine) as session:
        others = [record(n, title=f"A study of {n} other things and their uses") for n in (8, 9)]
        wanted = record(7, title=TITLE, doi=DOI, url="https://www.journal.example/articles/s41-7/")
        store.store(session, [*others, wanted], seen_at=NOW)
    with read_scope(engine) as session:
        [found] = find_papers(session, record(7).external_id)
        assert found.title == TITLE
        return found.id or 0


@pytest.mark.parametrize(
    "asked",
    [
        "{number}",
        "{arxiv}",
        "arXiv:{arxiv}v3 [cs.SE]",
        "https://arxiv.org/abs/{arxiv}v2",
        "http://arxiv.org/pdf/{arxiv}.pdf?download=1#page=2",
        DOI,
        f"doi:{DOI.upper()}",
        f"https://doi.org/{DOI}",
        f"https://dl.acm.example/doi/full/{DOI}?cookieSet=1",
        "http://journal.example/articles/s41-7",
        "https://www.journal.example/articles/s41-7/?utm_source=mail#abstract",
        "https://papers.example.org/paper/{number}",
        TITLE,
        f"  {TITLE.upper()}.  ",
        TITLE.replace("localisation", "localization"),
        TITLE.replace(":", " –"),
        "program repair",
        "before Program-Repair: a",
        "FAULTS",
        "repair faults localisation",
        f"{TITLE[:40]}…",
        "fault locali",
    ],
)
def test_found(engine: Engine, number: int, asked: str) -> None:
    with read_scope(engine) as session:
        arxiv = record(7).external_id
        found = find_papers(session, asked.format(number=number, arxiv=arxiv))
    assert [paper.id for paper in found] == [number]


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "   ",
        "0",
        "999999",
        "99999999999999999999999",
        "١٢",
        "\x00",
        "%",
        "' OR 1=1 --",
        '"unbalanced',
        "-",
        "2611.99999",
        "10.9999/none",
        "https://[broken",
        "https://www.journal.example/articles/s41-8",
        "https://papers.example.org/paper/99999999",
        "A study of 7 other things and something else",
        "gram rep",
        "9" * 6,
        "214",
        "repair of galaxies",
        TITLE.replace("214", "215"),
        "x" * 100_000,
        "故障定位",
    ],
)
def test_not_found_and_nothing_breaks(engine: Engine, number: int, asked: str) -> None:
    with read_scope(engine) as session:
        assert find_papers(session, asked) == []


@pytest.mark.parametrize(
    ("asked", "several"),
    [
        ("other things", [8, 9]),
        ("A study of", [7, 8, 9]),
        ("study of other things", [8, 9]),
        ("A study of 8 other", [8]),
        ("her things and their us", [8, 9]),
    ],
)
def test_a_part_of_several_titles_names_them_all(
    engine: Engine, number: int, asked: str, several: list[int]
) -> None:
    with read_scope(engine) as session:
        wanted = [find_papers(session, record(n).external_id)[0].id or 0 for n in several]
        found = [paper.id for paper in find_papers(session, asked)]
    assert found == sorted(wanted, reverse=True)


@pytest.mark.parametrize(
    ("title", "asked"),
    [
        ("Naïve Bayes für Anfänger: über Grenzen", "naive bayes fur"),
        ("基于深度学习的故障定位方法", "故障定位"),
        ("What’s in a $\\sqrt{n}$ bound? C++ and R compared", "C++ and R"),
        ("100 % of nothing_at all", "100 % of nothing_at"),
        ("Is “attention” all you need", 'Is "attention" all'),
        ("AlphaFold–Multimer revisited", "multimer"),
    ],
)
def test_a_part_of_a_title_is_found_however_it_is_typed(
    engine: Engine, number: int, title: str, asked: str
) -> None:
    with session_scope(engine) as session:
        store.store(session, [record(5, title=title)], seen_at=NOW)
    with read_scope(engine) as session:
        assert [paper.title for paper in find_papers(session, asked)] == [title]
