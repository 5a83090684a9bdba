"""Readers are told once what became of a paper that they got, liked or saved."""

from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.config import Settings, load_settings
from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    DigestItem,
    DigestLength,
    DigestNews,
    Feedback,
    Occasion,
    Paper,
    Signal,
    Subscriber,
)
from newsletter.editions import lifecycle, preparation, preview
from newsletter.papers.ingest import ingest_pages
from newsletter.ranking.profiles import training
from newsletter.sources import Page
from newsletter.sources.normalise import make
from tests.editions.test_occasions import add_reader, mailed, text_of
from tests.support.factories import ISSUE_DATE
from tests.support.smtp_sink import Sink, running_sink

DAYS = [ISSUE_DATE + timedelta(days=number) for number in range(4)]


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


def sighted(engine: Engine, number: int, **fields: object) -> None:
    """The source lists a known paper again."""
    values: dict[str, object] = {
        "source": "arxiv",
        "external_id": f"2611.{number:05}",
        "arxiv": f"2611.{number:05}",
        "title": f"A study of thing {number}",
        "abstract": f"We study thing {number} and find that it works.",
    }
    record = make(**(values | fields))  # type: ignore[arg-type]
    ingest_pages(engine, "arxiv", [Page((record,))])


def add_papers(engine: Engine, *numbers: int) -> None:
    for number in numbers:
        sighted(engine, number)
    training.train(engine)


def html_of(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def news(engine: Engine) -> list[DigestNews]:
    with Session(engine) as session:
        return list(session.exec(select(DigestNews).order_by(col(DigestNews.id))))


def test_a_retraction_is_told_in_the_next_digest_beside_new_papers_and_only_once(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    add_papers(engine, 1)
    for length in DigestLength:
        add_reader(engine, f"reads-{length}@reader.example", length=length)
    mailed(engine, settings, sink, DAYS[0])
    sighted(engine, 1, version=2, standing="withdrawn")
    add_papers(engine, 2)
    messages = mailed(engine, settings, sink, DAYS[1])
    assert len(messages) == len(DigestLength)
    said = f"It was withdrawn. You got it on {utc_now().day} {utc_now():%B %Y}."
    told = news(engine)
    for message in messages:
        assert message["Subject"] == "A study of thing 2"
        text = message.get_body(("plain",)).get_content().splitlines()  # type: ignore[union-attr]
        place = text.index("== News of papers you know ==")
        assert text[place + 2 : place + 5] == [
            "A study of thing 1",
            said,
            f"https://papers.example/paper/{told[0].paper_id}",
        ]
        assert said in html_of(message)
    with Session(engine) as session:
        # Never as a new pick: it points at the row that is there.
        items = session.exec(select(DigestItem.id).where(DigestItem.paper_id == told[0].paper_id))
        assert set(items) == {each.item_id for each in told}
    sighted(engine, 1, version=3, standing="withdrawn")
    add_papers(engine, 3)
    for third in mailed(engine, settings, sink, DAYS[2]):
        assert "News of papers" not in text_of(third)


def test_a_quiet_day_with_news_is_one_mail_that_says_both(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    add_papers(engine, 1)
    add_reader(engine)
    mailed(engine, settings, sink, DAYS[0])
    [quiet] = mailed(engine, settings, sink, DAYS[1])
    assert quiet["Subject"] == "No new papers for you today"
    # Within the week no second note on a quiet day is due: the news alone is worth a mail.
    assert mailed(engine, settings, sink, DAYS[2]) == []
    sighted(engine, 1, doi="10.1000/thing")
    with Session(engine) as session:
        shown = preview.preview(engine, "ada@reader.example", DAYS[3])
        assert (shown.subject, len(shown.news)) == ("Published: A study of thing 1", 1)
        assert session.exec(select(DigestNews)).all() == []
    [message] = mailed(engine, settings, sink, DAYS[3])
    assert message["Subject"] == "Published: A study of thing 1"
    text = text_of(message)
    assert "there are no papers for you today: " in text
    assert "But there is news of 1 paper that you know." in text
    assert "It is published now: doi:10.1000/thing. You got it on" in text
    assert "https://doi.org/10.1000/thing" in text
    assert text.index("News of papers you know") < text.index("Unsubscribe:")
    assert html_of(message).index("News of papers you know") < html_of(message).index("Unsubscribe")
    with Session(engine) as session:
        digests = select(Delivery.occasion).where(Delivery.kind == DeliveryKind.DIGEST)
        found = session.exec(digests.order_by(col(Delivery.id))).all()
        assert found == [Occasion.WELCOME, Occasion.NOTHING, Occasion.NOTHING]


def test_a_new_abstract_is_told_only_to_those_who_asked_for_it(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    add_papers(engine, 1)
    add_reader(engine, "asked@reader.example", tell_revisions=True)
    add_reader(engine, "other@reader.example")
    mailed(engine, settings, sink, DAYS[0])
    sighted(engine, 1, version=2, abstract="We study thing 1 and find that it fails.")
    messages = mailed(engine, settings, sink, DAYS[1])
    told = {message["To"].addresses[0].addr_spec: text_of(message) for message in messages}
    assert "Version 2 has another abstract" in told["asked@reader.example"]
    assert "Version 2" not in told["other@reader.example"]


def test_who_saved_a_paper_is_told_and_who_never_met_it_is_not(engine: Engine) -> None:
    add_papers(engine, 1)
    with session_scope(engine) as session:
        [paper] = session.exec(select(Paper)).all()
        paper.first_seen_at = utc_now() - timedelta(days=200)
    add_reader(engine, "saved@reader.example")
    add_reader(engine, "never@reader.example")
    with session_scope(engine) as session:
        wanted = select(Subscriber.id).where(Subscriber.email == "saved@reader.example")
        reader = session.exec(wanted).one() or 0
        [number] = session.exec(select(Paper.id)).all()
        for signal in (Signal.SAVED, Signal.RELEVANT):
            session.add(Feedback(subscriber_id=reader, paper_id=number or 0, signal=signal))
    sighted(engine, 1, standing="retracted")
    preparation.prepare(engine, DAYS[0], message_domain="papers.example")
    [told] = news(engine)
    assert (told.subscriber_id, told.item_id) == (reader, None)
    assert told.said == "It was retracted. You saved it."
    # A cancelled edition told nobody: the next one does.
    lifecycle.cancel(engine, DAYS[0])
    assert news(engine) == []
    preparation.prepare(engine, DAYS[1], message_domain="papers.example")
    assert [each.subscriber_id for each in news(engine)] == [reader]
