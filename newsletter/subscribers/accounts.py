"""A subscriber's life: added, confirmed, paused, unsubscribed, erased.

Every change is one UPDATE that names the states it may start from, so two clicks at once, or a
click and a send run, cannot undo each other. Callers own the transaction.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, update
from sqlmodel import Session, SQLModel, col, select

from newsletter.core.database import utc_now
from newsletter.core.errors import InputError
from newsletter.core.models import (
    Cadence,
    Delivery,
    DeliveryEvent,
    Interest,
    KeptMail,
    SignUp,
    Subscriber,
    SubscriberStatus,
    SuppressionReason,
    Topic,
)
from newsletter.core.tokens import Signer
from newsletter.subscribers.group_members import before_erasing
from newsletter.subscribers.suppression import lift_own_decision, suppress, suppressions
from newsletter.subscribers.validation import (
    DEFAULT_TOPIC,
    LONGEST_NAME,
    Preferences,
    TopicRequest,
    clean_line,
    normalise_email,
)

_row = SQLModel.metadata.tables["subscriber"].c
# Written once, against the table: a provider's wave of one-click requests is thousands of these.
_UNSUBSCRIBE = (
    update(SQLModel.metadata.tables["subscriber"])
    .where(_row.public_id == bindparam("leaving"), _row.status != SubscriberStatus.UNSUBSCRIBED)
    .values(status=SubscriberStatus.UNSUBSCRIBED, unsubscribed_at=bindparam("moment"))
    .returning(_row.address_hash)
)
# The wording people agreed to; a new wording gets a new name, old rows keep theirs.
CONSENT_WORDING = "2026-11"


def new_public_id() -> str:
    """128 random bits, url-safe: names a subscriber in links without telling anything."""
    return secrets.token_urlsafe(16)


# Built once: every page behind a reader's link begins with it.
_NAMED = select(Subscriber).where(col(Subscriber.public_id) == bindparam("public_id"))


def find(session: Session, public_id: str) -> Subscriber | None:
    """The subscriber that links name ``public_id``; None once erased."""
    return session.scalars(_NAMED, {"public_id": public_id}).one_or_none()


def find_by_email(session: Session, email: str) -> Subscriber | None:
    """The subscriber with this address.

    Raises:
        InputError: not an address.
    """
    wanted = normalise_email(email)
    return session.exec(select(Subscriber).where(Subscriber.email == wanted)).one_or_none()


def add(
    session: Session,
    signer: Signer,
    *,
    email: str,
    name: str = "",
    preferences: Preferences | None = None,
    topics: Sequence[TopicRequest] = (),
    confirmed: bool,
    source: str,
) -> Subscriber:
    """Add a subscriber: active when ``confirmed``, else pending until they confirm.

    ``source`` says where consent was given ("sign-up page", "import list.csv"). Without topics
    one empty topic is made, for feedback to be learned in.

    Raises:
        InputError: not an address, already a subscriber, opted out, or suppressed.
    """
    address = normalise_email(email)
    address_hash = signer.hash_address(address)
    if session.exec(select(Subscriber.id).where(Subscriber.email == address)).first():
        raise InputError("is already a subscriber", where=f"address {address!r}")
    suppressed = suppressions(session, [address_hash]).get(address_hash)
    if suppressed:
        raise InputError(refusal(suppressed), where=f"address {address!r}")
    now = utc_now()
    subscriber = Subscriber(
        **subscriber_values(
            address=address,
            address_hash=address_hash,
            name=clean_line(name, where="name", longest=LONGEST_NAME),
            preferences=preferences or Preferences(),
            status=SubscriberStatus.ACTIVE if confirmed else SubscriberStatus.PENDING,
            source=source,
            now=now,
        )
    )
    session.add(subscriber)
    session.flush()
    for topic in topics or [TopicRequest(DEFAULT_TOPIC, ())]:
        add_topic(session, row_id(subscriber), topic)
    return subscriber


def subscriber_values(
    *,
    address: str,
    address_hash: str,
    name: str,
    preferences: Preferences,
    status: SubscriberStatus,
    source: str,
    now: datetime,
) -> dict[str, Any]:
    """The columns of a new subscriber's row, for `add` and for the bulk import."""
    return {
        "public_id": new_public_id(),
        "email": address,
        "address_hash": address_hash,
        "name": name,
        "status": status,
        **preferences.model_dump(),
        "created_at": now,
        "consent_at": now,
        "consent_source": source[:200],
        "consent_wording": CONSENT_WORDING,
        "confirmed_at": None if status == SubscriberStatus.PENDING else now,
    }


def add_topic(session: Session, subscriber_id: int, request: TopicRequest) -> None:
    """Add one topic with its interests."""
    topic = Topic(
        subscriber_id=subscriber_id,
        name=request.name,
        quota=request.quota,
        paused=request.paused,
    )
    session.add(topic)
    session.flush()
    session.add_all(
        Interest(
            topic_id=row_id(topic),
            kind=clue.kind,
            value=clue.value,
            weight=clue.weight,
            reference=clue.reference,
        )
        for clue in request.clues
    )
    session.flush()


def wait_for(session: Session, subscriber_id: int) -> None:
    """Wait until others who do so have changed what is this subscriber's: a button pressed twice.

    SQLite has one writer at a time anyhow.
    """
    rows = select(Subscriber.id).where(Subscriber.id == subscriber_id)
    session.exec(rows.with_for_update(key_share=True)).all()


