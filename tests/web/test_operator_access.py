"""Who gets to the operator's pages: a link that works once, and the session it opened."""

import json
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import col, select, update

from newsletter.core import operator_sessions
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import OperatorSession
from newsletter.web import rate_limit
from newsletter.web.operator import routes
from newsletter.web.rate_limit import Limited
from tests.support.command import Newsletter
from tests.support.operators import new_link, operating, press, token_in
from tests.support.visits import SIGNER, everything, visit


def paths(method: str) -> list[str]:
    """Every path of these pages, with something in its places."""
    all_routes = [route for part in routes.PARTS for route in part.router.routes]
    found = {route.path for route in all_routes if method in route.methods}
    return sorted(filled(f"/operator{path}") for path in found)


def filled(path: str) -> str:
    """A path with something in its places."""
    for name, value in (("date", "2026-11-20"), ("subscriber_id", "1"), ("token", "x")):
        path = path.replace(f"{{{name}}}", value)
    return path


def test_a_link_opens_one_session_and_works_once(engine: Engine) -> None:
    link = new_link(engine)
    with visit(engine) as client:
        before = everything(engine)
        for method in ("GET", "HEAD", "GET"):
            assert client.request(method, link).status_code == 200
        assert everything(engine) == before
        assert client.get("/operator").status_code == 404
        opened = client.post(link)
        assert (opened.status_code, opened.headers["location"]) == (303, "/operator")
        page = client.get("/operator")
        assert page.status_code == 200
        assert page.headers["x-robots-tag"] == "noindex"
        assert page.headers["cache-control"] == "no-store"
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
    with visit(engine) as another:
        for method in ("GET", "POST"):
            again = another.request(method, link)
            assert again.status_code == 404
            assert "set-cookie" not in again.headers
        assert another.get("/operator").status_code == 404


def test_two_browsers_that_open_one_link_at_once_get_one_session(engine: Engine) -> None:
    token = new_link(engine).rpartition("/")[2]
    now = utc_now()
    opened = []
    for _ in range(2):
        with session_scope(engine) as session:
            opened.append(operator_sessions.open_session(session, SIGNER, token, now))
    assert opened[0] is not None
    assert opened[1] is None


@pytest.mark.parametrize("base_url", ["https://papers.example", "http://127.0.0.1:8000"])
def test_the_cookie_is_for_this_host_alone_and_no_script_reads_it(
    sqlite_engine: Engine, base_url: str
) -> None:
    with visit(sqlite_engine, base_url=base_url) as client:
        answer = client.post(new_link(sqlite_engine, hours=3))
    cookie = SimpleCookie(answer.headers["set-cookie"])
    [(name, found)] = cookie.items()
    is_https = base_url.startswith("https")
    assert name == ("__Host-operator" if is_https else "operator")
    assert bool(found["secure"]) is is_https
    assert found["httponly"]
    assert found["samesite"].lower() == "strict"
    assert (found["path"], found["domain"], found["max-age"]) == ("/", "", "10800")


def test_lists_under_one_host_name_have_cookies_of_their_own(sqlite_engine: Engine) -> None:
    with visit(sqlite_engine, base_url="https://papers.example/physics") as client:
        answer = client.post(f"/physics{new_link(sqlite_engine)}")
    assert answer.headers["location"] == "/physics/operator"
    assert answer.headers["set-cookie"].startswith("__Host-operator-physics=")


def test_the_session_has_a_secret_that_nobody_chose(sqlite_engine: Engine) -> None:
    # Fixation: whatever cookie the browser brings, and all who have seen the link.
    link = new_link(sqlite_engine)
    with visit(sqlite_engine) as client:
        brought = "a" * 43
        answer = client.post(link, headers={"Cookie": f"operator={brought}"})
        secret = SimpleCookie(answer.headers["set-cookie"])["operator"].value
        assert secret not in {brought, link.rpartition("/")[2]}
        client.cookies.clear()
        for guess in (brought, link.rpartition("/")[2], secret[:-1], secret + "x", "", "x" * 5000):
            headers = {"Cookie": f"operator={guess}"}
            assert client.get("/operator", headers=headers).status_code == 404


def test_the_database_holds_no_secret(sqlite_engine: Engine) -> None:
    link = new_link(sqlite_engine)
    with visit(sqlite_engine) as client:
        secret = SimpleCookie(client.post(link).headers["set-cookie"])["operator"].value
        token = token_in(client.get("/operator"))
    kept = str(everything(sqlite_engine)["operator_session"])
    for each in (link.rpartition("/")[2], secret, token):
        assert each not in kept


