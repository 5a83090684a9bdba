"""Sign-up by the person themselves. Whatever the address, a stranger sees the same answer."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, select

from newsletter.db import utc_now
from newsletter.models import DeliveryKind, Subscriber, SubscriberStatus, Topic
from newsletter.subscribers.accounts import add_topic, row_id, subscriber_values
from newsletter.subscribers.notes import queue_note
from newsletter.subscribers.preferences import set_preferences
from newsletter.subscribers.suppression import OWN_DECISION, suppressions
from newsletter.subscribers.values import Preferences, TopicRequest, normalise_email
from newsletter.tokens import Signer

SOURCE = "sign-up page"
# Somebody who has not confirmed by then never will: the link works for three days.
FORGET_PENDING = timedelta(days=30)


def sign_up(
    session: Session,
    signer: Signer,
    *,
    email: str,
    preferences: Preferences,
    topics: Sequence[TopicRequest],
    message_domain: str,
) -> Subscriber | None:
    """Ask the address to confirm; what is asked for waits in a pending subscriber.

    Returns that subscriber, where what was asked for is theirs now.

    A subscriber who is there already gets a link to their preferences instead, and nothing of
    theirs changes: the form may have been filled in by anybody. An address that bounced or
    complained gets nothing.

    Raises:
        InputError: not an address.
    """
    _forget_pending(session)
    address = normalise_email(email)
    address_hash = signer.hash_address(address)
    reason = suppressions(session, [address_hash]).get(address_hash)
    if reason is not None and reason not in OWN_DECISION:
        return None
    known = session.exec(
        select(Subscriber).where(Subscriber.email == address).with_for_update()
    ).one_or_none()
    is_theirs = known is None or _never_confirmed(known)
    if known is None:
        known = Subscriber(
            **subscriber_values(
                address=address,
                address_hash=address_hash,
                name="",
                preferences=preferences,
                status=SubscriberStatus.PENDING,
                source=SOURCE,
                now=utc_now(),
            )
        )
        session.add(known)
        session.flush()
        _add_topics(session, known, topics)
    elif is_theirs:
        set_preferences(session, row_id(known), preferences)
        session.execute(delete(Topic).where(col(Topic.subscriber_id) == row_id(known)))
        _add_topics(session, known, topics)
    elif known.status == SubscriberStatus.UNSUBSCRIBED:
        known.status = SubscriberStatus.PENDING
        known.consent_at = utc_now()
        known.consent_source = SOURCE
        session.flush()
    kind = DeliveryKind.CONFIRMATION
    if known.status in {SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED}:
        kind = DeliveryKind.ACCOUNT_LINK
    queue_note(session, known, kind, message_domain=message_domain)
    return known if is_theirs else None


def _never_confirmed(subscriber: Subscriber) -> bool:
    return subscriber.status == SubscriberStatus.PENDING and subscriber.confirmed_at is None


def request_account_link(session: Session, email: str, *, message_domain: str) -> None:
    """Mail a fresh link to whoever has this address; nothing happens when nobody has.

    Raises:
        InputError: not an address.
    """
    known = session.exec(
        select(Subscriber).where(Subscriber.email == normalise_email(email))
    ).one_or_none()
    if known is not None and known.status != SubscriberStatus.PENDING:
        queue_note(session, known, DeliveryKind.ACCOUNT_LINK, message_domain=message_domain)


def _add_topics(session: Session, subscriber: Subscriber, topics: Sequence[TopicRequest]) -> None:
    for topic in topics:
        add_topic(session, row_id(subscriber), topic)


def _forget_pending(session: Session) -> None:
    session.execute(
        delete(Subscriber).where(
            col(Subscriber.status) == SubscriberStatus.PENDING,
            col(Subscriber.confirmed_at).is_(None),
            col(Subscriber.consent_source) == SOURCE,
            col(Subscriber.created_at) < utc_now() - FORGET_PENDING,
        )
    )
