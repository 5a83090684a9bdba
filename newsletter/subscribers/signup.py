"""Sign-up by the person themselves. A stranger sees the same answer for every address.

Anyone can type any address. So the request waits beside the subscriber, and
nothing of theirs changes until the address confirms.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col, select

from newsletter.core.database import utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    GroupMember,
    SignUp,
    Subscriber,
    SubscriberStatus,
    SuppressionReason,
)
from newsletter.core.tokens import Signer
from newsletter.subscribers.accounts import CONSENT_WORDING, row_id, subscriber_values
from newsletter.subscribers.group_members import before_erasing
from newsletter.subscribers.preferences import (
    preferences_of,
    put_topic,
    set_preferences,
    topics_of,
)
from newsletter.subscribers.profile import topic_as_json, topic_from_json
from newsletter.subscribers.suppression import (
    OWN_DECISION,
    lift_bounced,
    lift_own_decision,
    suppressions,
)
from newsletter.subscribers.transactional import queue_note
from newsletter.subscribers.validation import (
    Preferences,
    TopicRequest,
    normalise_email,
)

SOURCE = "sign-up page"
# Nobody confirms later than this: the link works for three days.
FORGET_PENDING = timedelta(days=30)
# A mailbox that bounced is asked again this seldom.
ASK_AGAIN = timedelta(days=30)
_SUBSCRIBED = (SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpRequest:
    """What a sign-up form asks for. A blank cadence, time zone or language leaves it as it is.

    ``liked`` are ids of papers that were picked. ``brought`` and ``preferences`` (for
    `Preferences.read`) come from a profile of another site; what was typed goes before them.
    ``remark`` is for the confirmation mail, in words of ours: what came of an uploaded file.
    """

    topic: TopicRequest
    cadence: str = ""
    time_zone: str = ""
    language: str = ""
    liked: tuple[int, ...] = ()
    brought: tuple[TopicRequest, ...] = ()
    preferences: dict[str, Any] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What came of a confirmation. ``liked`` are papers that were picked at the sign-up."""

    active: bool
    liked: tuple[int, ...] = ()
    # Whether the subscriber became active by this, and was not already.
    is_new: bool = False


def sign_up(
    session: Session, signer: Signer, *, email: str, request: SignUpRequest, message_domain: str
) -> None:
    """Ask the address to confirm; the request waits until it does.

    A subscriber gets a fresh link to their data instead, and the request is forgotten. So is a
    request whose confirmation was mailed less than a day ago: that mail belongs to the request
    before. An address that bounced may ask to come back once in `ASK_AGAIN`; one that complained
    gets nothing.

    Raises:
        InputError: not an address, cadence or time zone.
    """
    check(email, request)
    _forget_pending(session)
    address = normalise_email(email)
    address_hash = signer.hash_address(address)
    reason = suppressions(session, [address_hash]).get(address_hash)
    has_bounced = reason is SuppressionReason.BOUNCED
    if reason is not None and reason not in OWN_DECISION and not has_bounced:
        return
    known = session.exec(
        select(Subscriber).where(Subscriber.email == address).with_for_update()
    ).one_or_none()
    if has_bounced and known is not None and _asked_lately(session, known):
        return
    if known is not None and known.status in _SUBSCRIBED and not has_bounced:
        queue_note(session, known, DeliveryKind.ACCOUNT_LINK, message_domain=message_domain)
        return
    if known is None:
        known = Subscriber(
            **subscriber_values(
                address=address,
                address_hash=address_hash,
                name="",
                preferences=Preferences.read({"language": request.language}),
                status=SubscriberStatus.PENDING,
                source=SOURCE,
                now=utc_now(),
            )
        )
        session.add(known)
        session.flush()
    if known.status is SubscriberStatus.PENDING and request.language:
        known.language = request.language
    asked_at = utc_now()
    queued = queue_note(session, known, DeliveryKind.CONFIRMATION, message_domain=message_domain)
    # Of a subscriber whose mail bounced, only that the address works is asked.
    if queued is None or known.status in _SUBSCRIBED:
        return
    session.add(
        SignUp(
            subscriber_id=row_id(known),
            delivery_id=queued,
            asked_at=asked_at,
            asked=_as_json(request),
            remark=request.remark,
        )
    )
    session.flush()


def check(email: str, request: SignUpRequest) -> None:
    """Check what was typed, before anything is counted or stored.

    Raises:
        InputError: not an address, cadence or time zone.
    """
    normalise_email(email)
    _preferences(request, Preferences())


