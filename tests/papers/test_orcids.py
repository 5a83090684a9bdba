"""ORCIDs of authors: from the sources that tell them, into a table of their own."""

import json

from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.models import AuthorOrcid, Paper
from newsletter.papers.ingest import ingest_pages
from newsletter.papers.orcids import orcids_of
from newsletter.sources import Page
from newsletter.sources.crossref import Crossref
from newsletter.sources.jsonl import Jsonl
from newsletter.sources.openalex import OpenAlex
from newsletter.sources.pubmed import PubMed

JANE, JOHN = "0000-0002-1825-0097", "0000-0002-1694-233X"


def crossref(*authors: dict[str, str]) -> Page:
    work = {"DOI": "10.1000/frogs", "title": ["Frogs of the north"], "author": list(authors)}
    return Crossref().parse(json.dumps({"message": {"items": [work]}}).encode(), where="crossref")


def test_sources_tell_the_orcids_of_their_authors() -> None:
    jane = {"given": "Jane", "family": "Rowe", "suffix": "Jr.", "ORCID": f"http://orcid.org/{JANE}"}
    [paper] = crossref(jane, {"name": "Frog Group"}, {"family": "Poe", "ORCID": "junk"}).records
    assert paper.authors == ("Jane Rowe Jr.", "Frog Group", "Poe")
    assert paper.orcids == (("Jane Rowe Jr.", JANE),)

    authorship = {"author": {"display_name": "Jane Rowe", "orcid": f"https://orcid.org/{JANE}"}}
    other = {"author": {"display_name": "John Roe", "orcid": None}}
    work = {"id": "https://openalex.org/W1", "title": "Frogs", "authorships": [authorship, other]}
    [paper] = OpenAlex().parse(json.dumps({"results": [work]}).encode(), where="openalex").records
    assert (paper.authors, paper.orcids) == (("Jane Rowe", "John Roe"), (("Jane Rowe", JANE),))

    body = f"""<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article>
        <ArticleTitle>T</ArticleTitle><AuthorList><Author><LastName>Rowe</LastName>
        <Initials>JK</Initials><Suffix>Jr</Suffix>
        <Identifier Source="ORCID">https://orcid.org/{JANE}</Identifier></Author></AuthorList>
        </Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"""
    [paper] = PubMed().parse(body.encode(), where="pubmed").records
    assert (paper.authors, paper.orcids) == (("J. K. Rowe Jr",), (("J. K. Rowe Jr", JANE),))

    line = json.dumps({"title": "T", "authors": [{"name": "Rowe, Jane", "orcid": JANE}, "A. Poe"]})
    [paper] = Jsonl().parse(line.encode(), where="file").records
    assert (paper.authors, paper.orcids) == (("Jane Rowe", "A. Poe"), (("Jane Rowe", JANE),))


def test_orcids_are_stored_once_and_found_by_the_names_of_another_source(engine: Engine) -> None:
    feed = Jsonl().parse(
        json.dumps(
            {
                "title": "Frogs of the north",
                "doi": "10.1000/frogs",
                "authors": ["J. Rowe", "A. Poe"],
            }
        ).encode(),
        where="file",
    )
    jane = {"given": "Jane", "family": "Rowe", "ORCID": JANE}
    john = {"given": "John", "family": "Roe", "ORCID": JOHN}
    for page in (feed, crossref(jane), crossref(jane, john)):
        ingest_pages(engine, "test", [page])
    with Session(engine) as session:
        [paper] = session.exec(select(Paper)).all()
        stored = session.exec(select(AuthorOrcid.name, AuthorOrcid.orcid)).all()
        assert sorted(stored) == [("Jane Rowe", JANE), ("John Roe", JOHN)]
        # The paper's own list stays a list of names.
        assert paper.authors == ["J. Rowe", "A. Poe"]
        assert orcids_of(session, paper.id or 0, paper.authors) == {"J. Rowe": JANE}
