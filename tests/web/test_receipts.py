"""The receipt of a mailed paper: parts that add up, less of each tried first, what is instead."""

import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    Announcement,
    Delivery,
    DigestItem,
    Feedback,
    Interest,
    InterestKind,
    Paper,
    Signal,
    Subscriber,
)
from newsletter.core.tokens import Purpose
from newsletter.editions import preparation
from newsletter.ranking.profiles import training
from tests.support.factories import ISSUE_DATE
from tests.support.profiles import NOW, add_papers, add_subscriber, add_topic, give
from tests.support.visits import SIGNER, everything, preferences, visit


@pytest.fixture
def receipts(engine: Engine) -> list[str]:
    """Addresses of the receipts of a prepared digest, in its order."""
    with session_scope(engine) as session:
        add_papers(session)
        number = add_subscriber(
            session, "ada@reader.example", max_papers=3, popularity=40, outside_picks=False
        )
        session.get_one(Subscriber, number).public_id = "0123456789abcdef"
        add_topic(
            session,
            number,
            "Repair",
            (InterestKind.KEYWORD, "program repair", 1.0),
            *(
                (InterestKind.KEYWORD, word, 1.0)
                for word in ("compilers", "bugs", "proteins", "matter")
            ),
            (InterestKind.CATEGORY, "cs.SE", 1.0),
            (InterestKind.AUTHOR, "Author 0", 1.0),
        )
        # A like counts for the papers that share words with it, so one that shares some is liked.
        liked = Paper(
            source="test",
            external_id="liked",
            title="Repairing a program by ranking its patches",
            abstract="We rank patches for bugs that were found by fuzzing.",
            authors=["Author 20"],
            categories=["cs.PL"],
            announcement=Announcement.NEW,
            first_seen_at=NOW - timedelta(hours=4),
        )
        session.add(liked)
        session.flush()
        give(session, number, liked.id or 0, Signal.RELEVANT)
    training.train(engine)
    preparation.prepare(engine, ISSUE_DATE, message_domain="papers.example")
    with read_scope(engine) as session:
        delivery = session.exec(select(Delivery)).one()
        token = SIGNER.sign(Purpose.RECEIPT, str(delivery.id))
        chosen = session.exec(select(DigestItem.paper_id).order_by(col(DigestItem.position))).all()
    return [f"/receipt/{token}/{paper}" for paper in chosen]


def points(page: str) -> list[float]:
    """The numbers of a receipt; the last is the score."""
    return [float(text) for text in re.findall(r'class="points">([^<]+)<', page)]


def handles(page: str) -> dict[str, str]:
    """What "less of this" is called, by what it is less of."""
    links = re.findall(r'href="[^"]*/less\?part=([^"]+)" aria-label="Less of this: ([^"]+)"', page)
    return {what: handle for handle, what in links}


def place(page: str) -> list[str]:
    return [" ".join(text.split()) for text in re.findall(r"<dd>(?:<strong>)?([^<]+)", page)]


def test_the_parts_add_up_to_the_score_that_was_mailed(engine: Engine, receipts: list[str]) -> None:
    with read_scope(engine) as session:
        scores = session.exec(select(DigestItem.score).order_by(col(DigestItem.position))).all()
    assert len(receipts) == 3
    with visit(engine) as client:
        for address, score in zip(receipts, scores, strict=True):
            *parts, total = points(client.get(address).text)
            assert total == pytest.approx(score, abs=0.05)
            assert sum(parts) == pytest.approx(total, abs=1e-6)
            assert len(parts) > 2


def test_looking_and_trying_change_nothing_and_saving_does_what_was_shown(
    engine: Engine, receipts: list[str]
) -> None:
    before = everything(engine)
    with visit(engine) as client:
        page = client.get(receipts[0]).text
        tried = {
            what: client.get(f"{receipts[0]}/less", params={"part": handle}).text
            for what, handle in handles(page).items()
        }
        assert everything(engine) == before
        assert {what.split(" ")[1] for what in tried} >= {"keyword", "follow"}
        assert any(place(text)[1] != place(text)[2] for text in tried.values())
        what, text = next(iter(tried.items()))
        saved = client.post(f"{receipts[0]}/less", data={"part": handles(page)[what]})
        assert saved.status_code == 303
        client.post(f"{receipts[0]}/less", data={"part": handles(page)[what]})
        after = client.get(saved.headers["location"]).text
        assert "Saved" in after
        *parts, total = points(after)
        assert sum(parts) == pytest.approx(total, abs=1e-6)
        # What was mailed stays; what would be mailed now is what the trial showed.
        assert total == points(page)[-1]
        other = next(handle for name, handle in handles(after).items() if name != what)
        again = client.get(f"{receipts[0]}/less", params={"part": other}).text
        assert place(again)[1] == place(text)[2]
        client.post(f"{receipts[0]}/undo", data={"part": handles(page)[what]})
        assert points(client.get(receipts[0]).text) == points(page)


