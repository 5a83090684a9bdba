"""A link opens what it is for and nothing that leads further; it can be signed out."""

import re

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.config import Settings
from newsletter.core.database import read_scope, session_scope
from newsletter.core.errors import TokenError
from newsletter.core.models import Cadence, Delivery, DeliveryKind, SubscriberStatus
from newsletter.core.tokens import Purpose, generation_in, of_generation
from newsletter.messages import digest
from newsletter.messages.renderer import Renderer
from tests.support.signing_up import interests, only
from tests.support.visits import EMAIL, KEY, SIGNER, add_reader, reader_of, send_digest, visit

TOKEN = re.compile(
    r"/(preferences|archive|account|unsubscribe|confirm|feed|view|feedback|receipt|click)/([\w~:-]+\.[\w-]{22})"
)


def tokens_in(page: httpx.Response) -> set[str]:
    return {kind for kind, _ in TOKEN.findall(page.text)}


@pytest.fixture
def reader(engine: Engine) -> str:
    return add_reader(engine)


def test_no_link_hands_out_one_that_opens_more(engine: Engine, reader: str) -> None:
    delivery, papers = send_digest(engine, reader)
    sign = SIGNER.sign
    judged = f"/feedback/{sign(Purpose.FEEDBACK, str(delivery))}/{papers[0]}/relevant"
    leads = {
        f"/feed/{sign(Purpose.FEED, reader)}": {"feed", "view"},
        f"/view/{sign(Purpose.VIEW, str(delivery))}": {"feedback", "receipt"},
        f"/unsubscribe/{sign(Purpose.UNSUBSCRIBE, reader)}": {"unsubscribe"},
        judged: set[str](),
        f"/receipt/{sign(Purpose.RECEIPT, str(delivery))}/{papers[0]}": {"receipt"},
    }
    with visit(engine) as client:
        for link, expected in leads.items():
            assert tokens_in(client.get(link)) <= expected, link
        assert tokens_in(client.post(judged)) == set()
        for action in ("/weekly", "/pause", ""):
            link = f"/unsubscribe/{sign(Purpose.UNSUBSCRIBE, reader)}{action}"
            assert tokens_in(client.post(link)) == set()


def test_the_link_to_unsubscribe_can_only_mean_less_mail(engine: Engine, reader: str) -> None:
    link = f"/unsubscribe/{SIGNER.sign(Purpose.UNSUBSCRIBE, reader)}"
    with visit(engine) as client:
        assert client.post(f"{link}/weekly").status_code == 200
        assert only(engine).cadence is Cadence.WEEKLY
        assert client.post(f"{link}/pause").status_code == 200
        assert only(engine).status is SubscriberStatus.PAUSED
        assert client.post(f"{link}/resume").status_code == 404
        client.post(link)
        client.post(f"{link}/pause")
        assert only(engine).status is SubscriberStatus.UNSUBSCRIBED


def test_a_confirmation_lets_in_once(engine: Engine) -> None:
    with visit(engine) as client:
        client.post("/sign-up", data={"email": EMAIL})
        link = f"/confirm/{SIGNER.sign(Purpose.CONFIRM, only(engine).public_id, lifetime=60)}"
        assert "preferences" in tokens_in(client.post(link))
        assert tokens_in(client.post(link)) == set()


def of_all_purposes(engine: Engine, reader: str, delivery: int, paper: int) -> dict[str, str]:
    """Links as a mail, made now, holds them."""
    with read_scope(engine) as session:
        generation = reader_of(session, reader).link_generation
    mine, its = (of_generation(value, generation) for value in (reader, str(delivery)))
    sign = SIGNER.sign
    return {
        "preferences": f"/preferences/{sign(Purpose.PREFERENCES, mine)}",
        "ratings": f"/preferences/{sign(Purpose.PREFERENCES, mine)}/ratings",
        "scorecard": f"/preferences/{sign(Purpose.PREFERENCES, mine)}/scorecard",
        "archive": f"/archive/{sign(Purpose.PREFERENCES, mine)}",
        "feed": f"/feed/{sign(Purpose.FEED, mine)}",
        "view": f"/view/{sign(Purpose.VIEW, its)}",
        "feedback": f"/feedback/{sign(Purpose.FEEDBACK, its)}/{paper}/relevant",
        "account": f"/account/{sign(Purpose.ERASE, mine, lifetime=600)}",
    }


