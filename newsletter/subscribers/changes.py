"""What an operator changes about a subscriber: preferences, one topic, the address."""

from collections.abc import Mapping, Sequence

from sqlalchemy import update
from sqlmodel import Session, col, select

from newsletter.core.errors import InputError
from newsletter.core.models import Delivery, DeliveryStatus, Subscriber
from newsletter.core.tokens import Signer
from newsletter.subscribers.accounts import refusal, row_id
from newsletter.subscribers.preferences import (
    COLUMN_KINDS,
    StatedTopic,
    preferences_of,
    set_preferences,
    set_topics,
    topics_of,
)
from newsletter.subscribers.suppression import suppressions
from newsletter.subscribers.validation import (
    DEFAULT_TOPIC,
    LONGEST_NAME,
    Preferences,
    TopicRequest,
    TypedTopic,
    clean_line,
    normalise_email,
)


def change(
    session: Session,
    subscriber: Subscriber,
    *,
    name: str | None = None,
    preferences: Mapping[str, str | None] | None = None,
    topic: str | None = None,
    interests: Mapping[str, Sequence[str]] | None = None,
    topic_values: Mapping[str, str] | None = None,
) -> None:
    """Write what is given and leave the rest as it is.

    ``preferences`` are read by `Preferences.read`. ``interests`` maps a column
    ("keywords", "text", …) to its new values; an empty one clears it. They go to the topic named
    ``topic``, which is made if there is none, or to the only one; so do ``topic_values``, which
    are ``quota`` and ``paused`` as they are typed.

    Raises:
        InputError: a value cannot be used, or it is not clear which topic is meant.
    """
    if name is not None:
        subscriber.name = clean_line(name, where="name", longest=LONGEST_NAME)
        session.add(subscriber)
    if preferences:
        wanted = Preferences.read(preferences, preferences_of(subscriber))
        set_preferences(session, row_id(subscriber), wanted)
    if interests or topic_values or topic is not None:
        _change_topic(session, subscriber, topic, interests or {}, topic_values or {})
    session.flush()
    session.refresh(subscriber)


def _change_topic(
    session: Session,
    subscriber: Subscriber,
    name: str | None,
    interests: Mapping[str, Sequence[str]],
    topic_values: Mapping[str, str],
) -> None:
    known = topics_of(session, row_id(subscriber))
    wanted: list[tuple[int | None, TopicRequest]] = [(each.id, each.request) for each in known]
    place = _place_of(known, name)
    before = known[place] if place is not None else None
    values = {column: _values(before, column) for column in COLUMN_KINDS} | dict(interests)
    request = TypedTopic.read(
        {
            **values,
            "name": before.request.name if before else name or DEFAULT_TOPIC,
            "text": "\n".join(values["text"]),
            "quota": before.request.quota if before else None,
            "paused": before.request.paused if before else False,
            **topic_values,
        }
    )
    if place is None:
        wanted.append((None, request))
    else:
        wanted[place] = (known[place].id, request)
    set_topics(session, subscriber, wanted)


def _place_of(known: Sequence[StatedTopic], name: str | None) -> int | None:
    """Which topic is meant; None for one that is not there yet."""
    if name is None:
        if len(known) > 1:
            names = ", ".join(repr(each.request.name) for each in known)
            raise InputError(f"there are several ({names}): name one", where="--topic")
        return 0 if known else None
    folded = [each.request.name.casefold() for each in known]
    wanted = clean_line(name, where="--topic", longest=LONGEST_NAME).casefold()
    return folded.index(wanted) if wanted in folded else None


def _values(topic: StatedTopic | None, column: str) -> Sequence[str]:
    kind, muted = COLUMN_KINDS[column]
    return topic.values(kind, muted=muted, typed=True) if topic else []


def rename(session: Session, signer: Signer, subscriber: Subscriber, email: str) -> str:
    """Move a subscriber to another address; returns it as stored.

    Links in mails that went out go on working. Digests that nobody has tried to send yet go to
    the new address.

    Raises:
        InputError: not an address, another subscriber's, or one that gets no mail.
    """
    address = normalise_email(email)
    where = f"address {address!r}"
    if address == subscriber.email:
        return address
    if session.exec(select(Subscriber.id).where(Subscriber.email == address)).first():
        raise InputError("is already a subscriber", where=where)
    address_hash = signer.hash_address(address)
    suppressed = suppressions(session, [address_hash]).get(address_hash)
    if suppressed:
        raise InputError(refusal(suppressed), where=where)
    subscriber.email, subscriber.address_hash = address, address_hash
    session.add(subscriber)
    session.flush()
    session.connection().execute(
        update(Delivery)
        .where(
            col(Delivery.subscriber_id) == subscriber.id,
            col(Delivery.status) == DeliveryStatus.QUEUED,
            col(Delivery.attempts) == 0,
            col(Delivery.lease_owner).is_(None),
        )
        .values(to_address=address)
    )
    return address
