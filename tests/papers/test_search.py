"""Search over papers, the same on both databases."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.core.database import session_scope
from newsletter.papers.search import Term, search, terms
from newsletter.papers.store import store
from newsletter.sources import PaperRecord

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


def titles(engine: Engine, text: str = "", **filters: object) -> list[str]:
    with Session(engine) as session:
        return [paper.title for paper in search(session, text, **filters)]  # type: ignore[arg-type]


def test_words_match_in_any_inflection_and_a_title_counts_more(library: Engine) -> None:
    assert titles(library, "program repair") == [
        "Repairing programs with language models",
        "Diffusion for images",
    ]


def test_a_phrase_and_an_excluded_word(library: Engine) -> None:
    assert titles(library, '"language models"') == ["Repairing programs with language models"]
    assert titles(library, "language -games") == ["Repairing programs with language models"]


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
