"""Preparing and sending an edition, for real: both databases, a real SMTP server."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.config import Settings, load_settings
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import RenderError, UsageError
from newsletter.core.models import (
    Cadence,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DigestItem,
    Edition,
    EditionStatus,
    FetchLog,
    FetchStatus,
    Interest,
    InterestKind,
    NoDigest,
    Paper,
    Subscriber,
    SubscriberStatus,
    Topic,
)
from newsletter.core.tokens import Signer
from newsletter.editions import lifecycle, preparation, preview
from newsletter.editions import report as reports
from newsletter.messages.renderer import Renderer
from newsletter.ranking import ranker
from newsletter.ranking.profiles import training
from newsletter.sending import ledger
from newsletter.sending.mailer import RunOptions, SendRun, Tally
from newsletter.sending.mailer.retry_policy import retry_at
from newsletter.sending.transports.smtp import Relay, SmtpTransport
from tests.support import factories
from tests.support.factories import ISSUE_DATE
from tests.support.smtp_sink import Sink, running_sink

TITLES = (
    "Automatic program repair with tests",
    "Program repair by language models",
    "Robots that walk on ice",
    "Grasping soft fruit with robot hands",
    "Segmenting brain scans",
)


@pytest.fixture
def settings() -> Settings:
    return load_settings(
        from_address="papers@papers.example",
        base_url="https://papers.example",
        secret_keys="a key for tests that is long enough",
        postal_address="1 Example Street",
    )


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


def sign_up(session: Session, email: str, keyword: str = "", **fields: object) -> Subscriber:
    subscriber = factories.make_subscriber(session, email, **fields)
    topic = Topic(subscriber_id=subscriber.id or 0, name=keyword.title() or "Papers")
    session.add(topic)
    session.flush()
    if keyword:
        session.add(Interest(topic_id=topic.id or 0, kind=InterestKind.KEYWORD, value=keyword))
    return subscriber


def stock(engine: Engine, *emails: str) -> None:
    """Five papers, and a subscriber for each address who follows program repair."""
    with session_scope(engine) as session:
        for number, title in enumerate(TITLES, start=1):
            factories.make_paper(session, number, title=title, abstract=f"On {title.lower()}.")
        for email in emails:
            sign_up(session, email, "program repair")
    training.train(engine)


def prepare(
    engine: Engine, issue_date: date = ISSUE_DATE, now: datetime | None = None
) -> preparation.Prepared:
    return preparation.prepare(engine, issue_date, message_domain="papers.example", now=now)


def send(
    engine: Engine, settings: Settings, sink: Sink, edition_id: int | None, **options: Any
) -> Tally:
    run = SendRun(
        engine,
        Renderer(settings, Signer(settings.keys)),
        lambda: SmtpTransport(Relay("127.0.0.1", sink.port)),
        RunOptions(of=edition_id, **options),
    )
    return asyncio.run(run.run())


def prepare_and_send(engine: Engine, settings: Settings, sink: Sink) -> int:
    edition_id = prepare(engine).edition_id
    lifecycle.start_sending(engine, edition_id)
    send(engine, settings, sink, edition_id)
    lifecycle.finish_if_done(engine, edition_id)
    return edition_id


def test_everybody_gets_their_own_ranking_once(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    stock(engine, "ada@reader.example")
    with session_scope(engine) as session:
        sign_up(session, "luis@reader.example", "robot")
    training.train(engine)
    edition_id = prepare_and_send(engine, settings, sink)
    assert sink.recipients() == ["ada@reader.example", "luis@reader.example"]
    first = {str(message["To"]): str(message["Subject"]) for message in sink.messages()}
    assert "repair" in first["Ada <ada@reader.example>"]
    assert "obot" in first["Ada <luis@reader.example>"]
    send(engine, settings, sink, edition_id)
    prepare_and_send(engine, settings, sink)
    assert len(sink.accepted) == 2, "run again, it sends nothing twice"
    with read_scope(engine) as session:
        edition = lifecycle.find(session, ISSUE_DATE)
        assert edition.status is EditionStatus.SENT
        counts = reports.edition_report(session, edition).counts
        assert counts["sent"] == sum(counts.values()) == 2


def test_the_next_edition_holds_only_papers_not_sent_before(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    stock(engine, "ada@reader.example")
    prepare_and_send(engine, settings, sink)
    next_day = ISSUE_DATE + timedelta(days=1)
    nothing = prepare(engine, next_day)
    assert (nothing.new, nothing.notes, nothing.nothing) == (1, 1, 0), "a quiet day is told"
    with read_scope(engine) as session:
        report = reports.edition_report(session, lifecycle.find(session, next_day))
        assert (report.prepared, report.notes, report.without_digest) == (1, 1, ())
        assert session.exec(select(NoDigest.reason)).one()
    with session_scope(engine) as session:
        factories.make_paper(session, 99, title="Program repair, the next day")
    day_after = next_day + timedelta(days=1)
    assert prepare(engine, day_after).new == 1
    with read_scope(engine) as session:
        assert reports.edition_report(session, lifecycle.find(session, day_after)).prepared == 1
        titles = session.exec(select(Paper.title).join(DigestItem)).all()
        assert len(titles) == len(set(titles))


def test_a_preview_equals_the_message_that_is_sent(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    stock(engine, "ada@reader.example")
    prepare(engine)
    digest = preview.preview(engine, " Ada@Reader.example", ISSUE_DATE)
    previewed = Renderer(settings, Signer(settings.keys)).digest(digest).data
    prepare_and_send(engine, settings, sink)
    assert sink.accepted[0].original_content == previewed


def test_a_preview_before_preparation_writes_no_digest(engine: Engine) -> None:
    stock(engine, "ada@reader.example")
    digest = preview.preview(engine, "ada@reader.example", ISSUE_DATE)
    assert digest.papers[0].explanation
    with read_scope(engine) as session:
        assert session.exec(select(Delivery)).all() == []
        assert session.exec(select(Edition)).all() == []


def test_a_resent_digest_is_the_same_bytes_though_the_paper_was_revised(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    stock(engine, "ada@reader.example")
    edition_id = prepare_and_send(engine, settings, sink)
    with session_scope(engine) as session:
        for paper in session.exec(select(Paper)):
            paper.title, paper.upvotes = f"Revised: {paper.title}", 999
        row = session.exec(select(Delivery)).one()
        row.status = DeliveryStatus.UNCERTAIN
    lifecycle.start_sending(engine, edition_id)
    send(engine, settings, sink, edition_id)
    first, second = sink.accepted
    assert first.original_content == second.original_content


def test_one_bad_address_stops_nobody_else(engine: Engine, settings: Settings, sink: Sink) -> None:
    names = ("ada", "nobody", "busy", "lost", "full", "policy", "bob")
    stock(engine, *(f"{name}@reader.example" for name in names))
    edition_id = prepare_and_send(engine, settings, sink)
    with read_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        report = reports.edition_report(session, edition)
    assert report.status == EditionStatus.SENDING, "two are still to be tried"
    assert {row.email.partition("@")[0]: row.status for row in report.undelivered} == {
        "nobody": "failed",
        "policy": "failed",
        "busy": "deferred",
        "full": "deferred",
        "lost": "uncertain",
    }
    assert sum(report.counts.values()) == report.prepared == len(names)
    assert all(row.reason for row in report.undelivered)
    assert "no such user" in reports.as_csv(report)


def test_a_digest_that_cannot_be_rendered_is_recorded_and_the_others_go_out(
    engine: Engine, settings: Settings, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(engine, "ada@reader.example", "bob@reader.example")
    render = Renderer.digest

    def failing(self: Renderer, digest: object) -> object:
        if getattr(digest, "to_address", "") == "ada@reader.example":
            raise RenderError("the template has no paper to show")
        return render(self, digest)  # type: ignore[arg-type]

    monkeypatch.setattr(Renderer, "digest", failing)
    edition_id = prepare_and_send(engine, settings, sink)
    assert sink.recipients() == ["bob@reader.example"]
    with read_scope(engine) as session:
        [row] = reports.edition_report(session, session.get_one(Edition, edition_id)).undelivered
        assert (row.status, row.reason) == ("failed", "the template has no paper to show")


def test_a_reader_who_unsubscribes_after_preparation_gets_nothing(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    stock(engine, "ada@reader.example", "bob@reader.example")
    edition_id = prepare(engine).edition_id
    with session_scope(engine) as session:
        leaver = session.exec(select(Subscriber).where(Subscriber.email == "ada@reader.example"))
        leaver.one().status = SubscriberStatus.UNSUBSCRIBED
    lifecycle.start_sending(engine, edition_id)
    send(engine, settings, sink, edition_id)
    assert sink.recipients() == ["bob@reader.example"]
    assert lifecycle.finish_if_done(engine, edition_id) is EditionStatus.SENT


def test_limit_and_only_restrict_what_is_sent(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    stock(engine, *(f"r{number}@reader.example" for number in range(5)))
    edition_id = prepare(engine).edition_id
    lifecycle.start_sending(engine, edition_id)
    send(engine, settings, sink, edition_id, limit=2)
    assert len(sink.accepted) == 2
    with read_scope(engine) as session:
        last = session.exec(select(Subscriber).where(Subscriber.email == "r4@reader.example")).one()
    send(engine, settings, sink, edition_id, only=last.id or 0)
    assert sink.recipients() == ["r0@reader.example", "r1@reader.example", "r4@reader.example"]
    with read_scope(engine) as session:
        held = ledger.owners(session)
    assert held == [], "nothing stays leased after a run"


def test_a_paused_edition_sends_nothing_until_it_is_sent_again(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    stock(engine, "ada@reader.example")
    edition_id = prepare(engine).edition_id
    lifecycle.start_sending(engine, edition_id)
    lifecycle.pause(engine, ISSUE_DATE)
    send(engine, settings, sink, edition_id)
    assert sink.accepted == []
    prepare_and_send(engine, settings, sink)
    assert len(sink.accepted) == 1


def test_a_cancelled_edition_is_over(engine: Engine, settings: Settings, sink: Sink) -> None:
    stock(engine, "ada@reader.example")
    edition_id = prepare(engine).edition_id
    assert lifecycle.cancel(engine, ISSUE_DATE) == 1
    with pytest.raises(UsageError, match="cancelled"):
        prepare(engine)
    with pytest.raises(UsageError, match="cancelled"):
        lifecycle.start_sending(engine, edition_id)
    send(engine, settings, sink, edition_id)
    assert sink.accepted == []


def test_a_cancelled_edition_gives_its_papers_back(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    stock(engine, "ada@reader.example")
    prepare(engine)
    lifecycle.cancel(engine, ISSUE_DATE)
    assert prepare(engine, ISSUE_DATE + timedelta(days=1)).new == 1


def test_a_reader_erased_during_ranking_does_not_stop_the_others(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(engine, "ada@reader.example", "bob@reader.example")
    rank = ranker.Ranker.rank

    def rank_and_erase(*arguments: Any) -> Any:
        ranked = rank(*arguments)
        with session_scope(engine) as session:
            session.delete(session.exec(select(Subscriber)).all()[0])
        return ranked

    monkeypatch.setattr(ranker.Ranker, "rank", rank_and_erase)
    assert prepare(engine).new == 1


def test_a_paper_that_was_united_with_another_while_digests_were_ranked_is_left_out(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(engine, "ada@example.org")
    rank = ranker.Ranker.rank
    gone: list[int] = []

    def rank_while_it_goes(*arguments: Any) -> list[ranker.Ranking]:
        ranked = rank(*arguments)
        gone.append(ranked[0].picks[0].paper_id)
        with session_scope(engine) as session:
            session.delete(session.get_one(Paper, gone[0]))
        return ranked

    monkeypatch.setattr(ranker.Ranker, "rank", rank_while_it_goes)
    assert prepare(engine).new == 1
    with Session(engine) as session:
        items = session.exec(select(DigestItem.paper_id)).all()
    assert items
    assert gone[0] not in items


def test_a_paper_that_another_date_mailed_while_digests_were_ranked_is_left_out(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(engine, "ada@reader.example")
    rank = ranker.Ranker.rank

    def rank_and_mail(*arguments: Any) -> Any:
        ranked = rank(*arguments)
        with session_scope(engine) as session:
            other = factories.make_edition(session, ISSUE_DATE - timedelta(days=1))
            subscriber = session.exec(select(Subscriber)).one()
            papers = list(session.exec(select(Paper).where(Paper.title == TITLES[0])))
            factories.make_digest(session, other, subscriber, papers)
        return ranked

    monkeypatch.setattr(ranker.Ranker, "rank", rank_and_mail)
    assert prepare(engine).new == 1
    with read_scope(engine) as session:
        items = session.exec(select(DigestItem)).all()
        assert len({item.paper_id for item in items}) == len(items) == 2, "one each"


def test_only_due_subscribers_are_prepared(engine: Engine) -> None:
    stock(engine)
    friday = ISSUE_DATE
    with session_scope(engine) as session:
        sign_up(session, "daily@reader.example")
        sign_up(session, "friday@reader.example", cadence=Cadence.WEEKLY, weekday=4)
        sign_up(session, "monday@reader.example", cadence=Cadence.WEEKLY, weekday=0)
        sign_up(session, "weekdays@reader.example", cadence=Cadence.WEEKDAYS)
        sign_up(session, "away@reader.example", vacation_until=friday)
        sign_up(session, "paused@reader.example", status=SubscriberStatus.PAUSED)
        sign_up(session, "new@reader.example", status=SubscriberStatus.PENDING, confirmed_at=None)

    def prepared_for(day: date) -> set[str]:
        prepare(engine, day)
        with read_scope(engine) as session:
            rows = session.exec(
                select(Delivery.to_address).join(Edition).where(Edition.issue_date == day)
            )
            return {address.partition("@")[0] for address in rows}

    assert prepared_for(friday) == {"daily", "friday", "weekdays"}
    saturday = friday + timedelta(days=1)
    assert prepared_for(saturday) == {"away", "daily"}, "one has papers, one a quiet day"


def test_the_confirmation_of_a_pending_subscriber_is_sent_with_the_next_run(
    engine: Engine, settings: Settings, sink: Sink
) -> None:
    with session_scope(engine) as session:
        pending = factories.make_subscriber(
            session, status=SubscriberStatus.PENDING, confirmed_at=None
        )
        factories.make_delivery(
            session,
            factories.make_edition(session),
            pending,
            edition_id=None,
            kind=DeliveryKind.CONFIRMATION,
        )
    send(engine, settings, sink, None)
    [message] = sink.messages()
    assert "onfirm" in str(message["Subject"])


def log(session: Session, source: str, **counts: Any) -> None:
    session.add(FetchLog(**({"source": source, "status": FetchStatus.OK} | counts)))


def test_a_digest_says_what_it_was_chosen_from_and_what_was_missing_then(engine: Engine) -> None:
    """Readers in an eastern zone are prepared before the night's papers are read."""
    stock(engine, "ada@reader.example", "hal@reader.example")
    with session_scope(engine) as session:
        log(session, "arxiv", status=FetchStatus.FAILED, started_at=utc_now())
        east, west = (sub.id or 0 for sub in session.exec(select(Subscriber)))
    names = {"message_domain": "papers.example", "sources": ["arxiv"]}
    preparation.prepare(engine, ISSUE_DATE, subscriber_ids=[east], **names)  # type: ignore[arg-type]
    with session_scope(engine) as session:
        for number in range(10, 30):
            factories.make_paper(session, number)
        log(session, "arxiv", announced=20, new=20, started_at=utc_now())
    preparation.prepare(engine, ISSUE_DATE, subscriber_ids=[west], **names)  # type: ignore[arg-type]
    said = {
        name: preview.preview(engine, f"{name}@reader.example", ISSUE_DATE).coverage
        for name in ("ada", "hal")
    }
    assert said == {
        "ada": "Chosen from 5 new papers; arXiv could not be read today",
        "hal": "Chosen from 25 new papers",
    }
    with session_scope(engine) as session:
        [edition] = session.exec(select(Edition))
        assert edition.coverage == "Chosen from 20 new papers"


