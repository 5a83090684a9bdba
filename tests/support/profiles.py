"""Papers, subscribers and signals for tests of profiles and rankings."""

from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.core.models import (
    Announcement,
    Cadence,
    Feedback,
    Interest,
    InterestKind,
    Paper,
    Signal,
    Subscriber,
    SubscriberStatus,
    Topic,
)
from newsletter.ranking import ranker
from newsletter.ranking.match import WAYS, MatchModel
from newsletter.ranking.match_features import NAMES
from newsletter.ranking.profiles import profiles, training

NOW = datetime.now(UTC)
PAPERS = [
    ("Automatic program repair with language models", "Patches for bugs are generated.", "cs.SE"),
    ("Fault localisation before program repair", "Where is the bug? We rank statements.", "cs.SE"),
    ("Fuzzing compilers with random programs", "Bugs in compilers are found by fuzzing.", "cs.SE"),
    ("Protein folding from sequence alone", "Structures of proteins are predicted.", "q-bio.BM"),
    ("Graph networks for protein binding", "Binding sites of proteins are found.", "q-bio.BM"),
    ("Galaxy clusters in X-ray surveys", "The mass of galaxy clusters is weighed.", "astro-ph"),
    ("Dwarf galaxies and dark matter", "Dark matter shapes small galaxies.", "astro-ph"),
    ("", "", ""),
    ("银河系中的暗物质", "我们研究了银河系中暗物质的分布。", "astro-ph"),
    ("Untitled", "", ""),
]


# Ten made-up papers are no site that the match was fitted for: here the score alone decides.
LENIENT = MatchModel(
    np.array([[0.5 * (name == "steps") for name in NAMES]] * len(WAYS), np.float32),
    np.ones(len(WAYS), np.float32),
)


def add_papers(session: Session) -> list[int]:
    papers = [
        Paper(
            source="test",
            external_id=str(number),
            title=title,
            abstract=abstract,
            authors=[f"Author {number}"],
            categories=[category] if category else [],
            announcement=Announcement.NEW,
            first_seen_at=NOW - timedelta(hours=3),
            upvotes=number,
        )
        for number, (title, abstract, category) in enumerate(PAPERS)
    ]
    session.add_all(papers)
    session.flush()
    return [paper.id or 0 for paper in papers]


def add_subscriber(session: Session, email: str, **preferences: int | bool) -> int:
    subscriber = Subscriber(
        public_id=email,
        email=email,
        address_hash=email,
        status=SubscriberStatus.ACTIVE,
        cadence=Cadence.DAILY,
        confirmed_at=NOW,
        **preferences,  # type: ignore[arg-type]
    )
    session.add(subscriber)
    session.flush()
    return subscriber.id or 0


def add_topic(
    session: Session, subscriber: int, name: str, *interests: tuple[InterestKind, str, float]
) -> int:
    topic = Topic(subscriber_id=subscriber, name=name)
    session.add(topic)
    session.flush()
    number = topic.id or 0
    for kind, value, weight in interests:
        session.add(Interest(topic_id=number, kind=kind, value=value, weight=weight))
    session.flush()
    return number


def train(session: Session, subscriber_id: int | None = None) -> training.TrainingReport:
    session.commit()
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    report = training.train(engine, subscriber_id)
    session.expire_all()
    return report


def rank_for(session: Session, *subscribers: int) -> list[ranker.Ranking]:
    candidates = profiles.load_candidates(session, NOW - timedelta(days=30))
    return ranker.rank(candidates, profiles.load_profiles(session, subscribers))


def give(
    session: Session, subscriber: int, paper: int, signal: Signal, topic: int | None = None
) -> None:
    session.add(Feedback(subscriber_id=subscriber, topic_id=topic, paper_id=paper, signal=signal))
    session.flush()
