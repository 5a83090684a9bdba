"""Before a sign-up: papers to pick from and a first digest, of which nothing is stored."""

import re
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import Feedback, InterestKind
from newsletter.web import fields, onboarding
from newsletter.web.rate_limit import MOST, Limited
from tests.conftest import require_program
from tests.support.factories import make_paper
from tests.support.signing_up import confirm, interests
from tests.support.visits import EMAIL, everything, visit
from tests.support.whole_service import service

KINDS = {
    "cs.RO": "A robot arm learns to grasp {} by touch",
    "cs.CL": "A language model translates {} between rare languages",
    "q-bio.GN": "Genome sequencing of {} in deep sea bacteria",
}


@pytest.fixture
def site(engine: Engine) -> Engine:
    """Twenty papers of each of three kinds."""
    with session_scope(engine) as session:
        for place, (category, title) in enumerate(KINDS.items()):
            for number in range(1, 21):
                words = title.format(f"object {number}")
                make_paper(
                    session,
                    place * 100 + number,
                    title=words,
                    abstract=f"{words}. We show that it works in {number} of 20 trials.",
                    categories=[category],
                )
    return engine


def cards(page: httpx.Response) -> list[str]:
    """The titles that can be picked anew."""
    return re.findall(r'class="title" dir="auto">([^<]+)<', page.text)


