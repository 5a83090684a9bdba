"""Papers lead on: to their authors' and categories' papers, feeds of searches, files to keep."""

import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from sqlalchemy import Engine

from newsletter.core.database import session_scope
from newsletter.core.models import Signal
from newsletter.core.tokens import Purpose
from newsletter.ranking.profiles import feedback
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.bibliography.exchange import as_csl, as_ris
from tests.support.factories import make_paper
from tests.support.visits import SIGNER, add_reader, preferences, reader_of, send_digest, visit

ATOM = "{http://www.w3.org/2005/Atom}"
SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"


def test_a_paper_leads_to_its_authors_categories_pdf_and_doi(engine: Engine) -> None:
    with session_scope(engine) as session:
        number = make_paper(session, 5, doi="10.5555/a<b", version=3).id
        other = make_paper(session, 6, source="openalex", external_id="W1").id
    with visit(engine) as client:
        page = client.get(f"/paper/{number}").text
        assert 'href="/search?q=Ada%20Lovelace&amp;sort=newest"' in page
        assert 'href="/search?category=cs.SE&amp;sort=newest"' in page
        assert 'href="https://arxiv.org/pdf/2611.00005"' in page
        assert 'href="https://doi.org/10.5555/a%3Cb"' in page
        assert ">version 3</a>" in page
        assert "arxiv.org/pdf" not in client.get(f"/paper/{other}").text
        assert "A study of thing 5" in client.get("/search?q=Ada%20Lovelace&sort=newest").text


def test_a_title_in_a_mail_leads_to_why_the_paper_was_sent(engine: Engine) -> None:
    delivery, (one, _) = send_digest(engine, add_reader(engine))
    with session_scope(engine) as session:
        other = make_paper(session, 9).id
    token = SIGNER.sign(Purpose.RECEIPT, str(delivery))
    with visit(engine) as client:
        page = client.get(f"/paper/{one}?why={token}").text
        assert f'href="/receipt/{token}/{one}"' in page
        assert client.get(f"/receipt/{token}/{one}").status_code == 200
        forged = SIGNER.sign(Purpose.VIEW, str(delivery))
        for path in (
            f"/paper/{one}", f"/paper/{one}?why={forged}", f"/paper/{other}?why={token}",
        ):  # fmt: skip
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert "/receipt/" not in answer.text, path


def test_a_search_can_be_followed_in_a_feed_reader(engine: Engine) -> None:
    with session_scope(engine) as session:
        make_paper(session, 1, title="On looms", categories=["cs.AR"])
        make_paper(session, 2, title="On engines & looms \x02", categories=["cs.SE"])
    with visit(engine) as client:
        page = client.get("/search?q=looms").text
        assert 'href="/search/feed.atom?q=looms"' in page
        feed = client.get("/search/feed.atom?q=looms")
        assert feed.headers["content-type"].startswith("application/atom+xml")
        titles = [each.text for each in ElementTree.fromstring(feed.text).iter(f"{ATOM}title")]
        assert len(titles) == 3
        found = client.get("/search/feed.json?category=cs.AR").json()
        assert [item["title"] for item in found["items"]] == ["On looms"]
        assert client.get("/search/feed.atom").status_code == 404
        assert client.get("/search/feed.atom?q=x&since=soon").status_code == 422


def test_browsers_learn_how_to_search_here(engine: Engine) -> None:
    with visit(engine, base_url="https://papers.example", site_name="Papers & more") as client:
        assert 'href="/opensearch.xml"' in client.get("/").text
        answer = client.get("/opensearch.xml")
    root = ElementTree.fromstring(answer.text)
    assert root.findtext(f"{SEARCH}ShortName") == "Papers & more"
    templates = {each.get("template") for each in root.iter(f"{SEARCH}Url")}
    assert "https://papers.example/search?q={searchTerms}" in templates


