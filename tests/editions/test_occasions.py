"""The welcome, the best of a vacation, and the note that there is nothing: prepared and mailed."""

from collections.abc import Iterator
from datetime import date, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.config import Settings, load_settings
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DigestItem,
    FetchLog,
    FetchStatus,
    NoDigest,
    Occasion,
    QuietNotes,
    Subscriber,
)
from newsletter.editions import lifecycle, preparation
from newsletter.ranking.profiles import training
from tests.editions.test_editions import send
from tests.support import factories
from tests.support.factories import ISSUE_DATE
from tests.support.smtp_sink import Sink, running_sink

NEXT_DAY = ISSUE_DATE + timedelta(days=1)


@pytest.fixture
def settings() -> Settings:
    return load_settings(
        from_address="papers@papers.example",
        base_url="https://papers.example",
        secret_keys="a key for tests that is long enough",
        postal_address="1 Example Street",
        site_name="Morning Papers",
    )


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


def add_papers(engine: Engine, *numbers: int) -> None:
    with session_scope(engine) as session:
        for number in numbers:
            factories.make_paper(session, number)
    training.train(engine)


def add_reader(engine: Engine, email: str = "ada@reader.example", **fields: object) -> None:
    """A subscriber who confirmed by mail."""
    with session_scope(engine) as session:
        reader = factories.make_subscriber(session, email, **fields)
        session.add(
            Delivery(
                subscriber_id=reader.id or 0,
                kind=DeliveryKind.CONFIRMATION,
                to_address=email,
                message_id=f"confirm.{email}",
                status=DeliveryStatus.SENT,
            )
        )


def mailed(engine: Engine, settings: Settings, sink: Sink, day: date) -> list[EmailMessage]:
    """Prepare and send the day's edition; the messages that the relay took for it."""
    before = len(sink.accepted)
    edition_id = preparation.prepare(engine, day, message_domain="papers.example").edition_id
    lifecycle.start_sending(engine, edition_id)
    send(engine, settings, sink, edition_id)
    return [
        message_from_bytes(taken.content, policy=policy.default)
        for taken in sink.accepted[before:]
        if isinstance(taken.content, bytes)
    ]


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


def occasions(session: Session) -> list[Occasion]:
    digests = select(Delivery).where(Delivery.kind == DeliveryKind.DIGEST)
    return [row.occasion for row in session.exec(digests.order_by(col(Delivery.id)))]


