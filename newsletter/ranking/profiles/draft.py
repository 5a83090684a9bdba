"""Wishes that somebody is trying: ranked like stored ones, while they are in no table."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from newsletter.core.models import Interest, Profile, Subscriber, Topic


@dataclass(frozen=True, slots=True)
class Draft:
    """One subscriber's wishes as rows; ``profiled`` are topics whose stored profile holds.

    ``liked`` are ids of papers that count as relevant besides those in the tables.
    """

    subscriber: Subscriber
    topics: tuple[Topic, ...]
    interests: tuple[Interest, ...]
    profiled: frozenset[int]
    liked: tuple[int, ...] = ()


def read_draft(session: Session, subscriber: Subscriber) -> Draft:
    """Read the wishes as ``session`` sees them, and take the rows out of it."""
    topics = session.exec(select(Topic).where(Topic.subscriber_id == subscriber.id)).all()
    numbers = [topic.id or 0 for topic in topics]
    profiled = session.exec(select(Profile.topic_id).where(col(Profile.topic_id).in_(numbers)))
    interests = session.exec(select(Interest).where(col(Interest.topic_id).in_(numbers))).all()
    draft = Draft(subscriber, tuple(topics), tuple(interests), frozenset(profiled))
    session.expunge_all()
    return draft
