"""How many clicks and page loads the usual ways through the pages take, in a real browser.

`make journeys` prints them as a table.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Feedback, Subscriber, SubscriberStatus
from newsletter.core.tokens import Purpose
from newsletter.subscribers import accounts
from newsletter.subscribers.validation import TypedTopic
from tests.conftest import require_program
from tests.support.visits import EMAIL, SIGNER
from tests.support.whole_service import TODAY, Service, links, service


class Walk:
    """A reader in a browser without scripts, whose clicks and page loads are counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = self.loads = 0
        page.on("load", lambda _: self._loaded())

    def _loaded(self) -> None:
        self.loads += 1

    def open_from_mail(self, link: str) -> None:
        """A link in a mail is a click too."""
        self.clicks = self.loads = 0
        self.clicks += 1
        self.page.goto(link)

    def click(self, role: str, name: str, place: int = 0) -> None:
        self.clicks += 1
        self.page.get_by_role(role, name=name, exact=True).nth(place).click()  # type: ignore[arg-type]

    def fill(self, label: str, value: str) -> None:
        """Typing needs a click into the field first."""
        self.clicks += 1
        self.page.get_by_label(label).first.fill(value)

    def choose_file(self, label: str, name: str, text: str) -> None:
        """The dialogue of the browser is one click."""
        self.clicks += 1
        file = {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
        self.page.get_by_label(label, exact=True).set_input_files(file)  # type: ignore[arg-type]

    @property
    def cost(self) -> tuple[int, int]:
        self.page.wait_for_load_state("load")
        return self.clicks, self.loads


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as running:
        yield running


@pytest.fixture
def walk() -> Iterator[Walk]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require_program("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_context(java_script_enabled=False).new_page()
        page.set_default_timeout(20_000)
        yield Walk(page)
        browser.close()


BIBLIOGRAPHY = """@article{loom, title = {A loom that repairs its own programs},
  author = {Ada Lovelace}, year = {2026}}
"""


@pytest.fixture
def measured(capsys: pytest.CaptureFixture[str]) -> Iterator[dict[str, tuple[int, int]]]:
    """Clicks and page loads by journey; printed at the end."""
    found: dict[str, tuple[int, int]] = {}
    yield found
    with capsys.disabled():
        print("\n| journey | clicks | page loads |\n|---|---|---|")
        for name, (clicks, loads) in found.items():
            print(f"| {name} | {clicks} | {loads} |")


def reader(site: Service) -> Subscriber:
    with read_scope(site.engine) as session:
        return session.exec(select(Subscriber)).one()


def test_the_usual_ways_are_short(
    site: Service, walk: Walk, measured: dict[str, tuple[int, int]]
) -> None:
    with session_scope(site.engine) as session:
        topic = TypedTopic.read({"name": "Repair", "keywords": ["program repair", "agents"]})
        public_id = accounts.add(
            session, SIGNER, email=EMAIL, topics=[topic], confirmed=True, source="test"
        ).public_id
    [digest] = site.send(TODAY)
    preferences = f"{site.url}/preferences/{SIGNER.sign(Purpose.PREFERENCES, public_id)}"

    walk.open_from_mail(links(digest, "/feedback/")[0])
    walk.click("radio", "Relevant", 1)
    walk.click("radio", "Not relevant", 2)
    walk.click("button", "Save ratings")
    walk.page.get_by_role("heading", name="3 ratings saved").wait_for()
    measured["rate three papers from the mail"] = walk.cost
    with read_scope(site.engine) as session:
        assert len(session.exec(select(Feedback)).all()) == 3

    walk.open_from_mail(preferences)
    walk.fill("Keywords", "symbolic execution")
    walk.click("button", "Save")
    walk.page.get_by_role("status").wait_for()
    measured["change interests and save"] = walk.cost

    walk.open_from_mail(preferences)
    walk.fill("Going away?", (utc_now().date() + timedelta(days=14)).isoformat())
    walk.click("button", "Set")
    walk.page.get_by_text("Away until").wait_for()
    measured["set a vacation"] = walk.cost

    with session_scope(site.engine) as session:
        accounts.unsubscribe(session, public_id)
    walk.open_from_mail(preferences)
    assert reader(site).status is SubscriberStatus.UNSUBSCRIBED
    walk.click("button", "Start my digests again")
    walk.page.get_by_text("Welcome back.").wait_for()
    measured["come back after unsubscribing"] = walk.cost
    assert reader(site).status is SubscriberStatus.ACTIVE

    walk.open_from_mail(preferences)
    walk.choose_file("Upload your bibliography", "mine.bib", BIBLIOGRAPHY)
    walk.click("button", "Upload and use it")
    walk.page.get_by_text("1 paper of your bibliography").wait_for()
    measured["upload a bibliography"] = walk.cost

    paper = f"{preferences}/paper/1"
    walk.open_from_mail(paper)
    walk.page.get_by_role("button", name="Follow").first.click()
    walk.clicks += 1
    walk.page.get_by_text("You follow").wait_for()
    measured["follow an author of a paper"] = walk.cost

    assert measured == {
        "rate three papers from the mail": (4, 2),
        "change interests and save": (3, 2),
        "set a vacation": (3, 2),
        "come back after unsubscribing": (2, 2),
        "upload a bibliography": (3, 2),
        "follow an author of a paper": (2, 2),
    }
