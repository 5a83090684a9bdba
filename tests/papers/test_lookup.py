"""A paper is found by whatever somebody has of it, and no other paper is."""

import pytest
from sqlalchemy import Engine

from newsletter.core.database import read_scope, session_scope
from newsletter.papers import store
from newsletter.papers.lookup import find_paper
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
        found = find_paper(session, record(7).external_id)
        assert found is not None
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
    ],
)
def test_found(engine: Engine, number: int, asked: str) -> None:
    with read_scope(engine) as session:
        arxiv = record(7).external_id
        found = find_paper(session, asked.format(number=number, arxiv=arxiv))
    assert found is not None
    assert found.id == number


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
        "Fault",
        "program repair",
        "x" * 100_000,
        "故障定位",
    ],
)
def test_not_found_and_nothing_breaks(engine: Engine, number: int, asked: str) -> None:
    with read_scope(engine) as session:
        assert find_paper(session, asked) is None
