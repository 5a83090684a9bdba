"""What became of papers that readers know is noted, once, and of no other papers."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import ChangeKind, Feedback, Paper, PaperChange, Signal
from newsletter.papers.differences import difference
from newsletter.papers.ingest import ingest_pages
from newsletter.sources import Page, PaperRecord
from newsletter.sources.normalise import make
from tests.support import factories

NOW = utc_now()


def seen(engine: Engine, *records: PaperRecord, at: datetime = NOW) -> None:
    ingest_pages(engine, "test", [Page(records)], seen_at=at)


def preprint(**fields: Any) -> PaperRecord:
    values: dict[str, Any] = {
        "source": "arxiv",
        "external_id": "2611.00001",
        "arxiv": "2611.00001",
        "title": "Frogs of the far north and their songs",
        "abstract": "We listen to frogs.",
        "authors": ["Jane Rowe"],
    }
    return make(**(values | fields))


def like(engine: Engine, signal: Signal = Signal.RELEVANT) -> None:
    """A reader judges the only paper that there is."""
    with session_scope(engine) as session:
        reader = factories.make_subscriber(session)
        [paper] = session.exec(select(Paper)).all()
        session.add(Feedback(subscriber_id=reader.id or 0, paper_id=paper.id or 0, signal=signal))


def changes(engine: Engine) -> list[tuple[ChangeKind, int, str]]:
    with Session(engine) as session:
        rows = session.exec(select(PaperChange).order_by(PaperChange.kind)).all()
        return [(row.kind, row.version, row.after) for row in rows]


def test_each_kind_of_change_is_noted_once(engine: Engine) -> None:
    seen(engine, preprint())
    like(engine)
    later = NOW + timedelta(days=3)
    journal = make(
        source="crossref",
        external_id="10.1000/frogs",
        doi="10.1000/frogs",
        title="Frogs of the far north and their songs",
        authors=["Jane Rowe"],
    )
    for _ in range(2):
        seen(engine, preprint(version=2, abstract="We listen to northern frogs."), at=later)
        seen(engine, preprint(version=3, abstract="We  listen to northern\nfrogs."), at=later)
        seen(engine, journal, at=later)
        seen(engine, preprint(version=4, abstract="", standing="withdrawn"), at=later)
    assert changes(engine) == [
        (ChangeKind.PUBLISHED, 0, "10.1000/frogs"),
        # The third version differs in white space only.
        (ChangeKind.REVISED, 2, "We listen to northern frogs."),
        (ChangeKind.WITHDRAWN, 0, ""),
    ]


def test_nothing_is_noted_of_papers_that_no_reader_knows(engine: Engine) -> None:
    seen(engine, preprint())
    like(engine, Signal.NOT_RELEVANT)
    seen(engine, preprint(version=2, abstract="Other frogs.", doi="10.1000/frogs"))
    seen(engine, preprint(version=3, standing="withdrawn"))
    assert changes(engine) == []


def test_another_preprint_server_or_a_second_journal_is_no_publication(engine: Engine) -> None:
    seen(engine, preprint())
    like(engine)
    seen(engine, preprint(doi="10.2139/ssrn.17"))
    assert changes(engine) == []
    seen(engine, preprint(related_dois=["10.1000/frogs"]))
    seen(engine, preprint(related_dois=["10.1000/frogs.en"]))
    assert changes(engine) == [(ChangeKind.PUBLISHED, 0, "10.1000/frogs")]


def test_an_article_that_was_in_a_journal_all_along_is_not_published_again(engine: Engine) -> None:
    article = make(source="crossref", external_id="10.1000/a", doi="10.1000/a", title="On frogs")
    seen(engine, article)
    like(engine, Signal.SAVED)
    seen(engine, make(source="pubmed", external_id="7", doi="10.1000/a", title="On frogs"))
    assert changes(engine) == []


def test_a_notice_of_retraction_is_noted_for_the_paper_that_it_retracts(engine: Engine) -> None:
    article = make(source="crossref", external_id="10.1000/a", doi="10.1000/a", title="On frogs")
    seen(engine, article)
    like(engine)
    for _ in range(2):
        ingest_pages(engine, "test", [Page(retracted_dois=("10.1000/a",))])
    assert changes(engine) == [(ChangeKind.RETRACTED, 0, "")]


def test_two_rows_that_become_one_tell_that_the_preprint_is_published(engine: Engine) -> None:
    seen(engine, preprint(title="Songs of frogs in the far north"))
    like(engine)
    journal = {"source": "crossref", "external_id": "10.1000/frogs", "doi": "10.1000/frogs"}
    seen(engine, make(**journal, title="An atlas of songs of northern frogs"))  # type: ignore[arg-type]
    assert changes(engine) == []
    seen(engine, preprint(doi="10.1000/frogs"))
    assert changes(engine) == [(ChangeKind.PUBLISHED, 0, "10.1000/frogs")]


def test_a_difference_has_both_texts_in_it() -> None:
    before, after = "We hear forty frogs sing at night.", "We hear fifty green frogs at night."
    pieces = difference(before, after)
    assert " ".join(text for kind, text in pieces if kind != "new") == before
    assert " ".join(text for kind, text in pieces if kind != "gone") == after
    assert next(piece.text for piece in pieces if piece.kind == "gone") == "forty"