def test_the_first_digest_is_a_welcome_and_the_second_is_not(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    add_papers(engine, 1, 2)
    add_reader(engine)
    [welcome] = mailed(engine, settings, sink, ISSUE_DATE)
    assert welcome["Subject"].startswith("Welcome! A study of thing")
    assert "this is your first digest from Morning Papers: 2 papers" in text_of(welcome)

    add_papers(engine, 3)
    [second] = mailed(engine, settings, sink, NEXT_DAY)
    assert second["Subject"] == "A study of thing 3"
    assert "here is 1 of the new papers" in text_of(second)  # no interests, so nothing is chosen


def test_an_imported_subscriber_gets_no_welcome(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    add_papers(engine, 1)
    with session_scope(engine) as session:
        factories.make_subscriber(session)
    [digest] = mailed(engine, settings, sink, ISSUE_DATE)
    assert digest["Subject"] == "A study of thing 1"


def test_the_first_digest_after_a_vacation_is_its_best_of(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    today = utc_now().date()
    add_papers(engine, 1)
    add_reader(engine)
    mailed(engine, settings, sink, today - timedelta(days=3))
    with session_scope(engine) as session:
        for row in session.exec(select(Delivery)):
            row.created_at -= timedelta(days=3)
        session.exec(select(Subscriber)).one().vacation_until = today - timedelta(days=1)
    add_papers(engine, *range(2, 20))
    assert mailed(engine, settings, sink, today - timedelta(days=1)) == []

    [best] = mailed(engine, settings, sink, today)
    assert best["Subject"].startswith("While you were away: A study of thing")
    assert "here are the best 10 papers announced during your vacation" in text_of(best)

    add_papers(engine, 20)
    mailed(engine, settings, sink, today + timedelta(days=1))
    with read_scope(engine) as session:
        assert occasions(session) == [Occasion.WELCOME, Occasion.BEST_OF, Occasion.REGULAR]


def test_a_quiet_day_is_told_once_a_week_or_each_time_or_never_and_why(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    add_reader(engine, "told@reader.example", tell_when_nothing=QuietNotes.DAILY)
    add_reader(engine, "quiet@reader.example")
    add_reader(engine, "never@reader.example", tell_when_nothing=QuietNotes.NEVER)
    note, other = sorted(
        mailed(engine, settings, sink, ISSUE_DATE), key=lambda mail: str(mail["To"]), reverse=True
    )
    assert note["To"].addresses[0].addr_spec == "told@reader.example"
    assert other["To"].addresses[0].addr_spec == "quiet@reader.example"
    assert note["Subject"] == "No new papers for you today"
    assert "there are no papers for you today: nothing was announced." in text_of(note)
    assert "One-Click" in note["List-Unsubscribe-Post"]
    with read_scope(engine) as session:
        assert session.exec(select(DigestItem)).all() == []
        reasons = session.exec(select(NoDigest.reason)).all()
    assert len(reasons) == 3, "why is recorded for everybody"
    assert mailed(engine, settings, sink, ISSUE_DATE) == [], "told once"
    [again] = mailed(engine, settings, sink, NEXT_DAY)
    assert again["To"].addresses[0].addr_spec == "told@reader.example", "the other one next week"


def test_a_quiet_day_on_which_papers_came_does_not_say_that_any_was_chosen(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    add_papers(engine, *range(4))
    add_reader(engine, tell_when_nothing=QuietNotes.DAILY, min_score=100)
    with session_scope(engine) as session:
        session.add(
            FetchLog(
                source="test",
                started_at=utc_now(),
                status=FetchStatus.OK,
                new=4,
            )
        )
    [note] = mailed(engine, settings, sink, ISSUE_DATE)
    assert "no new paper reached your minimum match of 100" in " ".join(text_of(note).split())
    assert "Looked through 4 new papers" in text_of(note)
    assert "Chosen from" not in text_of(note)


def test_a_minimum_that_was_converted_is_told_in_the_next_digest_and_never_again(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    add_reader(engine, tell_when_nothing=QuietNotes.DAILY, min_score=60, minimum_changed=True)
    [first] = mailed(engine, settings, sink, ISSUE_DATE)
    assert "Your minimum, now 60, has a new meaning" in " ".join(text_of(first).split())
    [second] = mailed(engine, settings, sink, NEXT_DAY)
    assert "new meaning" not in text_of(second)


def test_whoever_wants_no_notes_still_gets_papers(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    add_reader(engine, tell_when_nothing=QuietNotes.NEVER)
    assert mailed(engine, settings, sink, ISSUE_DATE) == []
    add_papers(engine, 1)
    [welcome] = mailed(engine, settings, sink, NEXT_DAY)
    assert welcome["Subject"].startswith("Welcome!")


def test_a_note_does_not_use_up_the_welcome(engine: Engine, settings: Settings, sink: Sink) -> None:
    add_reader(engine, tell_when_nothing=QuietNotes.DAILY)
    mailed(engine, settings, sink, ISSUE_DATE)
    add_papers(engine, 1)
    [welcome] = mailed(engine, settings, sink, NEXT_DAY)
    assert welcome["Subject"].startswith("Welcome!")
    with read_scope(engine) as session:
        assert occasions(session) == [Occasion.NOTHING, Occasion.WELCOME]


def test_a_weekly_digest_covers_the_days_since_the_last(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    add_papers(engine, 1)
    add_reader(engine, cadence="weekly", weekday=ISSUE_DATE.weekday(), read_here=True)
    with session_scope(engine) as session:
        factories.make_subscriber(session, "bob@reader.example")
    preparation.prepare(engine, ISSUE_DATE, message_domain="papers.example")
    with read_scope(engine) as session:
        by_address = {
            row.to_address: row for row in session.exec(select(Delivery)) if row.edition_id
        }
    weekly, daily = by_address["ada@reader.example"], by_address["bob@reader.example"]
    # The first of all is a welcome, whatever the cadence.
    assert (weekly.occasion, weekly.covers_from) == (Occasion.WELCOME, None)
    assert (weekly.read_here, daily.read_here) == (True, False)
    assert daily.covers_from is None
    with session_scope(engine) as session:
        first = session.get_one(Delivery, weekly.id)
        first.created_at = utc_now() - timedelta(days=9)
    add_papers(engine, 2)
    today = utc_now().date()
    preparation.prepare(
        engine, today, message_domain="papers.example", subscriber_ids=[weekly.subscriber_id]
    )
    with read_scope(engine) as session:
        newest = session.exec(
            select(Delivery)
            .where(Delivery.subscriber_id == weekly.subscriber_id)
            .order_by(col(Delivery.id).desc())
        ).first()
    assert newest is not None
    assert newest.covers_from == today - timedelta(days=8)
    assert newest.subject == "Your week: A study of thing 2"
