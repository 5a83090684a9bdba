"""Everything that happened to an address, in order: why it gets no mail."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from newsletter.core.database import utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryEvent,
    DeliveryKind,
    DeliveryStatus,
    Edition,
    NoDigest,
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
    SuppressionRemoval,
)
from newsletter.core.tokens import Signer
from newsletter.subscribers.validation import normalise_email

# A year of daily digests.
MOST_ENTRIES = 400
_TAKEN = (DeliveryStatus.SENT, DeliveryStatus.BOUNCED, DeliveryStatus.COMPLAINED)
_WHY = {
    SuppressionReason.UNSUBSCRIBED: "they unsubscribed",
    SuppressionReason.BOUNCED: "mail to the address bounced",
    SuppressionReason.COMPLAINED: "they marked our mail as spam",
    SuppressionReason.ERASED: "they deleted their data",
    SuppressionReason.OPERATOR: "the operator suppressed the address",
}

_WHY_BY_STATUS = {
    SubscriberStatus.PENDING: "they have not confirmed their address",
    SubscriberStatus.PAUSED: "they paused",
    SubscriberStatus.UNSUBSCRIBED: _WHY[SuppressionReason.UNSUBSCRIBED],
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened, in words."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class History:
    """``verdict`` answers in a sentence whether the address gets mail; ``entries`` tell the rest,
    the oldest first.
    """

    email: str
    gets_mail: bool
    verdict: str
    entries: tuple[Entry, ...]


def history(session: Session, signer: Signer, email: str) -> History:
    """Everything known about an address, subscriber or not.

    Raises:
        InputError: not an address.
    """
    return history_of(session, signer, normalise_email(email))


def history_of(session: Session, signer: Signer, address: str) -> History:
    """The same of an address as it is stored, whatever it looks like."""
    address_hash = signer.hash_address(address)
    subscriber = session.exec(select(Subscriber).where(Subscriber.email == address)).one_or_none()
    suppression = session.get(Suppression, address_hash)
    entries = _suppression_entries(session, address_hash, suppression)
    if subscriber is not None:
        entries += _subscriber_entries(subscriber)
        entries += _delivery_entries(session, subscriber.id or 0)
    entries.sort(key=lambda entry: entry.at)
    why_not = _why_not(subscriber, suppression)
    verdict = f"{address} gets no mail: {why_not}" if why_not else f"{address} gets mail"
    return History(address, not why_not, verdict, tuple(entries[-MOST_ENTRIES:]))


def _why_not(subscriber: Subscriber | None, suppression: Suppression | None) -> str:
    if suppression is not None:
        note = f" ({suppression.note})" if suppression.note else ""
        return f"{_WHY[suppression.reason]}{note}"
    if subscriber is None:
        return "there is no subscriber with this address"
    if subscriber.status is not SubscriberStatus.ACTIVE:
        return _WHY_BY_STATUS[subscriber.status]
    until = subscriber.vacation_until
    return f"they are on vacation until {until}" if until and until >= utc_now().date() else ""


def _suppression_entries(
    session: Session, address_hash: str, suppression: Suppression | None
) -> list[Entry]:
    entries = []
    if suppression is not None:
        note = f": {suppression.note}" if suppression.note else ""
        entries.append(Entry(suppression.created_at, f"suppressed ({suppression.reason}){note}"))
    for removal in session.exec(
        select(SuppressionRemoval).where(SuppressionRemoval.address_hash == address_hash)
    ):
        entries.append(Entry(removal.suppressed_at, f"suppressed ({removal.reason})"))
        note = f": {removal.note}" if removal.note else ""
        entries.append(Entry(removal.removed_at, f"suppression lifted{note}"))
    return entries


def _subscriber_entries(subscriber: Subscriber) -> list[Entry]:
    entries = [
        Entry(subscriber.created_at, f"signed up ({subscriber.consent_source or 'unknown'})")
    ]
    if subscriber.confirmed_at is not None:
        entries.append(Entry(subscriber.confirmed_at, "confirmed"))
    if subscriber.unsubscribed_at is not None:
        entries.append(Entry(subscriber.unsubscribed_at, "unsubscribed"))
    return entries


def _delivery_entries(session: Session, subscriber_id: int) -> list[Entry]:
    """The ledger's last rows of a subscriber, their events, and editions without a digest."""
    entries = []
    mine = select(Delivery).where(Delivery.subscriber_id == subscriber_id)
    for row in session.exec(mine.order_by(col(Delivery.id).desc()).limit(MOST_ENTRIES)):
        named = "digest" if row.kind is DeliveryKind.DIGEST else row.kind.replace("_", " ")
        # What the relay said when it took a message is not why it came back.
        said = "" if row.status in _TAKEN else f": {row.smtp_response}".removesuffix(": ")
        entries.append(Entry(row.finished_at or row.created_at, f"{named} {row.status}{said}"))
    events = (
        select(DeliveryEvent)
        .join(Delivery, col(Delivery.id) == col(DeliveryEvent.delivery_id))
        .where(Delivery.subscriber_id == subscriber_id)
        .order_by(col(DeliveryEvent.id).desc())
        .limit(MOST_ENTRIES)
    )
    for event in session.exec(events):
        told = " ".join(
            filter(None, [event.permanence, event.reason.replace("_", " "), event.status])
        )
        detail = f" ({event.detail})" if event.detail else ""
        line = f"{event.provider} reported: {event.kind} {told}".rstrip()
        entries.append(Entry(event.occurred_at, f"{line}{detail}"))
    nothing = (
        select(NoDigest, Edition)
        .join(Edition, col(Edition.id) == col(NoDigest.edition_id))
        .where(NoDigest.subscriber_id == subscriber_id)
        .order_by(col(NoDigest.id).desc())
        .limit(MOST_ENTRIES)
    )
    for none, edition in session.exec(nothing):
        line = f"no digest in the edition of {edition.issue_date}: {none.reason}"
        entries.append(Entry(edition.opened_at, line))
    return entries