def test_signing_out_ends_every_link_but_the_one_that_unsubscribes(
    engine: Engine, reader: str
) -> None:
    delivery, papers = send_digest(engine, reader)
    old = of_all_purposes(engine, reader, delivery, papers[0])
    leave = f"/unsubscribe/{SIGNER.sign(Purpose.UNSUBSCRIBE, reader)}"
    with visit(engine) as client:
        assert {client.get(link).status_code for link in old.values()} == {200}
        assert "/sign-out" in client.get(old["preferences"]).text
        page = client.post(f"{old['preferences']}/sign-out")
        assert page.status_code == 200
        assert tokens_in(page) == set()
        new = of_all_purposes(engine, reader, delivery, papers[0])
        for name, link in old.items():
            assert client.get(link).status_code == 404, name
        assert client.post(old["feedback"]).status_code == 404
        assert client.post(f"{old['preferences']}/sign-out").status_code == 404
        for name, link in new.items():
            assert client.get(link).status_code == 200, name
        # What the new pages link to works too.
        archive = client.get(new["archive"]).text
        for kind, token in TOKEN.findall(archive):
            assert client.get(f"/{kind}/{token}").status_code == 200
        assert client.get(leave).status_code == 200
        assert client.post(leave).status_code == 200
    assert only(engine).status is SubscriberStatus.UNSUBSCRIBED


def test_mails_made_after_signing_out_hold_links_that_work(engine: Engine, reader: str) -> None:
    delivery, _ = send_digest(engine, reader)
    base = "https://papers.example"
    settings = Settings(
        secret_keys=KEY,
        from_address="papers@papers.example",
        base_url=base,
        postal_address="1 Street",
        smtp_url="smtp://127.0.0.1",
    )
    with visit(engine) as client:
        client.post(f"/preferences/{SIGNER.sign(Purpose.PREFERENCES, reader)}/sign-out")
        with read_scope(engine) as session:
            from newsletter.web.archive import _contents

            row = session.get_one(Delivery, delivery)
            loaded = digest.load(session, [delivery], _contents(session, row))[delivery]
        _, html = Renderer(settings, SIGNER).parts(loaded)
        found = [pair for pair in TOKEN.findall(html) if pair[0] not in {"feedback", "receipt"}]
        links = {f"/{kind}/{token}" for kind, token in found}
        assert {link.split("/")[1] for link in links} >= {"preferences", "unsubscribe", "view"}
        assert {client.get(link).status_code for link in links} == {200}


@pytest.mark.parametrize("value", ["a:", "a:x", "a:1:2", "a:-1", "a:1234567890"])
def test_a_generation_is_a_number(value: str) -> None:
    with pytest.raises(TokenError):
        generation_in(value)
    assert generation_in(of_generation("a", 7)) == ("a", 7)
    assert generation_in(of_generation("a", 0)) == ("a", 0)


def confirmation_links(engine: Engine) -> list[str]:
    """The links in the confirmation mails, the oldest first, as they are mailed."""
    settings = Settings(
        secret_keys=KEY,
        from_address="papers@papers.example",
        postal_address="1 Street",
        smtp_url="smtp://127.0.0.1",
    )
    with read_scope(engine) as session:
        rows = session.exec(
            select(Delivery).where(Delivery.kind == DeliveryKind.CONFIRMATION).order_by("id")
        ).all()
        mails = [
            Renderer(settings, SIGNER).confirmation(
                delivery_id=row.id or 0,
                to_address=row.to_address,
                message_id=row.message_id,
                created_at=row.created_at,
                public_id=only(engine).public_id,
            )
            for row in rows
        ]
    found = [re.search(rb"/confirm/[\w~:.-]+", mail.data.replace(b"=\r\n", b"")) for mail in mails]
    return [each[0].decode() for each in found if each]


def test_another_sign_up_of_the_same_day_does_not_replace_what_was_asked(engine: Engine) -> None:
    with visit(engine) as client:
        client.post("/sign-up", data={"email": EMAIL, "text": "Engines."})
        client.post("/sign-up", data={"email": EMAIL, "text": "Spam.", "cadence": "weekly"})
        [link] = confirmation_links(engine)
        assert client.post(link).status_code == 200
    assert {value for _, value in interests(engine)} == {"Engines."}
    assert only(engine).cadence is Cadence.DAILY


def test_each_confirmation_stands_for_the_request_that_caused_it(engine: Engine) -> None:
    from datetime import timedelta

    with visit(engine) as client:
        client.post("/sign-up", data={"email": EMAIL, "text": "Engines."})
        with session_scope(engine) as session:
            row = session.exec(select(Delivery)).one()
            row.created_at -= timedelta(hours=25)
        client.post("/sign-up", data={"email": EMAIL, "text": "Spam."})
        first, second = confirmation_links(engine)
        assert first != second
        assert client.post(first).status_code == 200
        assert {value for _, value in interests(engine)} == {"Engines."}
        # The other one comes too late: it changes nothing any more.
        assert client.post(second).status_code == 200
    assert {value for _, value in interests(engine)} == {"Engines."}
