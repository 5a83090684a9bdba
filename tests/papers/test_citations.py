"""Which papers cite which: told by four services, kept where both papers are known here."""

import json

from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.models import Citation, Paper
from newsletter.papers.ingest import ingest_pages
from newsletter.ranking.profiles.feature_store import _cites
from newsletter.sources import Page
from newsletter.sources.crossref import Crossref
from newsletter.sources.normalise import make
from newsletter.sources.openalex import OpenAlex
from newsletter.sources.pubmed import PubMed
from newsletter.sources.semantic_scholar import SemanticScholar


def test_sources_tell_what_a_paper_cites() -> None:
    work = {
        "id": "https://openalex.org/W1",
        "title": "Frogs",
        "referenced_works": ["https://openalex.org/W2", None],
    }
    [paper] = OpenAlex().parse(json.dumps({"results": [work]}).encode(), where="x").records
    assert paper.references == (("openalex", "W2"),)

    ids = {"ArXiv": "2611.00007", "DOI": "10.48550/arXiv.2611.00007"}
    row = {
        "paperId": "a",
        "title": "Frogs",
        "references": [{"paperId": "b", "externalIds": ids}, {"paperId": None}, None],
    }
    [paper] = SemanticScholar().parse(json.dumps(row).encode(), where="x").records
    assert paper.references == (("arxiv", "2611.00007"), ("semantic-scholar", "b"))

    cited = [{"key": "1", "DOI": "10.1000/OLD"}, {"key": "2", "unstructured": "A book."}]
    item = {"DOI": "10.1000/new", "title": ["Frogs"], "reference": cited}
    [paper] = (
        Crossref().parse(json.dumps({"message": {"items": [item]}}).encode(), where="x").records
    )
    assert paper.references == (("doi", "10.1000/old"),)

    body = b"""<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article>
        <ArticleTitle>T</ArticleTitle></Article></MedlineCitation><PubmedData><ArticleIdList>
        <ArticleId IdType="pubmed">1</ArticleId></ArticleIdList><ReferenceList><Reference>
        <ArticleIdList><ArticleId IdType="pubmed">17</ArticleId>
        <ArticleId IdType="doi">10.1000/old</ArticleId></ArticleIdList></Reference></ReferenceList>
        </PubmedData></PubmedArticle></PubmedArticleSet>"""
    [paper] = PubMed().parse(body, where="x").records
    assert paper.references == (("pubmed", "17"), ("doi", "10.1000/old"))


def test_citations_of_known_papers_are_kept_once_and_follow_a_merge(engine: Engine) -> None:
    old = make(source="arxiv", external_id="2611.00001", arxiv="2611.00001", title="Old frogs")
    twin = make(source="feed", external_id="t", doi="10.1000/old", title="Frogs that are old")
    new = make(
        source="crossref",
        external_id="10.1000/new",
        doi="10.1000/new",
        title="New frogs",
        references=[("doi", "10.1000/OLD"), ("doi", "10.1000/new"), ("doi", "10.1000/elsewhere")],
    )
    both = make(
        source="arxiv",
        external_id="2611.00001",
        arxiv="2611.00001",
        doi="10.1000/old",
        title="Old frogs",
    )
    for record in (old, twin, new, new, both):
        ingest_pages(engine, "test", [Page((record,))])
    with Session(engine) as session:
        numbers = {paper.title: paper.id or 0 for paper in session.exec(select(Paper))}
        assert sorted(numbers) == ["New frogs", "Old frogs"]
        found = session.exec(select(Citation.paper_id, Citation.cited_id)).all()
        assert found == [(numbers["New frogs"], numbers["Old frogs"])]
        assert _cites(session, list(numbers.values())) == {
            numbers["New frogs"]: [numbers["Old frogs"]]
        }