def values(page: httpx.Response, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="(\d+)"', page.text)


def unlimited(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: stored for name, stored in rows.items() if name != "rate_limit"}


def test_picks_and_fields_reshape_the_cards_and_nothing_is_stored_before_the_sign_up(
    site: Engine,
) -> None:
    before = everything(site)
    with visit(site) as client:
        first = client.get("/sign-up")
        assert len(cards(first)) == 12
        assert all(any(word in title for title in cards(first)) for word in ("robot", "language"))
        assert "Robotics" in first.text  # a field in plain words
        robots = [
            number
            for number, title in zip(values(first, "pick"), cards(first), strict=True)
            if "robot" in title
        ]
        form = {"pick": robots[:1], "offered": values(first, "offered")}
        like_it = client.post("/sign-up/papers", data=form)
        assert "robot" in cards(like_it)[0]
        assert not set(cards(like_it)) & set(cards(first))
        assert f'value="{robots[0]}" checked' in like_it.text
        genes = client.post("/sign-up/papers", data={"categories": ["q-bio.GN", "math.XX"]})
        assert all(title.startswith("Genome") for title in cards(genes))
        assert 'value="q-bio.GN" checked' in genes.text
        assert "math.XX</textarea>" in genes.text  # no chip stands for it
        assert unlimited(everything(site)) == unlimited(before)

        last = {"email": EMAIL, "categories": ["cs.RO", "cs.CL, math.NA"], "pick": robots[:1]}
        assert client.post("/sign-up", data=last).status_code == 200
        confirm(client, site)
    assert interests(site) == {
        (InterestKind.CATEGORY, name) for name in ("cs.RO", "cs.CL", "math.NA")
    }
    with read_scope(site) as session:
        assert [row.paper_id for row in session.exec(select(Feedback))] == [int(robots[0])]


def test_the_first_digest_follows_fields_and_picks_and_needs_no_address(site: Engine) -> None:
    before = everything(site)
    with visit(site) as client:
        page = client.post("/sign-up/preview", data={"categories": "q-bio.GN"})
        assert page.status_code == 200
        shown = page.text.split('id="preview"')[1]
        assert "Genome sequencing" in shown
        assert "robot arm" not in shown.split("<h3")[1]
        first = client.get("/sign-up")
        pick = next(
            number
            for number, title in zip(values(first, "pick"), cards(first), strict=True)
            if "robot" in title
        )
        form = {"pick": pick, "categories": "cs.RO"}
        picked = client.post("/sign-up/preview", data=form).text.split('id="preview"')[1]
        assert "robot arm" in picked
        assert f'/paper/{pick}"' not in picked  # it is known already
    assert unlimited(everything(site)) == unlimited(before)


def test_odd_numbers_wrong_words_and_other_sites_are_borne(sqlite_engine: Engine) -> None:
    with visit(sqlite_engine) as client:
        odd = {"pick": ["999999999", "x", "-1"], "offered": ["7"] * 200, "categories": "<b>"}
        for path in ("/sign-up/papers", "/sign-up/preview"):
            page = client.post(path, data=odd)
            assert page.status_code in {200, 422}
            assert "<b>" not in page.text
            elsewhere = client.post(path, data={}, headers={"Sec-Fetch-Site": "cross-site"})
            assert elsewhere.status_code == 403
        too_long = client.post("/sign-up/preview", data={"text": "a" * 2_001})
        assert too_long.status_code == 422
        assert "the maximum is 2000" in too_long.text


def test_looks_per_network_are_limited_and_sign_ups_go_on(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST, Limited.FIRST_LOOK, 2)
    with visit(sqlite_engine) as client:
        paths = ("papers", "preview", "papers", "preview")
        codes = [client.post(f"/sign-up/{path}", data={}).status_code for path in paths]
        assert codes == [200, 200, 429, 429]
        assert client.post("/sign-up", data={"email": EMAIL}).status_code == 200


def test_while_one_visitor_is_served_another_is_told_to_come_back(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onboarding, "_PATIENCE", 0.01)
    with visit(sqlite_engine) as client:
        with onboarding.one_visitor():
            assert client.post("/sign-up/preview", data={}).status_code == 503
        assert client.post("/sign-up/preview", data={}).status_code == 200


def test_the_most_common_fields_are_shown_in_the_order_of_their_words() -> None:
    papers = [["cs.RO", "cs.LG"], ["cs.LG"], ["no.SUCH"], ["cs.CL", "cs.LG"]]
    assert fields.common(papers) == ["cs.CL", "cs.LG", "cs.RO"]
    everywhere = fields.common([[name] for name in fields.IN_WORDS] + [["stat.ML"]])
    assert len(everywhere) == fields.MOST
    assert "stat.ML" in everywhere


def test_choosing_previewing_and_signing_up_in_a_browser_without_script(tmp_path: Path) -> None:
    found: list[str] = []
    with service(tmp_path) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require_program("chromium"), args=["--no-sandbox"]
        )
        for scheme, width in (("light", 1280), ("dark", 360)):
            page = browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme=scheme,  # type: ignore[arg-type]
                java_script_enabled=False,
            ).new_page()
            page.set_default_timeout(20_000)
            page.goto(f"{site.url}/sign-up")
            box = page.locator(".card").first.bounding_box()
            assert box is not None
            assert box["width"] > 200
            page.get_by_label("Machine learning", exact=True).check()
            page.locator(".card input").first.check()
            page.get_by_role("button", name="Show other papers").click()
            page.get_by_text("Picked so far").wait_for()
            assert page.get_by_label("Machine learning", exact=True).is_checked()
            page.locator(".card input").nth(1).check()
            page.get_by_role("button", name="Preview my first digest").click()
            page.get_by_text("Ranked just now").wait_for()
            page.get_by_text("which you liked").first.wait_for()  # the picks count at once
            assert page.locator(".picked input:checked").count() == 2
            filled_in = page.content()
            scripted = browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme=scheme,  # type: ignore[arg-type]
            ).new_page()
            scripted.route("**/sign-up", lambda route: route.fulfill(body=filled_in))  # noqa: B023
            scripted.goto(f"{site.url}/sign-up")
            found += [each["id"] for each in Axe().run(scripted).response["violations"]]
            assert scripted.evaluate("document.scrollingElement.scrollWidth") <= width
            page.get_by_label("Your email address").fill(f"{scheme}@reader.example")
            page.get_by_label("Your email address").press("Enter")
            page.get_by_role("heading", name="Check your inbox").wait_for()
        browser.close()
    assert found == []
