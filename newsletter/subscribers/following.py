"""Follow an author or a category of a paper, and stop: one interest in, one out."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete
from sqlmodel import Session, col, select

from newsletter.core.errors import InputError, LimitError
from newsletter.core.language import _
from newsletter.core.models import Interest, InterestKind, Profile, Subscriber, Topic
from newsletter.subscribers.accounts import add_topic, row_id, wait_for
from newsletter.subscribers.preferences import MOST_IN_ALL
from newsletter.subscribers.validation import (
    DEFAULT_TOPIC,
    MOST_INTERESTS,
    InterestInput,
    TopicRequest,
    TypedTopic,
)

# What can be followed, and the list of a topic that it stands in.
COLUMNS = {InterestKind.AUTHOR: "authors", InterestKind.CATEGORY: "categories"}


class Place(NamedTuple):
    """Where something is followed, and its weight there."""

    topic_id: int
    weight: float


class Followed(NamedTuple):
    """An author or a category as the reader has it, and where."""

    value: str
    places: tuple[Place, ...]


def checked(kind: InterestKind, value: str) -> str:
    """``value`` as an interest holds it.

    Raises:
        InputError: nobody can follow a thing of this name.
    """
    clues = TypedTopic.read({COLUMNS[kind]: [value]}).clues
    if len(clues) != 1:
        raise InputError(_("{value} cannot be followed", value=repr(value[:60])), where=kind.value)
    return clues[0].value


def followed(session: Session, subscriber_id: int) -> dict[tuple[InterestKind, str], Followed]:
    """Authors and categories that a subscriber follows, by kind and value in small letters."""
    rows = session.exec(
        select(Interest)
        .join(Topic, col(Topic.id) == col(Interest.topic_id))
        .where(
            Topic.subscriber_id == subscriber_id,
            col(Interest.kind).in_(COLUMNS),
            col(Interest.weight) > 0,
        )
        .order_by(col(Interest.id))
    )
    found: dict[tuple[InterestKind, str], Followed] = {}
    for row in rows:
        key = row.kind, row.value.casefold()
        before = found[key].places if key in found else ()
        found[key] = Followed(row.value, (*before, Place(row.topic_id, row.weight)))
    return found


def follow(
    session: Session,
    subscriber: Subscriber,
    kind: InterestKind,
    value: str,
    places: Sequence[Place],
) -> str:
    """Add an interest to those topics of the reader's that are named; returns the topics' names.

    Without one it goes to the first that is not paused, and to a new one where there is none.
    Doing it twice changes nothing.

    Raises:
        InputError: it cannot be followed, is muted there, or the topics hold no more.
    """
    value = checked(kind, value)
    wait_for(session, row_id(subscriber))
    topics = session.exec(
        select(Topic).where(Topic.subscriber_id == subscriber.id).order_by(col(Topic.id))
    ).all()
    weights = {place.topic_id: place.weight for place in places}
    wanted = [topic for topic in topics if topic.id in weights]
    wanted = wanted or [topic for topic in topics if not topic.paused][:1] or list(topics[:1])
    if not topics:
        add_topic(
            session,
            row_id(subscriber),
            TopicRequest(DEFAULT_TOPIC, (InterestInput(kind, value),)),
        )
        return DEFAULT_TOPIC
    stated = session.exec(
        select(Interest).where(col(Interest.topic_id).in_([topic.id for topic in topics]))
    ).all()
    for topic in wanted:
        own = [each for each in stated if each.topic_id == topic.id]
        same = [each for each in own if each.value.casefold() == value.casefold()]
        if any(each.weight < 0 for each in same):
            raise InputError(
                _("you muted {value}; unmute it in your preferences first", value=repr(value)),
                where="",
            )
        if any(each.kind == kind for each in same):
            continue
        typed = [each for each in stated if each.reference is None]
        of_topic = sum(each.topic_id == topic.id for each in typed)
        if of_topic >= MOST_INTERESTS or len(typed) >= MOST_IN_ALL:
            raise LimitError(_("your topics hold no more; remove something first"), where="")
        weight = weights.get(row_id(topic), 1.0)
        session.add(Interest(topic_id=row_id(topic), kind=kind, value=value, weight=weight))
        _learn_anew(session, row_id(topic))
    session.flush()
    return ", ".join(topic.name for topic in wanted)


def unfollow(
    session: Session, subscriber_id: int, kind: InterestKind, value: str
) -> tuple[Place, ...]:
    """Remove an interest from all topics; returns where it stood, to undo it."""
    found = followed(session, subscriber_id).get((kind, value.casefold()))
    if found is None:
        return ()
    for place in found.places:
        rows = session.exec(
            select(Interest).where(Interest.topic_id == place.topic_id, Interest.kind == kind)
        )
        gone = [row.id for row in rows if row.value.casefold() == value.casefold()]
        session.execute(delete(Interest).where(col(Interest.id).in_(gone)))
        _learn_anew(session, place.topic_id)
    return found.places


def _learn_anew(session: Session, topic_id: int) -> None:
    """The profile of the old interests is rebuilt when it is next needed."""
    session.execute(delete(Profile).where(col(Profile.topic_id) == topic_id))
