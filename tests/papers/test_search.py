"""Search over papers, the same on both databases."""

from datetime import UTC, datetime
from typing import Unpack

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.core.database import session_scope
from newsletter.papers import spelling
from newsletter.papers.search import Narrowed, Term, search, terms
from newsletter.papers.store import store
from newsletter.sources import PaperRecord

JONES = ("Ann Jones",)
DOI = "10.1000/ab(96)12<9:x>2"
NOW = datetime(2026, 9, 24, 8, tzinfo=UTC)


def record(number: int, title: str, abstract: str = "", **more: object) -> PaperRecord:
    values: dict[str, object] = {
        "source": "arxiv",
        "external_id": f"2609.0000{number}",
        "arxiv_id": f"2609.0000{number}",
        "title": title,
        "abstract": abstract,
        "url": "",
        "published_at": datetime(2026, 9, number, tzinfo=UTC),
    }
    return PaperRecord(**{**values, **more})  # type: ignore[arg-type]


@pytest.fixture
def library(engine: Engine) -> Engine:
    with session_scope(engine) as session:
        store(
            session,
            [
                record(1, "Repairing programs with language models", categories=("cs.SE", "cs.LG")),
                record(
                    2, "Diffusion for images", "No program was repaired.", categories=("cs.CV",)
                ),
                record(3, "Ein Überblick", authors=("René Descartes",), categories=("math.OC",)),
                record(4, "Language games", source="hf", external_id="x4"),
            ],
            seen_at=NOW,
        )
    return engine


def titles(engine: Engine, text: str = "", **filters: Unpack[Narrowed]) -> list[str]:
    with Session(engine) as session:
        return [paper.title for paper in search(session, text, **filters)]


def test_words_match_in_any_inflection_and_a_title_counts_more(library: Engine) -> None:
    assert titles(library, "program repair") == [
        "Repairing programs with language models",
        "Diffusion for images",
    ]


def test_a_phrase_and_an_excluded_word(library: Engine) -> None:
    assert titles(library, '"language models"') == ["Repairing programs with language models"]
    assert titles(library, "language -games") == ["Repairing programs with language models"]


def test_a_sign_beside_the_words_is_no_word(library: Engine) -> None:
    for sign in ("_", "__", "\u0301", "-_", '"_ _"', "*"):
        assert titles(library, f"{sign} language games") == ["Language games"]
        assert titles(library, f"language {sign} games", newest_first=True) == ["Language games"]
        assert titles(library, sign) == []


def test_authors_are_found_with_their_accents(library: Engine) -> None:
    assert titles(library, "René") == ["Ein Überblick"]


def test_filters_for_date_category_and_source(library: Engine) -> None:
    assert titles(library, since=datetime(2026, 9, 3, tzinfo=UTC)) == [
        "Language games",
        "Ein Überblick",
    ]
    assert titles(library, until=datetime(2026, 9, 1, tzinfo=UTC)) == [
        "Repairing programs with language models"
    ]
    assert titles(library, "program", category="cs.CV") == ["Diffusion for images"]
    assert len(titles(library, category="cs")) == 2
    assert titles(library, category="c%") == []
    assert titles(library, source="hf") == ["Language games"]


def test_pages_of_results_do_not_overlap(library: Engine) -> None:
    assert titles(library, limit=2) + titles(library, limit=2, offset=2) == titles(library)


def test_the_index_follows_a_revision(library: Engine) -> None:
    with session_scope(library) as session:
        store(session, [record(2, "Consistency for images", version=2)], seen_at=NOW)
    assert titles(library, "diffusion") == []
    assert titles(library, "consistency") == ["Consistency for images"]


def test_nothing_that_people_type_breaks_it(library: Engine) -> None:
    for text in (
        '"',
        "''",
        "*",
        "-",
        "AND",
        "a AND (b",
        "NEAR(x)",
        "title:x",
        "^x",
        "\x00",
        "-only",
    ):
        assert titles(library, text) == [], text
    assert titles(library, "'; DROP TABLE paper; --") == []
    assert len(titles(library)) == 4


def test_any_word_may_be_enough_but_an_excluded_one_never_is(library: Engine) -> None:
    assert titles(library, "diffusion games") == []
    assert set(titles(library, "diffusion games zebra", any_word=True)) == {
        "Diffusion for images",
        "Language games",
    }
    assert titles(library, "diffusion games -diffusion", any_word=True) == ["Language games"]


def test_what_was_typed_is_words_and_phrases() -> None:
    assert terms('graph "neural nets" -survey') == [
        Term("graph"),
        Term("neural nets"),
        Term("survey", excluded=True),
    ]


