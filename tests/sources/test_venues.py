"""Journals and conferences, as the sources that tell them write them."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Paper
from newsletter.papers.search import search
from newsletter.papers.store import store
from newsletter.sources import Source
from newsletter.sources.crossref import Crossref
from newsletter.sources.jsonl import Jsonl
from newsletter.sources.openalex import OpenAlex
from newsletter.sources.openreview import OpenReview
from newsletter.sources.pubmed import PubMed
from tests.support.sources import record


def as_work(kind: str) -> dict[str, Any]:
    place = {"source": {"display_name": "Annals of Looms", "type": kind}}
    return {"results": [{"id": "https://openalex.org/W1", "title": "T", "primary_location": place}]}


def as_note(venue_id: str) -> dict[str, Any]:
    content = {"title": "T", "venue": "LoomConf 2026", "venueid": venue_id}
    return {"notes": [{"id": "a", "content": {k: {"value": v} for k, v in content.items()}}]}


DEPOSIT = {"DOI": "10.1000/1", "title": ["T"], "container-title": ["Annals of Looms", "Ann. Looms"]}
ARTICLE = (
    "<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><Journal>"
    "<Title>Annals of Looms</Title></Journal><ArticleTitle>T</ArticleTitle></Article>"
    "</MedlineCitation></PubmedArticle></PubmedArticleSet>"
)


@pytest.mark.parametrize(
    ("source", "answer", "venue"),
    [
        (Crossref(), {"message": {"items": [DEPOSIT]}}, "Annals of Looms"),
        (OpenAlex(), as_work("journal"), "Annals of Looms"),
        (OpenAlex(), as_work("repository"), ""),
        (OpenReview(), as_note("LoomConf/2026/Conference"), "LoomConf 2026"),
        (OpenReview(), as_note("LoomConf/2026/Conference/Rejected_Submission"), ""),
        (PubMed(), ARTICLE, "Annals of Looms"),
        (Jsonl(), {"title": "T", "venue": "Annals of\nLooms"}, "Annals of Looms"),
        (Jsonl(), {"title": "T", "venue": {"name": "Annals"}}, ""),
    ],
)
def test_a_source_tells_where_a_paper_appeared(source: Source, answer: Any, venue: str) -> None:
    body = answer if isinstance(answer, str) else json.dumps(answer)
    [paper] = source.parse(body.encode(), where="test").records
    assert paper.venue == venue


def test_a_venue_told_later_is_added_and_papers_are_found_by_it(engine: Engine) -> None:
    with session_scope(engine) as session:
        store(session, [record(1), record(2)], seen_at=utc_now())
        store(session, [record(1, venue="Annals of Looms")], seen_at=utc_now())
        store(session, [record(1, venue="Another name")], seen_at=utc_now())
    with read_scope(engine) as session:
        told = session.exec(select(Paper.venue).order_by(col(Paper.id))).all()
        assert told == ["Annals of Looms", ""]
        [found] = search(session, venue="Annals of Looms")
        assert found.external_id == "2609.00001"
        assert search(session, venue="Annals") == []
