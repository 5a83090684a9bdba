"""The preferences page: tabs, tags, errors beside their fields, time away, and coming back."""

import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    DeliveryKind,
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
)
from newsletter.core.tokens import Purpose
from newsletter.ranking.profiles import training
from newsletter.subscribers import accounts
from newsletter.subscribers.validation import TypedTopic
from tests.support.factories import make_paper
from tests.support.signing_up import interests, only
from tests.support.visits import (
    EMAIL,
    SIGNER,
    add_reader,
    notes,
    preferences,
    reader_of,
    send_digest,
    visit,
)

TOPIC = {"topic-0-id": "", "topic-0-name": "Engines"}


def unsubscribe(engine: Engine, public_id: str) -> None:
    with session_scope(engine) as session:
        accounts.unsubscribe(session, public_id)


def test_tags_are_kept_removed_and_added_in_one_form(engine: Engine) -> None:
    topic = TypedTopic.read({"name": "Engines", "keywords": ["engine", "loom", "steam & coal"]})
    link = preferences(add_reader(engine, topics=[topic]))
    with visit(engine) as client:
        page = client.get(link).text
        for value in ("engine", "loom", "steam &amp; coal"):
            box = rf'<input type="checkbox" name="topic-0-keywords" value="{value}" checked>'
            assert re.search(box, page), value
        [number] = re.findall(r'name="topic-0-id" value="(\d+)"', page)
        form = {
            "topic-0-id": number,
            "topic-0-name": "Engines",
            "topic-0-keywords": ["weft\r\nwarp", "engine", "steam & coal"],
        }
        assert client.post(link, data=form).status_code == 303
    assert {value for _, value in interests(engine)} == {"engine", "steam & coal", "weft", "warp"}


def test_more_tags_than_a_form_may_hold_are_lines(engine: Engine) -> None:
    words = [f"word {number}" for number in range(199)]
    several = [TypedTopic.read({"name": name, "keywords": words}) for name in ("A", "B")]
    link = preferences(add_reader(engine, topics=several))
    with visit(engine) as client:
        page = client.get(link).text
        assert 'type="checkbox" name="topic-0-keywords"' not in page
        assert "word 197\nword 198</textarea>" in page


@pytest.mark.parametrize(
    ("field", "value", "tab"),
    [
        ("max_papers", "500", "interests"),
        ("time_zone", "Mars", "delivery"),
        ("topic-0-quota", "none", "interests"),
        ("topic-0-seed_papers", "no paper", "interests"),
        ("topic-0-keywords", "x" * 300, "interests"),
    ],
)
def test_a_mistake_is_told_beside_its_field_which_has_the_focus(
    engine: Engine, field: str, value: str, tab: str
) -> None:
    link = preferences(add_reader(engine))
    with visit(engine) as client:
        page = client.post(link, data=TOPIC | {field: value})
    assert page.status_code == 422
    [wrong] = re.findall(r'<(?:input|select|textarea)[^>]*aria-invalid="true"[^>]*>', page.text)
    assert f'name="{field}"' in wrong
    assert " autofocus" in wrong
    described = re.findall(r'aria-describedby="([^"]+)"', wrong)[0].split()
    assert f"{field}-wrong" in described
    for each in described:
        assert f'id="{each}"' in page.text, each
    assert re.search(rf'class="to-{tab}"[^>]*checked', page.text)
    assert value in page.text


def test_time_away_is_set_in_one_form_and_ended_in_another(engine: Engine) -> None:
    link = preferences(add_reader(engine))
    until = utc_now().date() + timedelta(days=14)
    with visit(engine) as client:
        answer = client.post(f"{link}/away", data={"vacation_until": until.isoformat()})
        assert answer.status_code == 303
        page = client.get(link).text
        assert f"Away until {until.day} {until:%B}." in page
        assert only(engine).vacation_until == until
        assert [value for _, value in interests(engine)] == ["engine"]
        wrong = client.post(f"{link}/away", data={"vacation_until": "soon"})
        assert wrong.status_code == 422
        assert "is not a date like" in wrong.text
        client.post(f"{link}/away", data={"vacation_until": ""})
        assert "Away until" not in client.get(link).text
    assert only(engine).vacation_until is None


def test_a_vacation_that_is_over_is_not_told(engine: Engine) -> None:
    reader = add_reader(engine)
    with session_scope(engine) as session:
        reader_of(session, reader).vacation_until = utc_now().date() - timedelta(days=2)
    with visit(engine) as client:
        assert "Away until" not in client.get(preferences(reader)).text


