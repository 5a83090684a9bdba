"""A sign-up for an address that is known: nothing changes before its owner confirms."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Cadence, InterestKind, SignUp, Subscriber, SubscriberStatus
from newsletter.core.tokens import Purpose
from newsletter.subscribers import accounts
from newsletter.subscribers.suppression import suppressions
from tests.support.factories import make_paper
from tests.support.signing_up import confirm, interests, only
from tests.support.visits import EMAIL, SIGNER, add_reader, everything, visit

CONTENT = ("subscriber", "topic", "interest", "feedback", "profile", "suppression")
ASKED = {"email": EMAIL, "text": "Spam", "cadence": "weekly", "time_zone": "Asia/Tokyo"}


@pytest.mark.parametrize("status", SubscriberStatus)
def test_a_stranger_changes_nothing_of_a_subscribers_by_signing_them_up(
    engine: Engine, status: SubscriberStatus
) -> None:
    reader = add_reader(engine, confirmed=status is not SubscriberStatus.PENDING)
    with session_scope(engine) as session:
        if status is SubscriberStatus.UNSUBSCRIBED:
            accounts.unsubscribe(session, reader)
        if status is SubscriberStatus.PAUSED:
            accounts.pause(session, reader)
        picked = make_paper(session, 1).id
    before = everything(engine)
    with visit(engine) as client:
        client.post("/sign-up", data=ASKED | {"pick": str(picked)})
        after = everything(engine)
        assert {name: after[name] for name in CONTENT} == {name: before[name] for name in CONTENT}
        # Looking at the confirmation changes nothing either.
        link = f"/confirm/{SIGNER.sign(Purpose.CONFIRM, reader, lifetime=60)}"
        client.get(link)
        assert everything(engine) == after


def test_former_subscribers_come_back_only_by_confirming(engine: Engine) -> None:
    left = add_reader(engine, "left@reader.example")
    erased = add_reader(engine, "erased@reader.example")
    with session_scope(engine) as session:
        accounts.unsubscribe(session, left)
        accounts.erase(session, erased)
    with visit(engine) as client:
        for email in ("left@reader.example", "erased@reader.example"):
            client.post("/sign-up", data=ASKED | {"email": email})
        with read_scope(engine) as session:
            rows = session.exec(select(Subscriber)).all()
            assert {row.status for row in rows} == {
                SubscriberStatus.UNSUBSCRIBED,
                SubscriberStatus.PENDING,
            }
            hashes = [row.address_hash for row in rows]
            assert len(suppressions(session, hashes)) == 2
        confirm(client, engine)
    with read_scope(engine) as session:
        rows = session.exec(select(Subscriber)).all()
        assert {(row.status, row.cadence, row.time_zone) for row in rows} == {
            (SubscriberStatus.ACTIVE, Cadence.WEEKLY, "Asia/Tokyo")
        }
        assert suppressions(session, hashes) == {}
        assert session.exec(select(SignUp)).all() == []
    # What they followed before stands beside what they ask for now.
    assert interests(engine) == {(InterestKind.KEYWORD, "engine"), (InterestKind.TEXT, "Spam")}


def test_returning_without_new_interests_keeps_topics_and_preferences(engine: Engine) -> None:
    reader = add_reader(engine)
    weekly = {"cadence": "weekly", "time_zone": "Asia/Tokyo", "topic-0-name": "Engines"}
    with visit(engine) as client:
        client.post(f"/preferences/{SIGNER.sign(Purpose.PREFERENCES, reader)}", data=weekly)
        with session_scope(engine) as session:
            accounts.unsubscribe(session, reader)
        before = everything(engine)
        client.post("/sign-up", data={"email": EMAIL})
        confirm(client, engine)
    after = everything(engine)
    assert (only(engine).status, only(engine).cadence) == (SubscriberStatus.ACTIVE, Cadence.WEEKLY)
    assert only(engine).time_zone == "Asia/Tokyo"
    assert (after["topic"], after["interest"]) == (before["topic"], before["interest"])


def test_an_unsubscribed_reader_is_not_brought_back_by_an_old_confirmation(
    engine: Engine,
) -> None:
    reader = add_reader(engine)
    with session_scope(engine) as session:
        accounts.unsubscribe(session, reader)
    with visit(engine) as client:
        client.post("/sign-up", data=ASKED)
        client.post(f"/unsubscribe/{SIGNER.sign(Purpose.UNSUBSCRIBE, reader)}")
        link = f"/confirm/{SIGNER.sign(Purpose.CONFIRM, reader, lifetime=60)}"
        assert client.post(link).status_code == 410
    assert only(engine).status is SubscriberStatus.UNSUBSCRIBED


def test_an_unconfirmed_request_is_forgotten(engine: Engine) -> None:
    reader = add_reader(engine)
    with session_scope(engine) as session:
        accounts.unsubscribe(session, reader)
    with visit(engine) as client:
        client.post("/sign-up", data=ASKED)
        with session_scope(engine) as session:
            session.exec(select(SignUp)).one().asked_at = utc_now() - timedelta(days=31)
        client.post("/sign-up", data={"email": "new@reader.example"})
    with read_scope(engine) as session:
        [waiting] = session.exec(select(SignUp)).all()
        names = {row.id: row.email for row in session.exec(select(Subscriber))}
    assert names[waiting.subscriber_id] == "new@reader.example"