def test_what_was_liked_is_kept_as_three_kinds_of_file(engine: Engine) -> None:
    reader = add_reader(engine)
    _, (one, two) = send_digest(engine, reader)
    with session_scope(engine) as session:
        own = row_id(reader_of(session, reader))
        feedback.record(session, own, one, Signal.SAVED)
        feedback.record(session, own, two, Signal.NOT_RELEVANT)
    link = preferences(reader)
    with visit(engine) as client:
        assert f'href="{link}/saved.ris"' in client.get(f"{link}/ratings").text
        for ending in ("bib", "ris", "json"):
            text = client.get(f"{link}/saved.{ending}").text
            assert "A study of thing 1" in text, ending
            assert "A study of thing 2" not in text, ending
        forged = f"/preferences/{SIGNER.sign(Purpose.VIEW, reader)}/saved.ris"
        assert client.get(forged).status_code == 404


@pytest.mark.parametrize("title", ["A\r\nER  - \r\nTY  - JOUR", "Ends here\nER  - "])
def test_no_title_ends_a_record_or_begins_another(engine: Engine, title: str) -> None:
    with session_scope(engine) as session:
        at = datetime(2026, 11, 20, tzinfo=UTC)
        paper = make_paper(session, 1, title=title, published_at=at)
        lines = as_ris([paper]).split("\r\n")
        [item] = json.loads(as_csl([paper]))
    assert [line for line in lines if line.startswith(("TY", "ER"))] == ["TY  - GEN", "ER  - "]
    assert item["title"] == title
    assert item["author"][0] == {"literal": "Ada Lovelace"}
    assert item["issued"] == {"date-parts": [[2026, 11, 20]]}


def test_days_weeks_and_months_lead_to_each_other(engine: Engine) -> None:
    seen = datetime(2026, 11, 18, 6, tzinfo=UTC)
    with session_scope(engine) as session:
        make_paper(session, 1, first_seen_at=seen)
        make_paper(session, 2, first_seen_at=seen.replace(day=2))
        make_paper(session, 3, first_seen_at=seen.replace(month=10))
    with visit(engine) as client:
        for span, there, count in (("day", "2026-11-18", 1), ("month", "2026-11-01", 2)):
            page = client.get(f"/{span}/2026-11-18").text
            for other in ("day", "week", "month"):
                assert f'href="/{other}/{there}"' in page
            assert f'href="/{span}/{there}" aria-current=page' in page
            assert f"{count} paper" in page
        assert 'href="/month/2026-10-18" rel="prev"' in client.get("/month/2026-11-18").text
        assert client.get("/month/1900-01-01").status_code == 404


def test_a_field_of_research_is_found_by_its_words_and_filters_alone_are_told_apart(
    engine: Engine,
) -> None:
    with session_scope(engine) as session:
        make_paper(session, 5, title="Of looms", categories=["cs.LG"])
        make_paper(session, 6, title="Of mills", categories=["cs.SE"])
    with visit(engine) as client:
        found = client.get("/search", params={"category": "machine learning"}).text
        assert "Of looms" in found
        assert "Of mills" not in found
        assert '<details class="more" open>' in found
        assert '<details class="more">' in client.get("/search?q=looms").text
        nothing = client.get("/search", params={"category": "q-bio.XX"}).text
        assert "No paper contains" not in nothing
        assert "No paper fits" in nothing


def test_a_readers_pages_lead_to_their_preferences_and_public_ones_to_the_form(
    engine: Engine,
) -> None:
    mine = preferences(add_reader(engine))
    with session_scope(engine) as session:
        paper = make_paper(session, 5).id
    way_in = re.compile(r'<a class="join" href="(.*?)"')
    with visit(engine) as client:
        for path in ("", "/learned", "/ratings", "/saved", "/today", "/library", f"/paper/{paper}"):
            assert way_in.findall(client.get(mine + path).text) == [mine], path
        for path in ("/", "/search", f"/paper/{paper}"):
            assert way_in.findall(client.get(path).text) == ["/sign-up"], path