def test_a_link_and_a_session_end_in_time(sqlite_engine: Engine) -> None:
    late = new_link(sqlite_engine)
    past = utc_now() - timedelta(seconds=1)
    with session_scope(sqlite_engine) as session:
        session.execute(update(OperatorSession).values(link_until=past))
    with operating(sqlite_engine) as client:
        assert client.get(late).status_code == 404
        assert client.post(late).status_code == 404
        with session_scope(sqlite_engine) as session:
            used = col(OperatorSession.until).is_not(None)
            session.execute(update(OperatorSession).where(used).values(until=past))
        assert client.get("/operator").status_code == 404
    # What is over goes when the next link is made.
    new_link(sqlite_engine)
    with read_scope(sqlite_engine) as session:
        assert len(session.exec(select(OperatorSession)).all()) == 1


def test_a_stranger_finds_no_page_and_no_hint_of_one(sqlite_engine: Engine) -> None:
    with visit(sqlite_engine) as client:
        nowhere = client.get("/nowhere").text
        for path in paths("GET"):
            if "/open/" not in path:
                answer = client.get(path)
                assert (answer.status_code, answer.text) == (404, nowhere), path
        for path in ("/", "/search", "/sign-up", "/account", "/privacy", "/robots.txt"):
            assert "operator" not in client.get(path).text.replace("operator of", ""), path


def test_signing_out_ends_the_session_in_the_database_too(sqlite_engine: Engine) -> None:
    with operating(sqlite_engine) as client:
        cookies = dict(client.cookies)
        assert press(client, "/operator/close").status_code == 200
        client.cookies.update(cookies)
        assert client.get("/operator").status_code == 404


def changes() -> list[str]:
    """Every path that a form of these pages is posted to."""
    return [path for path in paths("POST") if path != "/operator/open/x"]


def test_no_change_is_made_without_the_token_of_this_very_session(sqlite_engine: Engine) -> None:
    with operating(sqlite_engine) as other:
        anothers = token_in(other.get("/operator"))
        with operating(sqlite_engine) as client:
            own = token_in(client.get("/operator"))
            assert own != anothers
            before = everything(sqlite_engine)
            for path in changes():
                for wrong in ({}, {"token": ""}, {"token": anothers}, {"token": own[:-1] + "é"}):
                    assert client.post(path, data=wrong).status_code == 403, path
                cross = {"Sec-Fetch-Site": "cross-site"}
                assert client.post(path, data={"token": own}, headers=cross).status_code == 403
                assert client.get(path).status_code in {200, 404, 405}, path
            assert everything(sqlite_engine) == before


def test_a_stranger_who_posts_finds_nothing_either(sqlite_engine: Engine) -> None:
    with visit(sqlite_engine) as client:
        for path in changes():
            assert client.post(path, data={"token": "0" * 64}).status_code == 404, path


def test_guessing_links_is_slowed_down(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rate_limit.MOST, Limited.OPERATOR_LINK, 2)
    with visit(sqlite_engine) as client:
        answers = [client.post(f"/operator/open/{'x' * size}") for size in (43, 5000, 43)]
        assert [answer.status_code for answer in answers] == [404, 404, 429]
        assert client.post(new_link(sqlite_engine)).status_code == 429


def test_another_site_cannot_press_the_button_of_a_link(sqlite_engine: Engine) -> None:
    with visit(sqlite_engine) as client:
        link = new_link(sqlite_engine)
        assert client.post(link, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert client.post(link).status_code == 303


def test_the_command_prints_a_link_and_ends_all_sessions(engine: Engine, tmp_path: Path) -> None:
    newsletter = Newsletter(engine, tmp_path)
    code, said, told = newsletter.run("operator-link", "--hours", "2")
    assert code == 0
    [link] = said.splitlines()
    assert "works once" in told
    found = json.loads(newsletter.run("operator-link", "--json")[1])
    assert found["hours"] == 8
    assert found["link"].startswith(link.rpartition("/")[0])
    with operating(engine) as client:
        assert client.get("/operator").status_code == 200
        code, said, _ = newsletter.run("operator-link", "--revoke")
        assert (code, said) == (0, "3 open sessions and links ended\n")
        assert client.get("/operator").status_code == 404
        assert client.post(httpx.URL(link).path).status_code == 404
    assert newsletter.run("operator-link", "--revoke")[1].startswith("0 open")
    for hours in ("0", "-1", "169", "x"):
        assert newsletter.run("operator-link", "--hours", hours)[0] == 2