@pytest.mark.parametrize("kind", ["author", "category", "keyword", "Popularity", "marked"])
def test_less_of_each_kind_takes_away_what_the_receipt_showed(
    engine: Engine, receipts: list[str], kind: str
) -> None:
    with visit(engine) as client:
        for address in receipts:
            names = {n: h for n, h in handles(client.get(address).text).items() if kind in n}
            for handle in names.values():
                shown = client.get(f"{address}/less", params={"part": handle}).text
                now, after = place(shown)[1:]
                if now != after:
                    return
    pytest.fail(f"nothing changed with less of any {kind}")


def test_judgements_and_popularity_are_taken_back_once_and_given_again(
    engine: Engine, receipts: list[str]
) -> None:
    with visit(engine) as client:
        client.post(f"{receipts[0]}/less", data={"part": "popularity-40"})
        client.post(f"{receipts[0]}/less", data={"part": "popularity-40"})
        with read_scope(engine) as session:
            assert session.exec(select(Subscriber.popularity)).one() == 20
            liked = session.exec(select(Feedback.paper_id)).one()
        client.post(f"{receipts[0]}/undo", data={"part": "popularity-40"})
        client.post(f"{receipts[0]}/less", data={"part": f"relevant-{liked}"})
        with read_scope(engine) as session:
            assert session.exec(select(Subscriber.popularity)).one() == 40
            assert session.exec(select(Feedback)).all() == []
        client.post(f"{receipts[0]}/undo", data={"part": f"relevant-{liked}"})
    with read_scope(engine) as session:
        assert session.exec(select(Feedback.paper_id)).all() == [liked]


def test_what_would_have_taken_its_place_is_a_paper_that_the_digest_lacks(
    engine: Engine, receipts: list[str]
) -> None:
    mailed = {int(address.rsplit("/", 1)[1]) for address in receipts}
    with visit(engine) as client:
        for address in receipts:
            section = client.get(address).text.split("What would have taken its place")[1]
            [other] = re.findall(r'href="/paper/(\d+)"', section)
            assert int(other) not in mailed
    with session_scope(engine) as session:
        session.exec(select(Subscriber)).one().min_score = 100
    with visit(engine) as client:
        assert "one paper shorter" in client.get(receipts[0]).text


def test_a_receipt_opens_with_its_own_token_and_paper_only(
    engine: Engine, receipts: list[str]
) -> None:
    with session_scope(engine) as session:
        eve = add_subscriber(session, "eve@reader.example")
        foreign = add_topic(session, eve, "Hers", (InterestKind.KEYWORD, "galaxies", 1.0))
        interest = session.exec(select(Interest.id).where(Interest.topic_id == foreign)).one()
    [_, _, token, paper] = receipts[0].split("/")
    before = everything(engine)
    with visit(engine) as client:
        refused: list[httpx.Response] = [
            client.get(f"/receipt/{token}x/{paper}"),
            client.get(f"/receipt/{token}/99999"),
            client.get(f"/feedback/{token}/{paper}/relevant"),
            client.get(f"{receipts[0]}/less"),
            client.get(f"{receipts[0]}/less", params={"part": "x" * 41}),
            *(
                answer
                for part in (f"interest-{interest}", "interest-", "saved-1", "\x00", "popularity-0")
                for answer in (
                    client.get(f"{receipts[0]}/less", params={"part": part}),
                    client.post(f"{receipts[0]}/less", data={"part": part}),
                )
            ),
        ]
    assert {answer.status_code for answer in refused} <= {404, 410, 422}
    assert everything(engine) == before


def test_why_not_this_paper_answers_on_the_readers_page(
    engine: Engine, receipts: list[str]
) -> None:
    with read_scope(engine) as session:
        public_id = session.exec(select(Subscriber.public_id)).one()
    base = preferences(public_id)
    before = everything(engine)
    with visit(engine) as client:
        assert f'action="{base}/why"' in client.get(f"{base}/today").text
        empty = client.get(f"{base}/why")
        assert empty.status_code == 200
        assert "points" not in empty.text
        title = {"paper": "Untitled"}
        page = client.get(f"{base}/why", params=title).text
        assert "It matches your topics too little." in page
        *parts, total = points(page)
        assert sum(parts) == pytest.approx(total, abs=1e-6)
        unknown = client.get(f"{base}/why", params={"paper": "<b>nothing</b> like it"}).text
        assert "We do not know this paper" in unknown
        assert "<b>nothing" not in unknown
    assert everything(engine) == before


def test_an_old_receipt_still_tells_its_score(engine: Engine, receipts: list[str]) -> None:
    with session_scope(engine) as session:
        delivery = session.exec(select(Delivery)).one()
        delivery.created_at = utc_now() - timedelta(days=90)
    with visit(engine) as client:
        page = client.get(receipts[0])
    assert page.status_code == 200
    assert "can no longer be told" in page.text