def _preferences(request: SignUpRequest, default: Preferences) -> Preferences:
    typed = {
        "cadence": request.cadence,
        "time_zone": request.time_zone,
        # A profile's own goes before that of the page it was uploaded on.
        "language": request.preferences.get("language") or request.language,
    }
    return Preferences.read(typed, default)


def _asked_lately(session: Session, known: Subscriber) -> bool:
    return (
        session.exec(
            select(Delivery.id).where(
                Delivery.subscriber_id == known.id,
                Delivery.kind == DeliveryKind.CONFIRMATION,
                col(Delivery.created_at) > utc_now() - ASK_AGAIN,
            )
        ).first()
        is not None
    )


def confirm(session: Session, public_id: str, delivery_id: int | None = None) -> Confirmed:
    """The address was confirmed: make the subscriber active with the requested settings.

    ``delivery_id`` is the confirmation mail that the link stands in; without one (mails of
    earlier versions) the last request counts.
    Their own opt-out is lifted. A person who unsubscribed comes back only by a sign-up made
    since then: a confirmation link from before must not bring the subscription back.
    """
    known = session.exec(
        select(Subscriber).where(Subscriber.public_id == public_id).with_for_update()
    ).one_or_none()
    if known is None:
        return Confirmed(active=False)
    if known.status in _SUBSCRIBED:
        lift_bounced(session, known.address_hash)
        return Confirmed(active=True)
    waiting = _waiting(session, known, delivery_id)
    if known.status == SubscriberStatus.UNSUBSCRIBED:
        left = known.unsubscribed_at
        if waiting is None or (left is not None and waiting.asked_at < left):
            return Confirmed(active=False)
    now = utc_now()
    known.status, known.confirmed_at, known.unsubscribed_at = SubscriberStatus.ACTIVE, now, None
    session.flush()
    lift_own_decision(session, known.address_hash)
    lift_bounced(session, known.address_hash)
    if waiting is None:  # imported, or added by the operator
        return Confirmed(active=True, is_new=True)
    known.consent_at, known.consent_source = waiting.asked_at, SOURCE
    known.consent_wording = CONSENT_WORDING
    request = _from_json(waiting.asked)
    _take_over(session, known, request)
    session.execute(delete(SignUp).where(col(SignUp.subscriber_id) == known.id))
    session.flush()
    return Confirmed(active=True, liked=request.liked, is_new=True)


def _waiting(session: Session, known: Subscriber, delivery_id: int | None) -> SignUp | None:
    mine = select(SignUp).where(SignUp.subscriber_id == known.id)
    if delivery_id is not None:
        mine = mine.where(SignUp.delivery_id == delivery_id)
    return session.exec(mine.order_by(col(SignUp.id).desc()).limit(1)).first()


def _take_over(session: Session, subscriber: Subscriber, request: SignUpRequest) -> None:
    brought = Preferences.read(request.preferences, preferences_of(subscriber))
    set_preferences(session, row_id(subscriber), _preferences(request, brought))
    for topic in request.brought:
        put_topic(session, subscriber, topic)
    # A person who comes back without new interests keeps the old topics.
    if request.topic.clues or not topics_of(session, row_id(subscriber)):
        put_topic(session, subscriber, request.topic)


def _as_json(request: SignUpRequest) -> dict[str, Any]:
    return {
        "cadence": request.cadence,
        "time_zone": request.time_zone,
        "language": request.language,
        "liked": list(request.liked),
        **topic_as_json(request.topic),
        "brought": [topic_as_json(topic) for topic in request.brought],
        "preferences": request.preferences,
    }


def _from_json(asked: dict[str, Any]) -> SignUpRequest:
    return SignUpRequest(
        topic=topic_from_json(asked),
        cadence=asked["cadence"],
        time_zone=asked["time_zone"],
        liked=tuple(asked["liked"]),
        # A request that an earlier version kept has none of these.
        language=asked.get("language", ""),
        brought=tuple(topic_from_json(topic) for topic in asked.get("brought", [])),
        preferences=asked.get("preferences", {}),
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
    forgotten = (
        col(Subscriber.status) == SubscriberStatus.PENDING,
        col(Subscriber.confirmed_at).is_(None),
        col(Subscriber.consent_source) == SOURCE,
        col(Subscriber.created_at) < long_ago,
    )
    in_groups = select(GroupMember.subscriber_id).join(Subscriber).where(*forgotten)
    for subscriber_id in session.exec(in_groups).all():
        before_erasing(session, subscriber_id)
    session.execute(delete(Subscriber).where(*forgotten))