def test_who_unsubscribed_comes_back_in_one_press_and_at_once(engine: Engine) -> None:
    reader = add_reader(engine)
    unsubscribe(engine, reader)
    link = preferences(reader)
    with visit(engine) as client:
        assert "Start my digests again" in client.get(link).text
        assert only(engine).status is SubscriberStatus.UNSUBSCRIBED
        answer = client.post(f"{link}/return")
        assert "Welcome back" in client.get(answer.headers["location"]).text
        assert client.post(f"{link}/return").status_code == 303
    came_back = only(engine)
    assert came_back.status is SubscriberStatus.ACTIVE
    assert came_back.consent_source == "preferences page"
    assert came_back.unsubscribed_at is None
    with read_scope(engine) as session:
        assert session.exec(select(Suppression)).all() == []


@pytest.mark.parametrize(
    "reason",
    [SuppressionReason.COMPLAINED, SuppressionReason.BOUNCED, SuppressionReason.OPERATOR],
)
def test_who_was_stopped_for_another_reason_does_not_come_back_by_a_link(
    engine: Engine, reason: SuppressionReason
) -> None:
    reader = add_reader(engine)
    unsubscribe(engine, reader)
    with session_scope(engine) as session:
        session.exec(select(Suppression)).one().reason = reason
    with visit(engine) as client:
        assert client.post(f"{preferences(reader)}/return").status_code == 409
    assert only(engine).status is SubscriberStatus.UNSUBSCRIBED


def test_the_link_to_unsubscribe_and_a_pending_address_bring_nobody_back(engine: Engine) -> None:
    reader = add_reader(engine, confirmed=False)
    with visit(engine) as client:
        assert client.post(f"{preferences(reader)}/return").status_code == 409
        link = f"/unsubscribe/{SIGNER.sign(Purpose.UNSUBSCRIBE, reader)}"
        assert client.post(f"{link}/return").status_code in {404, 405}
    assert only(engine).status is SubscriberStatus.PENDING


def test_who_signs_up_again_gets_a_link_to_their_preferences(engine: Engine) -> None:
    reader = add_reader(engine)
    with visit(engine) as client:
        client.post("/sign-up", data={"email": EMAIL, "text": "Something else."})
        assert notes(engine) == [(DeliveryKind.ACCOUNT_LINK, EMAIL)]
        link = f"/account/{SIGNER.sign(Purpose.ERASE, reader, lifetime=600)}"
        assert preferences(reader) in client.get(link).text
    assert [value for _, value in interests(engine)] == ["engine"]


def test_a_preview_says_what_comes_in_and_what_drops_out(engine: Engine) -> None:
    reader = add_reader(engine)
    with session_scope(engine) as session:
        for number in range(1, 5):
            word = "engine" if number % 2 else "loom"
            make_paper(session, number, title=f"A {word} of {word}s, part {number}")
    training.train(engine)
    form = TOPIC | {"topic-0-keywords": "loom", "topic-0-mutes": "engine"}
    with visit(engine) as client:
        page = client.post(f"{preferences(reader)}/preview", data=form).text
        same = client.post(
            f"{preferences(reader)}/preview", data=TOPIC | {"topic-0-keywords": "engine"}
        ).text
    changes = page.split('id="changes"')[1].split('id="preview"')[0]
    comes_in, drops_out = changes.split("Drops out")
    assert "loom" in comes_in
    assert "engine" not in comes_in
    assert "engine" in drops_out
    assert "Nothing: today’s digest would have the same papers." in same


def test_a_topic_shows_papers_that_it_brought(engine: Engine) -> None:
    reader = add_reader(engine)
    _, papers = send_digest(engine, reader)

    def page(client: httpx.Client) -> str:
        return client.get(preferences(reader)).text

    with visit(engine) as client:
        assert "Recently from this topic" not in page(client)
        with session_scope(engine) as session:
            give_topic(session)
        assert "Recently from this topic" in page(client)
        assert re.search(rf'href="/preferences/[^/"]+/paper/{papers[0]}"', page(client))


def give_topic(session: Session) -> None:
    """The items of the digest become the first topic's."""
    from newsletter.core.models import DigestItem, Topic

    topic = session.exec(select(Topic)).first()
    assert topic is not None
    for item in session.exec(select(DigestItem)):
        item.topic_id = topic.id


def test_titles_stand_beside_the_papers_to_learn_from(engine: Engine) -> None:
    with session_scope(engine) as session:
        paper = make_paper(session, 77, title="On engines that weave")
        from newsletter.core.models import PaperAlias

        session.add(PaperAlias(source="arxiv", external_id="2611.00077", paper_id=paper.id or 0))
    topic = TypedTopic.read({"name": "Engines", "seed_papers": ["2611.00077", "10.5555/gone"]})
    link = preferences(add_reader(engine, topics=[topic]))
    with visit(engine) as client:
        page = client.get(link).text
    assert "2611.00077: On engines that weave" in page
    with read_scope(engine) as session:
        assert session.exec(select(Subscriber)).one().read_here is False
