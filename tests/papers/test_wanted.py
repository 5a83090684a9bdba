"""Papers that readers named and that are not here are asked for, a few times, and are no news."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import (
    FetchLog,
    Interest,
    InterestKind,
    Paper,
    PaperAlias,
    PaperLookup,
    Topic,
)
from newsletter.papers.wanted import MOST_A_RUN, MOST_TIMES, LookedUp, look_up, wanted
from newsletter.subscribers.library import settle
from tests.support.factories import make_paper, make_subscriber
from tests.support.sources import fetcher

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"
 xmlns:o="http://a9.com/-/spec/opensearch/1.1/"><o:totalResults>1</o:totalResults>
 <o:startIndex>0</o:startIndex><entry><id>http://arxiv.org/abs/1706.03762v7</id>
 <title>Attention to looms and their weft</title><summary>We weave.</summary>
 <published>2017-06-12T17:57:34Z</published><author><name>Ada Lovelace</name></author></entry>
 </feed>"""
ARTICLE = """<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>{pmid}</PMID><Article>
 <ArticleTitle>Wheeze number {pmid} in small children</ArticleTitle>
 <ELocationID EIdType="doi">10.1000/p.{pmid}</ELocationID></Article></MedlineCitation>
 </PubmedArticle></PubmedArticleSet>"""


class Sources:
    """arXiv, Crossref and PubMed; remembers what they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        self.asked.append(f"{url.host}{url.path}")
        if url.host in self.down:
            return httpx.Response(503)
        if url.host == "export.arxiv.org":
            self.asked[-1] += f" {url.params['id_list']}"
            return httpx.Response(200, text=ATOM)
        if url.host == "api.crossref.org":
            named = url.params.get("filter", "")
            self.asked[-1] += f" {named}"
            work = {"DOI": "10.1000/OLD", "title": ["Mills of the north and their wheels"]}
            works = [work] if "10.1000/old" in named else []
            return httpx.Response(200, content=json.dumps({"message": {"items": works}}))
        if "esearch" in url.path:
            found = {"idlist": ["555"], "count": "1"}
            return httpx.Response(200, content=json.dumps({"esearchresult": found}))
        return httpx.Response(200, text=ARTICLE.format(pmid=url.params["id"].split(",")[0]))


def topic_of(session: Session, *references: str, **more: Any) -> int:
    """A reader's topic with titles of papers that are known by these names."""
    subscriber = make_subscriber(session, **more)
    topic = Topic(subscriber_id=subscriber.id or 0, name="Looms")
    session.add(topic)
    session.flush()
    session.add_all(
        Interest(
            topic_id=topic.id or 0,
            kind=InterestKind.TEXT,
            value=f"Title of {reference or 'nothing'}",
            reference=reference,
        )
        for reference in references
    )
    return topic.id or 0


def test_papers_are_found_at_their_sources_and_become_examples(engine: Engine) -> None:
    sources = Sources()
    names = ("1706.03762", "10.1000/old", "10.1000/unknown", "pmid:777", "pmc:4444", "")
    with session_scope(engine) as session:
        topic = topic_of(session, *names)
        typed = Interest(topic_id=topic, kind=InterestKind.SEED_PAPER, value="10.1000/typed")
        session.add_all([typed, Interest(topic_id=topic, kind=InterestKind.TEXT, value="Looms")])
    with fetcher(sources) as client:
        done = look_up(engine, client, now=NOW)
    assert done == LookedUp(asked=6, found=4)
    assert sources.asked == [
        "export.arxiv.org/api/query 1706.03762",
        "api.crossref.org/works doi:10.1000/old,doi:10.1000/typed,doi:10.1000/unknown",
        "eutils.ncbi.nlm.nih.gov/entrez/eutils/efetch.fcgi",
        "eutils.ncbi.nlm.nih.gov/entrez/eutils/esearch.fcgi",
        "eutils.ncbi.nlm.nih.gov/entrez/eutils/efetch.fcgi",
    ]
    with session_scope(engine) as session:
        assert settle(session) == 4
    with read_scope(engine) as session:
        interests = {(row.kind, row.value) for row in session.exec(select(Interest))}
        papers = session.exec(select(Paper)).all()
        # They are no announcement: no digest counts them, and none may hold them as new.
        assert session.exec(select(FetchLog)).all() == []
    assert interests == {
        (InterestKind.SEED_PAPER, "1706.03762"),
        (InterestKind.SEED_PAPER, "10.1000/old"),
        (InterestKind.SEED_PAPER, "10.1000/p.777"),
        (InterestKind.SEED_PAPER, "10.1000/p.555"),
        (InterestKind.TEXT, "Title of 10.1000/unknown"),
        (InterestKind.TEXT, "Title of nothing"),
        (InterestKind.SEED_PAPER, "10.1000/typed"),
        (InterestKind.TEXT, "Looms"),
    }
    assert len(papers) == 4
    assert all(paper.first_seen_at < NOW - timedelta(days=31) for paper in papers)


def test_each_name_is_asked_for_a_few_times_with_a_pause(engine: Engine) -> None:
    sources = Sources()
    with session_scope(engine) as session:
        topic_of(session, "10.1000/unknown")
    with fetcher(sources) as client:
        for hours in (0, 1, 24, 25, 48, 72, 96):
            look_up(engine, client, now=NOW + timedelta(hours=hours))
    assert len(sources.asked) == MOST_TIMES
    with read_scope(engine) as session:
        assert session.exec(select(PaperLookup)).one().asked == MOST_TIMES


def test_a_source_that_is_down_costs_no_try_and_does_not_stop_the_others(engine: Engine) -> None:
    sources = Sources()
    sources.down = {"export.arxiv.org"}
    with session_scope(engine) as session:
        topic_of(session, "1706.03762", "10.1000/old")
    with fetcher(sources, attempts=1) as client:
        done = look_up(engine, client, now=NOW)
        assert (done.asked, done.found, len(done.failures)) == (1, 1, 1)
        assert "503" in done.failures[0]
        sources.down = set()
        assert look_up(engine, client, now=NOW) == LookedUp(asked=1, found=1)
        assert look_up(engine, client, now=NOW) == LookedUp()


def test_what_is_here_is_not_asked_for_and_a_run_is_bounded(engine: Engine) -> None:
    with session_scope(engine) as session:
        for number, (source, name) in enumerate(
            [("arxiv", "1706.03762"), ("doi", "10.1000/old"), ("pubmed", "777")], start=1
        ):
            paper = make_paper(session, number)
            session.add(PaperAlias(paper_id=paper.id or 0, source=source, external_id=name))
        topic_of(session, "1706.03762", "10.1000/old", "pmid:777")
        assert wanted(session, NOW) == []
        many = [f"10.1000/{number}" for number in range(MOST_A_RUN + 50)]
        topic_of(session, *many, email="many@reader.example")
        assert len(wanted(session, NOW)) == MOST_A_RUN


@pytest.mark.parametrize("answer", [b"<html>no</html>", b"{}", b"", b'{"message": {"items": 7}}'])
def test_a_broken_answer_counts_as_an_answer(sqlite_engine: Engine, answer: bytes) -> None:
    with session_scope(sqlite_engine) as session:
        topic_of(session, "1706.03762", "10.1000/a,b", "pmid:1")
    with fetcher(lambda request: httpx.Response(200, content=answer)) as client:
        assert look_up(sqlite_engine, client, now=NOW).found == 0
        assert look_up(sqlite_engine, client, now=NOW).asked == 0
