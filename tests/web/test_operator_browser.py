"""The operator's pages in a real browser: by axe, on a small phone, by keyboard, with and without
JavaScript.
"""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.config import Settings
from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryStatus,
    Edition,
    EditionStatus,
)
from newsletter.web import create_app
from tests.conftest import require_program
from tests.support.live_site import serving
from tests.support.operators import fill_every_page, new_link, pages_of
from tests.support.visits import KEY

DATE = utc_now().date()
EDITION = f"/operator/editions/{DATE}"
PAGES = pages_of(DATE)
DARK = ("", "/subscribers/1", "/bounces", "/suppressions", f"/editions/{DATE}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require_program("chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def url(sqlite_engine: Engine) -> Iterator[str]:
    """The site with an edition in the middle, and something on every page."""
    with session_scope(sqlite_engine) as session:
        fill_every_page(session, DATE)
    settings = Settings(secret_keys=KEY, from_address="papers@papers.example")
    with serving(create_app(sqlite_engine, settings)) as found:
        yield found


def sign_in(browser: Browser, url: str, engine: Engine, **options: object) -> Page:
    """A signed-in page that fails the test when it asks another site for anything."""
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(20_000)

    def refuse(request: object) -> None:
        asked = str(getattr(request, "url", ""))
        assert asked.startswith((url, "data:")), f"a page asked for {asked}"

    page.on("request", refuse)
    page.goto(url + new_link(engine))
    page.get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="Today").wait_for()
    return page


def test_axe_finds_nothing_and_no_page_is_wider_than_a_small_phone(
    browser: Browser, url: str, sqlite_engine: Engine
) -> None:
    page = sign_in(browser, url, sqlite_engine)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    found: list[str] = []
    for scheme, width in (("light", 1280), ("dark", 320)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        for path in PAGES:
            page.goto(f"{url}/operator{path}")
            assert "owned" not in page.title()
            wide = page.evaluate("document.scrollingElement.scrollWidth")
            if wide > width:
                found.append(f"{path}: {wide} pixels wide in a window of {width}")
            # What is dark is the same everywhere: a few pages have all of it.
            if scheme == "dark" and path not in DARK:
                continue
            results = Axe().run(page)
            found += [
                f"{path}, {scheme}: {each['id']} {each['help']} {each['nodes'][0]['html'][:150]}"
                for each in results.response["violations"]
            ]
    assert not found, "\n".join(found)
    assert [line for line in errors if "Content Security Policy" in line] == []


def test_counts_move_by_themselves_until_they_are_told_to_stop(
    browser: Browser, url: str, sqlite_engine: Engine
) -> None:
    page = sign_in(browser, url, sqlite_engine)
    page.get_by_role("link", name="Who did not get it, and why").focus()
    assert page.locator("dd", has_text="3 of 59").is_visible()
    with session_scope(sqlite_engine) as session:
        for row in session.exec(select(Delivery).where(Delivery.status == DeliveryStatus.QUEUED)):
            row.status, row.finished_at = DeliveryStatus.SENT, utc_now()
    page.locator("dd", has_text="59 of 59").wait_for()
    # Whoever is there with a keyboard is still there.
    assert "Who did not" in page.evaluate("document.activeElement.textContent")
    page.get_by_role("button", name="Stop updating").click()
    with session_scope(sqlite_engine) as session:
        session.exec(select(Delivery)).first().status = DeliveryStatus.QUEUED  # type: ignore[union-attr]
    page.wait_for_timeout(4000)
    assert page.locator("dd", has_text="59 of 59").is_visible()
    page.get_by_role("button", name="Update by itself").click()
    page.locator("dd", has_text="58 of 59").wait_for()


def test_an_edition_is_paused_resumed_and_cancelled_by_keyboard_without_javascript(
    browser: Browser, url: str, sqlite_engine: Engine
) -> None:
    page = sign_in(browser, url, sqlite_engine, java_script_enabled=False)

    def state() -> EditionStatus:
        with session_scope(sqlite_engine) as session:
            return session.exec(select(Edition)).one().status

    def press(role: str, name: str) -> None:
        page.get_by_role(role, name=name, exact=True).focus()  # type: ignore[arg-type]
        page.keyboard.press("Enter")

    page.goto(url + EDITION)
    press("button", "Pause")
    page.get_by_role("status").wait_for()
    assert state() is EditionStatus.PAUSED
    press("button", "Resume")
    page.get_by_text("No longer paused").wait_for()
    press("button", "Queue these again")
    page.get_by_text("Queued again: 3.").wait_for()
    press("link", "Cancel…")
    page.get_by_role("button", name="Cancel for good").wait_for()
    assert state() is EditionStatus.READY
    press("button", "Cancel for good")
    page.get_by_text("Cancelled: 59").wait_for()
    assert state() is EditionStatus.CANCELLED
    press("button", "Sign out")
    page.get_by_role("heading", name="You are signed out").wait_for()
    answer = page.goto(f"{url}/operator")
    assert answer is not None
    assert answer.status == 404