@pytest.fixture
def languages(engine: Engine) -> Engine:
    with session_scope(engine) as session:
        store(
            session,
            [
                record(
                    1,
                    "深度学习在蛋白质结构预测中的应用",
                    "本文研究了图神经网络。",
                    authors=("王小明",),
                ),
                record(2, "日本語の論文：タンパク質の構造予測について"),
                record(3, "단백질 구조를 예측하는 방법"),
                record(4, "การเรียนรู้เชิงลึกสำหรับโปรตีน"),
                record(5, "A study by somebody", "Of 蛋白质 folding.", authors=("Jürgen Müller",)),
                record(6, "Graphs of Łódź", authors=("Pál Erdős", "Conor O’Brien")),
                record(
                    7,
                    "Reinforcement learning of protein folding",
                    doi=DOI,
                    authors=("Ann Jones",),
                    url="https://www.example.org/a?b=1",
                ),
            ],
            seen_at=NOW,
        )
    return engine


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("結構予測", None),
        ("结构预测", 1),
        ("王小明", 1),
        ("タンパク質", 2),
        ("構造予測", 2),
        ("ﾀﾝﾊﾟｸ質", 2),
        ("단백질", 3),
        ("구조", 3),
        ("โปรตีน", 4),
        ("蛋白质 folding", 5),
        ("muller", 5),
        ("Müller", 5),
        ("erdos", 6),
        ("jones", 7),
        ("Erdős", 6),
        ("O'Brien", 6),
    ],
)
def test_words_are_found_in_scripts_without_spaces_and_without_accents(
    languages: Engine, typed: str, number: int | None
) -> None:
    with Session(languages) as session:
        found = [paper.external_id[-1] for paper in search(session, typed)]
    assert found[:1] == ([str(number)] if number else [])


def test_a_title_in_such_a_script_counts_more_than_an_abstract(languages: Engine) -> None:
    assert [title[:4] for title in titles(languages, "蛋白质")] == ["深度学习", "A st"]
    assert titles(languages, "蛋白质 -folding") == ["深度学习在蛋白质结构预测中的应用"]
    assert titles(languages, "folding -蛋白质") == ["Reinforcement learning of protein folding"]
    assert titles(languages, "100%_") == []


@pytest.mark.parametrize(
    "typed",
    [
        DOI,
        "https://doi.org/10.1000/AB(96)12<9:x>2",
        "doi:10.1000/ab(96)12<9:x>2",
        "2609.00007",
        "arXiv:2609.00007v3",
        " https://arxiv.org/pdf/2609.00007v2.pdf ",
        "10.48550/arXiv.2609.00007",
        "doi: 10.1000/ab(96)12<9:x>2",
        "https://onlinelibrary.example.org/doi/full/10.1000/AB(96)12%3C9:x%3E2?af=R",
        "arxiv.org/abs/2609.00007?context=cs",
        "[2609.00007]",
        "see 10.1000/ab(96)12<9:x>2, please",
        "http://example.org/a?b=1",
        "www.example.org/a?b=1#top",
    ],
)
def test_a_doi_an_arxiv_id_or_a_link_finds_its_paper(languages: Engine, typed: str) -> None:
    assert titles(languages, typed) == ["Reinforcement learning of protein folding"]


def test_an_id_that_nobody_has_finds_nothing(languages: Engine) -> None:
    assert titles(languages, "2609.99999") == []
    assert titles(languages, "10.1000/other") == []
    assert titles(languages, "https://www.example.org/another") == []
    assert len(titles(languages, "2609.00006 and 2609.00007")) == 2


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("reenforcement learning", "reinforcement learning"),
        ("protien", "protein"),
        ("reinforcment", "reinforcement"),
        ("protein", None),
        ("zzzzzzz", None),
        ("gan", None),
    ],
)
def test_a_misspelt_word_is_the_nearest_that_a_title_has(
    languages: Engine, typed: str, meant: str | None
) -> None:
    with Session(languages) as session:
        assert spelling.corrected(session, typed) == meant


def test_the_newest_first_and_a_date_to_come_counts_as_today(engine: Engine) -> None:
    with session_scope(engine) as session:
        store(
            session,
            [
                record(1, "Old proteins", published_at=datetime(2026, 9, 20, tzinfo=UTC)),
                record(
                    2, "Protein, protein, protein", published_at=datetime(2026, 9, 1, tzinfo=UTC)
                ),
                record(3, "Proteins of next year", published_at=datetime(2027, 5, 1, tzinfo=UTC)),
                record(4, "Proteins unnamed", published_at=None),
            ],
            seen_at=NOW,
        )
    assert titles(engine, "protein", newest_first=True) == [
        "Proteins unnamed", "Proteins of next year", "Old proteins", "Protein, protein, protein",
    ]  # fmt: skip