def test_a_digest_is_chosen_from_what_came_since_its_readers_last_one(engine: Engine) -> None:
    stock(engine, "ada@reader.example")
    prepare(engine)
    with session_scope(engine) as session:
        for number in range(10, 13):
            title = f"A program repair study number {number}"
            factories.make_paper(session, number, title=title, first_seen_at=utc_now())
    prepare(engine, ISSUE_DATE + timedelta(days=1))
    later = preview.preview(engine, "ada@reader.example", ISSUE_DATE + timedelta(days=1))
    assert later.coverage == "Chosen from 3 new papers"


NIGHT = datetime(2026, 11, 20, 5, tzinfo=UTC)  # what was announced at midnight may come till six
MORNING = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "counts", "reason"),
    [
        (NIGHT, {"status": FetchStatus.FAILED}, "Hugging Face could not be read"),
        (NIGHT, {"announced": 3, "known": 3}, "nothing was announced"),
        (MORNING, {"announced": 3, "known": 3}, "Hugging Face is late"),
        (MORNING, {"announced": 3, "new": 3}, "there are no new papers"),
    ],
)
def test_a_subscriber_without_papers_has_the_reason_recorded(
    engine: Engine, now: datetime, counts: dict[str, Any], reason: str
) -> None:
    with session_scope(engine) as session:
        sign_up(session, "ada@reader.example", "program repair")
        log(session, "hf", started_at=now - timedelta(hours=1), **counts)
    training.train(engine)
    assert prepare(engine, now=now).notes == 1
    with read_scope(engine) as session:
        assert session.exec(select(NoDigest.reason)).one() == reason


def test_retries_grow_and_end_before_the_digest_is_stale() -> None:
    now = utc_now()
    pauses = [retry_at(attempt, now, now) for attempt in range(1, 8)]
    assert all(pauses)
    minutes = [(moment - now).total_seconds() / 60 for moment in pauses if moment]
    assert 4 <= minutes[0] <= 6
    assert minutes[3] > 3 * minutes[0]
    assert max(minutes) <= 180 * 1.2
    assert retry_at(3, now - timedelta(hours=20), now) is None
