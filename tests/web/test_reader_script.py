"""The one script of the readers' pages in a real browser: keys in lists, sliders with numbers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core import database
from newsletter.core.database import read_scope
from newsletter.core.models import Interest
from newsletter.core.tokens import Purpose
from newsletter.subscribers.validation import TypedTopic
from tests.conftest import require_program
from tests.support.visits import SIGNER, add_reader, preferences, send_digest, visit


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = database.connect(f"sqlite:///{tmp_path / 'newsletter.db'}")
    database.upgrade(engine)
    return engine


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require_program("chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.innerText"))


def test_keys_go_through_a_digest_and_save_and_do_nothing_while_one_types(
    engine: Engine, browser: Browser
) -> None:
    delivery, papers = send_digest(engine, add_reader(engine), count=3)
    address = f"/feedback/{SIGNER.sign(Purpose.FEEDBACK, str(delivery))}/{papers[0]}/relevant"
    with visit(engine) as client:
        page = browser.new_page()
        page.goto(f"{client.base_url}{address}")
        help_line = page.get_by_text("Keys: j next paper")
        assert not help_line.is_visible()
        page.keyboard.press("?")
        assert help_line.is_visible()
        # The digest's three papers; the first is the one that was pressed in the mail.
        titles = []
        for key in "jjjk":
            page.keyboard.press(key)
            titles.append(focused(page)[-1])
        assert titles == ["2", "3", "3", "2"]
        boxes = page.get_by_label("Save", exact=True)
        page.keyboard.press("s")
        assert [box.is_checked() for box in boxes.all()] == [False, True, False]
        page.keyboard.press("Control+j")
        page.keyboard.press("s")
        assert [box.is_checked() for box in boxes.all()] == [False, False, False]

        page.goto(f"{client.base_url}/")
        field = page.get_by_label("What you care about")
        field.press_sequentially("jks?")
        assert field.input_value() == "jks?"
        assert page.evaluate("document.activeElement.id") == "text"
        page.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["with script", "without"])
def test_a_slider_and_its_number_keep_in_step_and_the_number_is_saved(
    engine: Engine, browser: Browser, scripts: bool
) -> None:
    topic = TypedTopic.read({"name": "Engines", "keywords": ["engine"]})
    reader = add_reader(engine, topics=[topic])
    with visit(engine) as client:
        page = browser.new_context(java_script_enabled=scripts).new_page()
        page.goto(f"{client.base_url}{preferences(reader)}/learned")
        slider = page.locator("input[type=range]")
        number = page.get_by_label("How much engine counts, in percent")
        assert slider.is_visible() == scripts
        if scripts:
            slider.fill("30")
            assert number.input_value() == "30"
            number.fill("65")
            assert slider.input_value() == "65"
            slider.press("ArrowLeft")
            assert number.input_value() == "64"
        number.fill("64")
        page.get_by_role("button", name="Save how much each counts").click()
        page.get_by_text("Saved.").wait_for()
        with read_scope(engine) as session:
            assert session.exec(select(Interest.weight)).one() == pytest.approx(0.64)
        page.get_by_role("button", name="Undo", exact=True).click()
        page.get_by_text("Saved.").wait_for()
        with read_scope(engine) as session:
            assert session.exec(select(Interest.weight)).one() == 1
        page.close()
