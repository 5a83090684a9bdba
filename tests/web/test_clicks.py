"""Clicks on papers: counted only if the setting says so, machines told apart, no open redirect."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Delivery, DeliveryEvent, Paper
from newsletter.core.tokens import Purpose
from newsletter.messages.digest import DigestSection
from newsletter.messages.renderer import Renderer
from tests.messages.test_renderer import bodies
from tests.support import digests as mails
from tests.support.factories import make_paper
from tests.support.visits import SIGNER, add_reader, everything, send_digest, visit


@pytest.fixture
def delivery(engine: Engine) -> tuple[int, list[int]]:
    return send_digest(engine, add_reader(engine), count=6)


@pytest.mark.parametrize("case", [{"papers": 6}, {"papers": 50}, {"papers": 0}], ids=str)
def test_counted_links_lead_over_the_site_in_both_parts(case: dict[str, int]) -> None:
    renderer = Renderer(mails.settings(count_clicks=True), mails.signer())
    digest = mails.digest(**case)
    html, text = bodies(renderer.digest(digest).data)
    assert (html, text) == renderer.parts(digest)
    token = mails.signer().sign(Purpose.CLICK, str(digest.delivery_id))
    links = [f"https://papers.example.org/click/{token}/{p.paper_id}" for p in digest.papers]
    # A digest that is too long ends earlier, so the first ones stand for all.
    for link in links[:6]:
        assert f'href="{link}"' in html
        assert f" {link}\n" in text
    assert not [paper.url for paper in digest.papers if f'"{paper.url}"' in html]
    assert not [paper.url for paper in digest.papers if f"{paper.url}\n" in text]


def test_uncounted_links_lead_straight_to_the_papers() -> None:
    digest = mails.digest(6)
    html, text = bodies(Renderer(mails.settings(), mails.signer()).digest(digest).data)
    assert "/click/" not in html + text
    assert all(paper.url in text for paper in digest.papers)


def test_a_bad_link_is_left_out_and_not_counted_either() -> None:
    paper = mails.paper(1, url="javascript:alert(1)")
    digest = mails.digest(sections=(DigestSection("Topic", (paper,)),))
    renderer = Renderer(mails.settings(count_clicks=True), mails.signer())
    html, text = bodies(renderer.digest(digest).data)
    assert "/click/" not in html + text


def clicks(engine: Engine) -> list[str]:
    with read_scope(engine) as session:
        rows = session.exec(select(DeliveryEvent).order_by(DeliveryEvent.provider_event_id))
        return [row.detail for row in rows]


def long_ago(engine: Engine, delivery_id: int) -> None:
    """The digest was delivered, and whatever was clicked was clicked, an hour ago."""
    with session_scope(engine) as session:
        row = session.get(Delivery, delivery_id)
        assert row
        row.finished_at = utc_now() - timedelta(hours=1)
        for event in session.exec(select(DeliveryEvent)):
            event.occurred_at -= timedelta(hours=1)


def test_clicks_are_not_counted_unless_the_setting_says_so(
    engine: Engine, delivery: tuple[int, list[int]]
) -> None:
    number, papers = delivery
    link = f"/click/{SIGNER.sign(Purpose.CLICK, str(number))}/{papers[0]}"
    before = everything(engine)
    with visit(engine) as client:
        answer = client.get(link)
        assert (answer.status_code, answer.headers["location"]) == (
            302,
            "https://arxiv.org/abs/2611.00001",
        )
    assert everything(engine) == before


def test_counted_clicks_tell_machines_from_people(
    engine: Engine, delivery: tuple[int, list[int]]
) -> None:
    number, papers = delivery
    links = [f"/click/{SIGNER.sign(Purpose.CLICK, str(number))}/{paper}" for paper in papers]
    with visit(engine, count_clicks=True) as client:
        assert client.head(links[0]).status_code == 302
        assert clicks(engine) == []
        client.get(links[0])  # seconds after delivery
        assert clicks(engine) == ["machine"]
        long_ago(engine, number)
        for link in (links[1], links[1]):
            client.get(link)
        assert clicks(engine) == ["machine", "person"]


def test_a_redirect_leads_only_to_papers_of_the_digest(
    engine: Engine, delivery: tuple[int, list[int]]
) -> None:
    number, _ = delivery
    with session_scope(engine) as session:
        other = make_paper(session, 99).id
    with visit(engine, count_clicks=True) as client:
        token = SIGNER.sign(Purpose.CLICK, str(number))
        assert client.get(f"/click/{token}/{other}").status_code == 410
        assert client.get(f"/click/{token}?to=https://evil.example").status_code == 404
        assert client.get(f"/click/{token}x/{other}").status_code == 404


def test_many_links_at_once_are_a_machines_from_the_first_on(
    engine: Engine, delivery: tuple[int, list[int]]
) -> None:
    number, papers = delivery
    long_ago(engine, number)
    base = f"/click/{SIGNER.sign(Purpose.CLICK, str(number))}"
    with visit(engine, count_clicks=True) as client:
        for paper in papers[:3]:
            client.get(f"{base}/{paper}")
        assert clicks(engine) == ["person"] * 3
        client.get(f"{base}/{papers[3]}")
        assert clicks(engine) == ["machine"] * 4
        long_ago(engine, number)
        client.get(f"{base}/{papers[0]}")  # a scanner's click hides no reader's
    assert clicks(engine) == ["person", "machine", "machine", "machine"]


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Moz": "prefetch"}],
)
def test_a_prefetching_client_is_a_machine(
    engine: Engine, delivery: tuple[int, list[int]], headers: dict[str, str]
) -> None:
    number, papers = delivery
    long_ago(engine, number)
    link = f"/click/{SIGNER.sign(Purpose.CLICK, str(number))}/{papers[0]}"
    with visit(engine, count_clicks=True) as client:
        client.get(link, headers=headers)
        assert clicks(engine) == ["machine"]
        client.get(link)
        client.get(link, headers=headers)
    assert clicks(engine) == ["person"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "https://a@b.example"])
def test_a_paper_with_a_bad_address_is_led_to_by_nothing(
    engine: Engine, delivery: tuple[int, list[int]], url: str
) -> None:
    number, papers = delivery
    with session_scope(engine) as session:
        paper = session.get(Paper, papers[0])
        assert paper
        paper.url = url
    link = f"/click/{SIGNER.sign(Purpose.CLICK, str(number))}/{papers[0]}"
    for counted in (True, False):
        with visit(engine, count_clicks=counted) as client:
            answers: list[httpx.Response] = [client.get(link), client.head(link)]
        assert [answer.status_code for answer in answers] == [410, 410]
