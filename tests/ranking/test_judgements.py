"""`train` refits the match from what readers judged, and a preparation uses it."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import (
    Announcement,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DigestItem,
    Edition,
    EditionStatus,
    Feedback,
    Label,
    MatchCalibration,
    Paper,
    Signal,
)
from newsletter.ranking.calibration import AS_SHIPPED
from newsletter.ranking.profiles import feature_store, judgements, training
from tests.support.profiles import NOW, add_subscriber


def a_mailed_digest(
    session: Session, subscriber: int, signals: list[Signal], match: float, at: datetime
) -> None:
    """A digest of as many papers as there are ``signals``, each judged so."""
    number = len(session.exec(select(Edition.id)).all())
    edition = Edition(issue_date=(NOW - timedelta(days=number)).date(), status=EditionStatus.SENT)
    session.add(edition)
    session.flush()
    delivery = Delivery(
        edition_id=edition.id,
        subscriber_id=subscriber,
        kind=DeliveryKind.DIGEST,
        status=DeliveryStatus.SENT,
        to_address="reader@reader.example",
        message_id=f"{number}@reader.example",
        subject="Papers",
        created_at=at,
    )
    session.add(delivery)
    papers = [
        Paper(
            source="test",
            external_id=f"{number}-{n}",
            title=f"Paper {n}",
            announcement=Announcement.NEW,
            first_seen_at=NOW,
        )
        for n in range(len(signals))
    ]
    session.add_all(papers)
    session.flush()
    for place, (paper, signal) in enumerate(zip(papers, signals, strict=True), start=1):
        session.add(
            DigestItem(
                delivery_id=delivery.id or 0,
                subscriber_id=subscriber,
                paper_id=paper.id or 0,
                section="Topic",
                position=place,
                score=50,
                match=match,
                label=Label.GOOD,
                explanation="",
            )
        )
        session.add(Feedback(subscriber_id=subscriber, paper_id=paper.id or 0, signal=signal))
    session.flush()


def test_enough_judgements_refit_the_match_and_the_next_preparation_uses_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.ranking.calibration.FEWEST", 40)
    monkeypatch.setattr("newsletter.ranking.calibration.FEWEST_OF_A_KIND", 10)
    liked = [Signal.RELEVANT, Signal.SAVED] * 8
    disliked = [Signal.NOT_RELEVANT] * 24
    with session_scope(engine) as session:
        for name in ("one", "two"):
            reader = add_subscriber(session, f"{name}@reader.example")
            a_mailed_digest(session, reader, disliked[:12] + liked[:8], 0.9, NOW)
    report = training.train(engine)
    assert report.match is not None
    assert (report.match.judged, report.match.relevant) == (40, 16)
    assert report.match.line().startswith("match refitted: 40 judged papers, 16 of them relevant")
    with read_scope(engine) as session:
        candidates = feature_store.load_candidates(session, NOW - timedelta(days=30))
    assert candidates.calibration == report.match.calibration
    [now] = candidates.calibration.of([0.9])  # type: ignore[arg-type]
    assert 0.4 < now < 0.7, "two of five were relevant, and the shipped model is trusted a little"

    # The same judgements again teach nothing new; digests that were made since are read as shipped.
    assert training.train(engine).match == report.match
    with session_scope(engine) as session:
        assert len(session.exec(select(MatchCalibration)).all()) == 1
        reader = add_subscriber(session, "three@reader.example")
        a_mailed_digest(
            session, reader, disliked[:12] + liked[:8], float(now), NOW + timedelta(days=1)
        )
    again = training.train(engine).match
    assert again is not None
    assert again.judged == 60
    assert again.calibration.of([0.9])[0] < now  # type: ignore[arg-type]


def test_few_judgements_leave_the_match_as_it_was_shipped(engine: Engine) -> None:
    with session_scope(engine) as session:
        reader = add_subscriber(session, "reader@reader.example")
        a_mailed_digest(session, reader, [Signal.RELEVANT, Signal.NOT_RELEVANT], 0.9, NOW)
    report = training.train(engine)
    assert report.match is not None
    assert (report.match.judged, report.match.calibration) == (2, AS_SHIPPED)
    with read_scope(engine) as session:
        assert session.exec(select(MatchCalibration)).all() == []
        assert judgements.current(session) == AS_SHIPPED


def test_no_reader_counts_for_more_than_their_share(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgements, "MOST_OF_ONE", 3)
    with session_scope(engine) as session:
        for name, signals in (
            ("many", [Signal.RELEVANT] * 8),
            ("few", [Signal.NOT_RELEVANT] * 2),
        ):
            reader = add_subscriber(session, f"{name}@reader.example")
            a_mailed_digest(session, reader, signals, 0.5, NOW)
    found = judgements.refit(engine)
    assert (found.judged, found.relevant) == (5, 3)
