"""Sign-up by the person themselves. A stranger sees the same answer for every address.

Anyone can type any address. So the request waits beside the subscriber, and
nothing of theirs changes until the address confirms.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col, select

from newsletter.core.database import utc_now
from newsletter.core.models import DeliveryKind, InterestKind, SignUp, Subscriber, SubscriberStatus
from newsletter.core.tokens import Signer
from newsletter.subscribers.accounts import CONSENT_WORDING, row_id, subscriber_values
from newsletter.subscribers.preferences import put_topic, topics_of
from newsletter.subscribers.suppression import OWN_DECISION, lift_own_decision, suppressions
from newsletter.subscribers.transactional import queue_note
from newsletter.subscribers.validation import (
    InterestInput,
    Preferences,
    TopicRequest,
    normalise_email,
    parse_preferences,
)

SOURCE = "sign-up page"
# Nobody confirms later than this: the link works for three days.
FORGET_PENDING = timedelta(days=30)
_SUBSCRIBED = (SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpRequest:
    """What a sign-up form asks for. A blank cadence or time zone leaves it as it is.

    ``liked`` are ids of papers that were picked.
    """

    topic: TopicRequest
    cadence: str = ""
    time_zone: str = ""
    liked: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Whether a subscriber is active now, and the papers that they picked when they signed up."""

    active: bool
    liked: tuple[int, ...] = ()


def sign_up(
    session: Session, signer: Signer, *, email: str, request: SignUpRequest, message_domain: str
) -> None:
    """Ask the address to confirm; the request waits until it does.

    A subscriber gets a fresh link to their data instead, and the request is forgotten. An
    address that bounced or complained gets nothing.

    Raises:
        InputError: not an address, cadence or time zone.
    """
    _forget_pending(session)
    address = normalise_email(email)
    parse_preferences(cadence=request.cadence, time_zone=request.time_zone)
    address_hash = signer.hash_address(address)
    reason = suppressions(session, [address_hash]).get(address_hash)
    if reason is not None and reason not in OWN_DECISION:
        return
    known = session.exec(
        select(Subscriber).where(Subscriber.email == address).with_for_update()
    ).one_or_none()
    if known is not None and known.status in _SUBSCRIBED:
        queue_note(session, known, DeliveryKind.ACCOUNT_LINK, message_domain=message_domain)
        return
    if known is None:
        known = Subscriber(
            **subscriber_values(
                address=address,
                address_hash=address_hash,
                name="",
                preferences=Preferences(),
                status=SubscriberStatus.PENDING,
                source=SOURCE,
                now=utc_now(),
            )
        )
        session.add(known)
        session.flush()
    session.merge(SignUp(subscriber_id=row_id(known), asked_at=utc_now(), asked=_as_json(request)))
    session.flush()
    queue_note(session, known, DeliveryKind.CONFIRMATION, message_domain=message_domain)


def confirm(session: Session, public_id: str) -> Confirmed:
    """The address was confirmed: make the subscriber active with the requested settings.

    Their own opt-out is lifted. A person who unsubscribed comes back only by a sign-up made
    since then: a confirmation link from before must not bring the subscription back.
    """
    known = session.exec(
        select(Subscriber).where(Subscriber.public_id == public_id).with_for_update()
    ).one_or_none()
    if known is None or known.status in _SUBSCRIBED:
        return Confirmed(active=known is not None)
    waiting = session.get(SignUp, row_id(known))
    if known.status == SubscriberStatus.UNSUBSCRIBED:
        left = known.unsubscribed_at
        if waiting is None or (left is not None and waiting.asked_at < left):
            return Confirmed(active=False)
    now = utc_now()
    known.status, known.confirmed_at, known.unsubscribed_at = SubscriberStatus.ACTIVE, now, None
    session.flush()
    lift_own_decision(session, known.address_hash)
    if waiting is None:  # imported, or added by the operator
        return Confirmed(active=True)
    known.consent_at, known.consent_source = waiting.asked_at, SOURCE
    known.consent_wording = CONSENT_WORDING
    request = _from_json(waiting.asked)
    _take_over(session, known, request)
    session.delete(waiting)
    session.flush()
    return Confirmed(active=True, liked=request.liked)


def _take_over(session: Session, subscriber: Subscriber, request: SignUpRequest) -> None:
    wanted = parse_preferences(
        cadence=request.cadence,
        time_zone=request.time_zone,
        default=Preferences(cadence=subscriber.cadence, time_zone=subscriber.time_zone),
    )
    subscriber.cadence, subscriber.time_zone = wanted.cadence, wanted.time_zone
    # A person who comes back without new interests keeps the old topics.
    if request.topic.clues or not topics_of(session, row_id(subscriber)):
        put_topic(session, subscriber, request.topic)


def _as_json(request: SignUpRequest) -> dict[str, Any]:
    return {
        "cadence": request.cadence,
        "time_zone": request.time_zone,
        "liked": list(request.liked),
        "topic": request.topic.name,
        "clues": [[clue.kind.value, clue.value, clue.weight] for clue in request.topic.clues],
    }


def _from_json(asked: dict[str, Any]) -> SignUpRequest:
    clues = [
        InterestInput(InterestKind(kind), value, weight) for kind, value, weight in asked["clues"]
    ]
    return SignUpRequest(
        topic=TopicRequest(asked["topic"], tuple(clues)),
        cadence=asked["cadence"],
        time_zone=asked["time_zone"],
        liked=tuple(asked["liked"]),
    )


def request_account_link(session: Session, email: str, *, message_domain: str) -> None:
    """Mail a new link to the subscriber with this address; do nothing if there is none.

    Raises:
        InputError: not an address.
    """
    known = session.exec(
        select(Subscriber).where(Subscriber.email == normalise_email(email))
    ).one_or_none()
    if known is not None and known.status != SubscriberStatus.PENDING:
        queue_note(session, known, DeliveryKind.ACCOUNT_LINK, message_domain=message_domain)


def _forget_pending(session: Session) -> None:
    long_ago = utc_now() - FORGET_PENDING
    session.execute(delete(SignUp).where(col(SignUp.asked_at) < long_ago))
    session.execute(
        delete(Subscriber).where(
            col(Subscriber.status) == SubscriberStatus.PENDING,
            col(Subscriber.confirmed_at).is_(None),
            col(Subscriber.consent_source) == SOURCE,
            col(Subscriber.created_at) < long_ago,
        )
    )
