"""The pages in a real browser: the whole way, with and without JavaScript, by keyboard, by axe."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Delivery, DigestItem, Signal, Subscriber, SubscriberStatus
from newsletter.core.tokens import Purpose
from newsletter.ranking.profiles import feedback
from newsletter.subscribers import accounts, folders
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.validation import TypedTopic
from tests.conftest import require_program
from tests.support.factories import make_paper
from tests.support.visits import EMAIL, SIGNER, everything
from tests.support.whole_service import TODAY, Service, links, service

PHONE, DESKTOP = {"width": 375, "height": 700}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require_program("chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as running:
        yield running


def open_page(browser: Browser, site: Service, **options: object) -> Page:
    """A page that fails the test when it asks another site for anything."""
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(20_000)

    def refuse(request: object) -> None:
        url = str(getattr(request, "url", ""))
        assert url.startswith((site.url, "data:")), f"a page asked for {url}"

    page.on("request", refuse)
    return page


def reader(site: Service) -> Subscriber:
    with read_scope(site.engine) as session:
        found = accounts.find_by_email(session, EMAIL)
        assert found is not None
        return found


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_whole_way_from_sign_up_to_unsubscribe(
    browser: Browser, site: Service, javascript: bool, size: dict[str, int]
) -> None:
    page = open_page(browser, site, java_script_enabled=javascript, viewport=size)
    page.goto(site.url)
    page.get_by_label("Your email address").fill(EMAIL)
    page.get_by_label("What you care about").fill("Repairing programs with language models.")
    page.get_by_role("button", name="Sign up").click()
    page.get_by_role("heading", name="Check your inbox").wait_for()

    [confirmation] = site.send()
    page.goto(links(confirmation, "/confirm/")[0])
    assert reader(site).status is SubscriberStatus.PENDING
    page.get_by_role("button", name="Confirm").click()
    assert reader(site).status is SubscriberStatus.ACTIVE
    page.get_by_role("link", name="Rate ten papers").click()
    page.get_by_role("button", name="Relevant:").first.click()
    page.get_by_text("1 of 10 rated").wait_for()
    page.get_by_role("link", name="Preview today’s digest").click()
    assert page.locator("ol.papers li").count() > 1

    [digest] = site.send(TODAY)
    page.goto(links(digest, "/feedback/")[0])
    page.get_by_role("button").click()
    page.get_by_role("heading", name="Marked as relevant").wait_for()
    # Reasons lead to their bars below the preferences; the shortest link is the page itself.
    page.goto(min(links(digest, "/preferences/"), key=len))
    page.get_by_label("Maximum papers per digest").fill("3")
    page.get_by_label("Muted words").first.fill("quantum")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("status").wait_for()

    with session_scope(site.engine) as session:
        for number in range(1, 9):
            word = "quantum" if number % 2 else "careful"
            title = f"A {word} repair of programs with language models, part {number}"
            make_paper(session, 70_000 + number, title=title, first_seen_at=utc_now())
    [changed] = site.send(TODAY + timedelta(days=1))
    text = changed.part("plain")
    assert "quantum" not in text
    assert text.count("A careful repair") == 3

    page.goto(links(changed, "/unsubscribe/")[0])
    assert reader(site).status is SubscriberStatus.ACTIVE
    page.get_by_role("button", name="Unsubscribe").click()
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    assert reader(site).status is SubscriberStatus.UNSUBSCRIBED
    with session_scope(site.engine) as session:
        make_paper(session, 80_000, first_seen_at=utc_now())
    assert site.send(TODAY + timedelta(days=2)) == []


def subscribe(site: Service) -> str:
    with session_scope(site.engine) as session:
        topic = TypedTopic.read(
            {"name": "Repair", "keywords": ["program repair", "agents"], "mutes": ["quantum"]}
        )
        return accounts.add(
            session, SIGNER, email=EMAIL, topics=[topic], confirmed=True, source="test"
        ).public_id


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has this name is in focus; everything on the way must be visible."""
    for _ in range(200):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(() => { const e = document.activeElement, l = e.labels && e.labels[0];"
            " const r = e.getBoundingClientRect();"
            " return [(e.ariaLabel || (l && l.innerText) || e.innerText || '').trim(),"
            " r.left >= 0 && r.width > 0, getComputedStyle(e).outlineStyle] })()"
        )
        shown, visible, outline = focused
        assert visible, f"the focus is on something out of sight: {shown}"
        assert outline != "none", f"no focus ring on {shown}"
        if shown == name:
            return
    raise AssertionError(f"Tab never reached {name}")


def test_everything_is_done_with_the_keyboard_alone(browser: Browser, site: Service) -> None:
    page = open_page(browser, site, viewport=DESKTOP)
    page.goto(site.url)
    tab_to(page, "Your email address")
    page.keyboard.type(EMAIL)
    tab_to(page, "What you care about")
    page.keyboard.type("Program repair.")
    tab_to(page, "Sign up")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Check your inbox").wait_for()
    [confirmation] = site.send()
    page.goto(links(confirmation, "/confirm/")[0])
    tab_to(page, "Confirm")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your subscription is confirmed").wait_for()
    tab_to(page, "Rate ten papers")
    page.keyboard.press("Enter")
    page.get_by_text("0 of 10 rated").wait_for()
    page.goto(f"{site.url}/unsubscribe/{SIGNER.sign(Purpose.UNSUBSCRIBE, reader(site).public_id)}")
    tab_to(page, "Unsubscribe")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You are unsubscribed").wait_for()


def all_pages(site: Service) -> dict[str, str]:
    """Every page there is, by a short name, with a reader who has judged and got a digest."""
    public_id = subscribe(site)
    site.send(TODAY)
    with session_scope(site.engine) as session:
        own = row_id(reader(site))
        for number, signal in enumerate(Signal, start=1):
            feedback.record(session, own, number, signal)
        delivery = session.exec(select(Delivery)).one()
        paper = session.exec(select(DigestItem.paper_id)).first()
        make_paper(session, 90_000, first_seen_at=utc_now())
        folders.create(session, own, "Read this weekend")
    steer = f"/preferences/{SIGNER.sign(Purpose.PREFERENCES, public_id)}"
    judge = f"/feedback/{SIGNER.sign(Purpose.FEEDBACK, str(delivery.id))}/{paper}"
    receipt = f"/receipt/{SIGNER.sign(Purpose.RECEIPT, str(delivery.id))}/{paper}"
    return {
        "front": "/",
        "week": f"/week/{utc_now().date()}",
        "empty day": "/day/2020-01-01",
        "paper": "/paper/3",
        "search": "/search?q=agents",
        "nothing found": "/search?q=zzzz",
        "sign-up": "/sign-up",
        "privacy": "/privacy",
        "ask for data": "/account",
        "data": f"/account/{SIGNER.sign(Purpose.ERASE, public_id, lifetime=600)}",
        "confirm": f"/confirm/{SIGNER.sign(Purpose.CONFIRM, public_id, lifetime=600)}",
        "unsubscribe": f"/unsubscribe/{SIGNER.sign(Purpose.UNSUBSCRIBE, public_id)}",
        "preferences": steer,
        "delivery": f"{steer}?tab=delivery",
        "preferences account": f"{steer}?tab=account",
        "ratings": f"{steer}/ratings?undo=1&was=relevant",
        "saved": f"{steer}/saved",
        "a reader's paper": f"{steer}/paper/3?did=save",
        "paper from a digest": f"/paper/{paper}?why={receipt.split('/')[2]}",
        "trending": "/?order=trending",
        "bibliography": f"{steer}/library",
        "sign-up filled in": "/sign-up?author=Ada+Lovelace&category=cs.SE&paper=3",
        "learned": f"{steer}/learned",
        "scorecard": f"{steer}/scorecard",
        "sharpen": f"{steer}/sharpen",
        "today": f"{steer}/today",
        "archive": f"/archive/{SIGNER.sign(Purpose.PREFERENCES, public_id)}",
        "view": f"/view/{SIGNER.sign(Purpose.VIEW, str(delivery.id))}",
        "feedback": f"{judge}/relevant",
        "why": f"{steer}/why?paper=program+repair",
        "receipt": receipt,
        "less": f"{receipt}/less?part=interest-1",
        "broken link": "/unsubscribe/x.y",
        "no page": "/nowhere",
    }


def test_axe_finds_nothing_on_any_page_light_and_wide_or_dark_and_narrow(
    browser: Browser, site: Service
) -> None:
    pages = all_pages(site)
    found: list[str] = []
    for scheme, size in (("light", DESKTOP), ("dark", PHONE)):
        page = open_page(browser, site, viewport=size, color_scheme=scheme)
        for name, path in pages.items():
            page.goto(site.url + path)
            results = Axe().run(page)
            found += [
                f"{name}, {scheme}: {violation['id']} {violation['help']}"
                for violation in results.response["violations"]
            ]
    assert found == []


def test_no_page_is_wider_than_a_small_phone(browser: Browser, site: Service) -> None:
    page = open_page(browser, site, viewport={"width": 320, "height": 600})
    too_wide = []
    for name, path in all_pages(site).items():
        page.goto(site.url + path)
        if page.evaluate("document.scrollingElement.scrollWidth") > 320:
            too_wide.append(name)
    assert too_wide == []


def test_rule_5_a_scanner_that_opens_every_link_and_runs_scripts_changes_no_row(
    browser: Browser, site: Service
) -> None:
    subscribe(site)
    [letter] = site.send(TODAY)
    unsubscribe = str(letter.message["List-Unsubscribe"]).split("<https")[0]
    found = {link for link in links(letter) if link.startswith(site.url)}
    found |= {
        word.strip("<>,()")
        for word in [*letter.part("plain").split(), *unsubscribe.split()]
        if word.strip("<>,()").startswith(site.url)
    }
    assert len(found) > 20
    before = everything(site.engine)
    with httpx.Client(follow_redirects=True) as client:
        for link in found:
            for method in ("GET", "HEAD"):
                assert client.request(method, link).status_code == 200, (method, link)
    page = open_page(browser, site)
    for link in sorted(found):
        page.goto(link, wait_until="networkidle")
        page.mouse.move(50, 50)
    page.wait_for_timeout(1000)
    assert everything(site.engine) == before
