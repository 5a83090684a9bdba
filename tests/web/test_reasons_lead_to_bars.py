"""Each reason in a mail leads to its bar on "What shapes your digest", and to nothing else."""

import re
from html import unescape

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import Delivery, DigestItem, InterestKind, Paper, Signal, Subscriber
from newsletter.core.tokens import Purpose
from newsletter.editions import preparation
from newsletter.messages import digest
from newsletter.messages.reasons import Reason, clean, divided, reasons_of
from newsletter.messages.renderer import Renderer
from newsletter.ranking.profiles import training
from tests.support import digests as mails
from tests.support.factories import ISSUE_DATE
from tests.support.profiles import add_papers, add_subscriber, add_topic, give
from tests.support.visits import SIGNER, everything, preferences, visit

ADA = "0123456789abcdef"
LINK = re.compile(r'<a [^>]*href="[^"]*?/preferences/([^"/]+)/learned#([^"]+)"[^>]*>([^<]+)</a>')


def test_every_reason_of_a_mail_leads_to_the_bar_that_names_the_same(engine: Engine) -> None:
    with session_scope(engine) as session:
        add_papers(session)
        number = add_subscriber(session, "ada@reader.example", max_papers=6, outside_picks=True)
        session.get_one(Subscriber, number).public_id = ADA
        add_topic(
            session,
            number,
            "Repair",
            (InterestKind.KEYWORD, "program repair", 1.0),
            (InterestKind.CATEGORY, "CS.se", 1.0),
            (InterestKind.AUTHOR, "Author 0", 1.0),
        )
        # The same word in a second topic: a link leads to the bar in its own.
        add_topic(session, number, "Proteins", (InterestKind.KEYWORD, "proteins", 1.0))
        liked = session.exec(select(Paper).order_by(col(Paper.id).desc())).first()
        assert liked is not None
        give(session, number, liked.id or 0, Signal.RELEVANT)
    training.train(engine)
    preparation.prepare(engine, ISSUE_DATE, message_domain="papers.example")
    with read_scope(engine) as session:
        edition = session.exec(select(Delivery.edition_id)).one() or 0
        contents = digest.Contents(digest.load_contents(session, edition))
        number = session.exec(select(Delivery.id)).one() or 0
        loaded = digest.load(session, [number], contents)[number]
        items = session.exec(select(DigestItem)).all()
    renderer = Renderer(mails.settings(), SIGNER)
    html, text = renderer.parts(loaded)
    links = [(token, bar, unescape(said)) for token, bar, said in LINK.findall(html)]
    assert {bar.split("-")[0] for _, bar, _ in links} >= {"keyword", "category"}
    # Forwarded, it opens what the link in the foot of the same mail opens, and no more.
    assert {token for token, _, _ in links} == {SIGNER.sign(Purpose.PREFERENCES, ADA)}
    assert f'/preferences/{links[0][0]}"' in html
    assert sorted(re.findall(r"/learned#(\S+)", text)) == sorted(bar for _, bar, _ in links)
    before = everything(engine)
    with visit(engine) as client:
        page = client.get(f"{preferences(ADA)}/learned").text
        view = client.get(f"/view/{SIGNER.sign(Purpose.VIEW, str(number))}").text
    assert everything(engine) == before
    ids = re.findall(r'id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    for _, bar, said in links:
        place = page.index(f'id="{bar}"')
        named = unescape(re.findall(r"<bdi>([^<]+)</bdi>", page[place:])[0])
        assert re.search(re.escape(named.rstrip("s")), said, re.IGNORECASE), (named, said)
    # The page in the browser has another link's rights: nobody gets to the preferences from it.
    assert "/learned" not in view
    assert "/preferences/" not in view
    for item in items:
        assert len(item.bars.split("\n")) == len(item.explanation.split("\n"))


def test_a_reason_without_a_bar_is_plain_words() -> None:
    paper = mails.paper(1, explanation="Mentions “repair”.\nClose in meaning.", bars="keyword-1-ab")
    made = mails.digest(sections=(digest.DigestSection("Repair", (paper,)),))
    html, text = Renderer(mails.settings(), mails.signer()).parts(made)
    assert [said for _, _, said in LINK.findall(html)] == ["Mentions “repair”."]
    assert "</a> Close in meaning." in html
    assert text.count("Change this reason: ") == 1


def test_what_all_papers_share_is_said_once_with_its_bar() -> None:
    shared = Reason("In cs.SE, a category you follow.", "category-1-x")
    own = Reason("Mentions “repair”.", "keyword-1-y")
    common, rest = divided([(own, shared), (shared,)])
    assert common == (Reason(f"All of these: {shared.text}", shared.bar),)
    assert rest == [(own,), ()]
    assert divided([(own,), (shared,)]) == ((), [(own,), (shared,)])
    papers = tuple(
        mails.paper(n, explanation=shared.text, bars=shared.bar, title=f"Title {n}") for n in (1, 2)
    )
    items = [("Repair", paper) for paper in papers]
    made = mails.digest(sections=digest.sections_of(items))
    html, text = Renderer(mails.settings(), mails.signer()).parts(made)
    assert [bar for _, bar, _ in LINK.findall(html)] == [shared.bar]
    [line] = [line for line in text.splitlines() if "/learned#" in line]
    assert line.startswith("[Repair] Change this reason: https://")
    assert text.index("\nLinks\n") < text.index(line)


@pytest.mark.parametrize(
    "explanation", ["", "\n", "one", "one\ntwo", "one\ntwo\nthree", "\n\nthree"]
)
@pytest.mark.parametrize("bars", ["", "a", "a\nb", "a\nb\nc\nd", "\n\n"])
def test_reasons_survive_bars_that_do_not_fit_them(explanation: str, bars: str) -> None:
    found = clean(reasons_of(explanation, bars))
    assert len(found) <= 2
    assert " ".join(each.text for each in found).split() == explanation.split()