def row_id(row: Subscriber | Topic) -> int:
    """The key of a row that is stored."""
    if row.id is None:
        raise ValueError("this row has no key: it was never stored")
    return row.id


def refusal(reason: SuppressionReason) -> str:
    """Say to the operator why a suppressed address is not added."""
    return {
        SuppressionReason.UNSUBSCRIBED: "has unsubscribed; only its owner can sign up again",
        SuppressionReason.ERASED: "was erased at its owner's request; only they can sign up again",
        SuppressionReason.BOUNCED: "is suppressed: mail to it bounced permanently",
        SuppressionReason.COMPLAINED: "is suppressed: its owner marked our mail as spam",
        SuppressionReason.OPERATOR: "is suppressed by the operator",
    }[reason]


def unsubscribe(session: Session, public_id: str) -> bool:
    """Stop all mail, from the next message on; doing it again changes nothing.

    The status and the suppression of the address are written together, and the ledger reads
    both before each message. Returns whether there is such a subscriber.
    """
    address_hash = session.connection().scalar(
        _UNSUBSCRIBE, {"leaving": public_id, "moment": utc_now()}
    )
    if address_hash is not None:
        session.expire_all()
        suppress(session, address_hash, SuppressionReason.UNSUBSCRIBED)
        return True
    # A person who unsubscribes again does not want a sign-up made in the meantime.
    known = find(session, public_id)
    if known is not None:
        session.execute(delete(SignUp).where(col(SignUp.subscriber_id) == known.id))
    return known is not None


def end_links(session: Session, public_id: str) -> None:
    """Make every link that was given out so far useless, but for those that unsubscribe."""
    session.execute(
        update(Subscriber)
        .where(col(Subscriber.public_id) == public_id)
        .values(link_generation=col(Subscriber.link_generation) + 1)
    )


def unsubscribe_folded(session: Session, public_id: str) -> bool:
    """`unsubscribe` for a public id that came in lower case."""
    found = session.exec(
        select(Subscriber.public_id).where(func.lower(Subscriber.public_id) == public_id)
    ).first()
    return unsubscribe(session, found or public_id)


def pause(session: Session, public_id: str) -> bool:
    """Stop digests until `resume`; returns whether the subscriber is paused now."""
    return _switch(session, public_id, SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED)


def make_weekly(session: Session, public_id: str) -> None:
    """One digest a week from now on."""
    session.execute(
        update(Subscriber)
        .where(col(Subscriber.public_id) == public_id)
        .values(cadence=Cadence.WEEKLY)
    )


def resume(session: Session, public_id: str) -> bool:
    """Start digests again after `pause`; returns whether the subscriber is active now."""
    return _switch(session, public_id, SubscriberStatus.PAUSED, SubscriberStatus.ACTIVE)


def come_back(session: Session, public_id: str) -> bool:
    """Start digests again after the person unsubscribed; returns whether they are active now.

    Only their own decision is taken back: an address that complained, bounced, was erased or was
    stopped by the operator stays as it is. Consent is given anew.
    """
    subscriber = find(session, public_id)
    if subscriber is None or subscriber.confirmed_at is None:
        return False
    reason = suppressions(session, [subscriber.address_hash]).get(subscriber.address_hash)
    if reason not in {None, SuppressionReason.UNSUBSCRIBED}:
        return False
    now = utc_now()
    session.execute(
        update(Subscriber)
        .where(
            col(Subscriber.public_id) == public_id,
            col(Subscriber.status) == SubscriberStatus.UNSUBSCRIBED,
        )
        .values(
            status=SubscriberStatus.ACTIVE,
            unsubscribed_at=None,
            consent_at=now,
            consent_source="preferences page",
            consent_wording=CONSENT_WORDING,
        )
    )
    session.expire_all()
    is_active = subscriber.status is SubscriberStatus.ACTIVE
    if is_active:
        lift_own_decision(session, subscriber.address_hash)
    return is_active


def _switch(
    session: Session, public_id: str, before: SubscriberStatus, after: SubscriberStatus
) -> bool:
    session.execute(
        update(Subscriber)
        .where(col(Subscriber.public_id) == public_id, col(Subscriber.status) == before)
        .values(status=after)
    )
    subscriber = find(session, public_id)
    return subscriber is not None and subscriber.status == after


def erase(session: Session, public_id: str) -> bool:
    """Delete the subscriber and all that belongs to them; a keyed hash of the address stays.

    The hash keeps a later import from bringing the address back. Returns whether there was
    such a subscriber.
    """
    known = find(session, public_id)
    if known is None:
        return False
    address_hash = known.address_hash
    before_erasing(session, row_id(known))
    own = select(Delivery.id).where(Delivery.subscriber_id == known.id)
    # Servers quote the address they refuse. Events stay without those words: a report that comes
    # again must still be recognised.
    quoted = update(DeliveryEvent).where(col(DeliveryEvent.delivery_id).in_(own))
    session.connection().execute(quoted.values(detail=""))
    from_them = func.lower(col(KeptMail.sender)).contains(known.email, autoescape=True)
    session.connection().execute(delete(KeptMail).where(from_them))
    session.execute(delete(Subscriber).where(col(Subscriber.id) == known.id))
    session.expire_all()
    suppress(session, address_hash, SuppressionReason.ERASED)
    return True
