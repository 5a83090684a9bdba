"""What everybody may see: days, papers, search, feeds, privacy."""

import json
from xml.etree import ElementTree

import pytest
from sqlalchemy import Engine

from newsletter.core.database import session_scope, utc_now
from tests.support.factories import make_paper
from tests.support.visits import add_reader, send_digest, visit

DAY = "2026-11-20"


@pytest.fixture
def delivery(engine: Engine) -> tuple[int, list[int]]:
    return send_digest(engine, add_reader(engine), count=6)


@pytest.mark.usefixtures("delivery")
def test_the_front_page_lists_the_newest_day_with_ways_to_others(engine: Engine) -> None:
    with session_scope(engine) as session:
        old = utc_now().replace(year=2026, month=11, day=18)
        make_paper(session, 50, title="An older study of looms", first_seen_at=old)
    with visit(engine) as client:
        front = client.get("/").text
        assert "A study of thing 1" in front
        assert "older study" not in front
        assert "/day/2026-11-18" in front
        assert "An older study" in client.get("/day/2026-11-18").text
        assert f'href="/day/{DAY}" rel="next"' in client.get("/day/2026-11-18").text
        week = client.get(f"/week/{DAY}").text
        assert "An older study" in week
        assert "A study of thing 1" in week
        assert "No papers" in client.get("/day/2020-01-01").text


@pytest.mark.usefixtures("delivery")
def test_odd_addresses_are_pages_and_no_errors(engine: Engine) -> None:
    odd = {
        "/day/nonsense": 422,
        "/day/0001-01-01": 404,
        "/day/9999-12-31": 404,
        "/week/9999-12-31": 404,
        "/day/2026-11-20?page=0": 422,
        "/day/2026-11-20?page=99999999999999999999": 422,
        "/paper/0": 422,
        "/paper/999999": 404,
        "/paper/99999999999999999999": 422,
        "/search?since=yesterday": 422,
        "/search?since=0001-01-01": 404,
        "/search?q=%00&category=%00": 200,
        "/search?q=" + "x" * 300: 422,
        "/feed/nonsense": 404,
        "/nowhere": 404,
    }
    with visit(engine) as client:
        for path, code in odd.items():
            answer = client.get(path)
            assert answer.status_code == code, path
            assert "<h1" in answer.text


@pytest.mark.usefixtures("delivery")
def test_a_search_finds_and_pages_on(engine: Engine) -> None:
    with session_scope(engine) as session:
        for number in range(100, 160):
            make_paper(session, number, title=f"Loom number {number}", categories=["cs.AR"])
    with visit(engine) as client:
        first = client.get("/search?q=loom&category=cs.AR").text
        assert first.count("<li>") == 50
        assert "/search?q=loom&amp;category=cs.AR&page=2" in first
        assert client.get("/search?q=loom&category=cs.AR&page=2").text.count("<li>") == 10
        assert "Nothing found" in client.get("/search?q=loom&category=cs.SE").text


def test_text_from_sources_is_escaped_and_links_only_to_the_web(engine: Engine) -> None:
    with session_scope(engine) as session:
        evil = "<img src=x onerror=alert(1)>"
        paper = make_paper(
            session, 1, title=evil, abstract=evil, authors=[evil], categories=[evil],
            url="javascript:alert(1)", code_url="data:text/html,x", project_url="https://ok.example/p",
        ).id  # fmt: skip
    with visit(engine) as client:
        for path in ("/", f"/paper/{paper}", "/search?q=alert", "/feed.atom"):
            page = client.get(path).text
            assert "<img" not in page
            assert "javascript:" not in page
        assert 'href="https://ok.example/p"' in client.get(f"/paper/{paper}").text


@pytest.mark.usefixtures("delivery")
def test_each_day_is_an_atom_and_a_json_feed(engine: Engine) -> None:
    with session_scope(engine) as session:
        seen = utc_now().replace(year=2026, month=11, day=20)
        make_paper(
            session, 60, title="Odd \x0b control", abstract="a ]]> b & c", first_seen_at=seen
        )
    with visit(engine, base_url="https://papers.example") as client:
        atom = client.get(f"/day/{DAY}/feed.atom")
        newest = client.get("/feed.atom")
        feed = json.loads(client.get(f"/day/{DAY}/feed.json").text)
        assert json.loads(client.get("/feed.json").text)["items"] == feed["items"]
    space = {"a": "http://www.w3.org/2005/Atom"}
    for text in (atom.text, newest.text):
        entries = ElementTree.fromstring(text).findall("a:entry", space)
        assert len(entries) == 7
        for entry in entries:
            for name in ("a:id", "a:title", "a:updated"):
                assert entry.findtext(name, None, space)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["items"][0]["url"].startswith("https://papers.example/paper/")


def test_an_empty_site_has_all_its_pages(engine: Engine) -> None:
    with visit(engine) as client:
        for path in (
            "/",
            "/search",
            "/sign-up",
            "/feed.atom",
            "/feed.json",
            "/privacy",
            "/account",
        ):
            assert client.get(path).status_code == 200, path


def test_the_privacy_page_follows_the_settings(sqlite_engine: Engine) -> None:
    with visit(sqlite_engine) as client:
        assert "We do not count clicks" in client.get("/privacy").text
    with visit(sqlite_engine, count_clicks=True, postal_address="1 Paper Street") as client:
        page = client.get("/privacy").text
    assert "records which papers of a digest were" in page
    assert "do not count" not in page
    assert "1 Paper Street" in page
