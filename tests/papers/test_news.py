"""What is news: old work announced today is not, and no day or month is invented."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.models import Paper
from newsletter.messages.paper_date import date_in_words
from newsletter.papers.ingest import ingest_pages
from newsletter.sources.base import Page
from newsletter.sources.crossref import Crossref
from newsletter.sources.normalise import make
from tests.support.command import Newsletter

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
YEAR = timedelta(days=365)


def ingest(engine: Engine, *published: str | None, max_age: timedelta | None = YEAR) -> list[Paper]:
    records = tuple(
        make(source="feeds", external_id=f"x{n}", title=f"Paper {n} of many", published=value)
        for n, value in enumerate(published)
    )
    ingest_pages(engine, "feeds", [Page(records)], seen_at=NOW, max_age=max_age)
    with Session(engine) as session:
        return list(session.exec(select(Paper).order_by(Paper.external_id)))


@pytest.mark.parametrize(
    ("published", "is_news"),
    [
        ("2026-11-27", True),
        ("2025-11-29", True),
        ("2025-11-27", False),
        ("2009-03-03", False),
        ("2026", True),
        ("2025", True),  # it may have been December
        ("2024", False),
        ("2025-11", True),
        ("2025-09", False),
        ("2027-05-01", True),
        (None, True),
    ],
)
def test_a_paper_older_than_the_limit_is_stored_but_no_news(
    engine: Engine, published: str | None, is_news: bool
) -> None:
    [paper] = ingest(engine, published)
    assert (paper.first_seen_at == NOW) == is_news


def test_without_a_limit_every_paper_that_comes_in_is_news(engine: Engine) -> None:
    [paper] = ingest(engine, "1975", max_age=None)
    assert paper.first_seen_at == NOW


@pytest.mark.parametrize(
    ("published", "shown"),
    [
        ("2026-11-18", "18 November"),
        ("2009-03-03", "3 March 2009"),
        ("2027-05-01", "1 May 2027"),
        ("1975", "1975"),
        ("2026", "2026"),
        ("2026-02", "February 2026"),
        ("2026-01-01", "1 January"),
        (None, ""),
    ],
)
def test_the_year_is_shown_when_it_is_another_and_nothing_is_invented(
    engine: Engine, published: str | None, shown: str
) -> None:
    [paper] = ingest(engine, published, max_age=None)
    assert date_in_words(paper) == shown


def test_a_source_that_tells_the_day_later_fills_it_in(engine: Engine) -> None:
    ingest(engine, None)
    [paper] = ingest(engine, "2026-10")
    assert date_in_words(paper) == "October 2026"


def test_crossref_dates_are_kept_as_far_as_they_are_told() -> None:
    told = ([1975], [1975, 4], [1975, 4, 9], [None], [1975, 13, 1])
    works = [
        {
            "DOI": f"10.5555/{number}",
            "title": [f"Kidneys of frog {number}"],
            "issued": {"date-parts": [parts]},
            "created": {"date-parts": [[2026, 11, 27]]},
            "type": "journal-article",
        }
        for number, parts in enumerate(told)
    ]
    body = json.dumps({"message-type": "work-list", "message": {"items": works}}).encode()
    records = Crossref().parse(body, where="test").records
    assert [(r.published_precision, str(r.published_at)[:10]) for r in records] == [
        ("year", "1975-01-01"),
        ("month", "1975-04-01"),
        ("day", "1975-04-09"),
        ("day", "2026-11-27"),
        ("day", "2026-11-27"),
    ]


def test_the_limit_is_a_setting_of_ingest(engine: Engine, tmp_path: Path) -> None:
    row = {"title": "Glucose in the kidney of the frog", "id": "a", "published": "2009-03-03"}
    (tmp_path / "old.jsonl").write_text(json.dumps(row))
    code, said, _ = Newsletter(engine, tmp_path).run("ingest", "--file", "old.jsonl", "--json")
    assert code == 0
    [source] = json.loads(said)["sources"]
    assert (source["new"], source["known"]) == (0, 1)
    (tmp_path / "other.jsonl").write_text(json.dumps(row | {"id": "b", "title": "Livers of newts"}))
    newsletter = Newsletter(engine, tmp_path, MAX_PAPER_AGE_DAYS="0")
    [source] = json.loads(newsletter.run("ingest", "--file", "other.jsonl", "--json")[1])["sources"]
    assert (source["new"], source["known"]) == (1, 0)
    code, _, said = Newsletter(engine, tmp_path, MAX_PAPER_AGE_DAYS="-1").run("ingest")
    assert (code, "NEWSLETTER_MAX_PAPER_AGE_DAYS" in said) == (2, True)
