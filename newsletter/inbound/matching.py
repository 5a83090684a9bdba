"""Find the delivery that an outcome is about, by its surest evidence.

The VERP address is signed, and an ``X-`` header of ours holds the same signed address. Our
Message-ID proves nothing: replies and forwarded mail quote it. Nor does an address that a report
names: it counts only where a message went to that address lately.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select

from newsletter.core.models import Delivery, DeliveryStatus, Subscriber
from newsletter.core.tokens import Signer
from newsletter.inbound.bounces import BouncedRecipient, Outcome

# Relays give up after five days (RFC 5321 §4.5.4.1); slow ones after a week or two.
LATELY = timedelta(days=30)
# Statuses in which a relay may have had the message: a bounce can come before its 250 is recorded.
SENT_ONCE = (
    DeliveryStatus.SENDING,
    DeliveryStatus.SENT,
    DeliveryStatus.UNCERTAIN,
    DeliveryStatus.BOUNCED,
    DeliveryStatus.COMPLAINED,
)


class MatchBasis(StrEnum):
    """How a mail was matched to a delivery, surest first."""

    VERP = "verp"
    MARK = "mark"
    MESSAGE_ID = "message_id"
    RECIPIENT = "recipient"


# Made with our key. Whatever else a mail says, anybody may have written.
SIGNED = frozenset({MatchBasis.VERP, MatchBasis.MARK})


@dataclass(frozen=True, slots=True)
class Match:
    """A delivery, and what the report says about its recipient, if it is a report."""

    delivery: Delivery
    clue: MatchBasis
    recipient: BouncedRecipient | None


def match(session: Session, signer: Signer, outcome: Outcome, *, now: datetime) -> list[Match]:
    """The deliveries that ``outcome`` is about; several only where a report names several."""
    for clue, found in (
        (MatchBasis.VERP, _signed(session, signer, outcome.sent_to)),
        (MatchBasis.MARK, _signed(session, signer, (value for _, value in outcome.marks))),
        (MatchBasis.MESSAGE_ID, _by_message_id(session, outcome.message_ids)),
    ):
        if found is not None:
            return [Match(found, clue, _about(outcome, found.to_address))]
    return list(_by_recipient(session, outcome, now - LATELY))


def _signed(session: Session, signer: Signer, addresses: Iterable[str]) -> Delivery | None:
    for address in addresses:
        delivery_id = signer.verp_delivery(address)
        if delivery_id is not None and (found := session.get(Delivery, delivery_id)):
            return found
    return None


def _by_message_id(session: Session, message_ids: tuple[str, ...]) -> Delivery | None:
    if not message_ids:
        return None
    found = session.exec(
        select(Delivery).where(col(Delivery.message_id).in_(message_ids)).limit(50)
    ).all()
    # A thread's References name older messages after the one that is meant.
    return min(found, key=lambda each: message_ids.index(each.message_id), default=None)


def _by_recipient(session: Session, outcome: Outcome, since: datetime) -> Iterator[Match]:
    seen: set[int] = set()
    for recipient in outcome.recipients:
        for address in dict.fromkeys((recipient.address.lower(), recipient.original.lower())):
            delivery = _last_to(session, address, since) if address else None
            if delivery is not None and delivery.id not in seen:
                seen.add(delivery.id or 0)
                yield Match(delivery, MatchBasis.RECIPIENT, recipient)
                break


def _last_to(session: Session, address: str, since: datetime) -> Delivery | None:
    return session.exec(
        select(Delivery)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            Subscriber.email == address,
            Delivery.to_address == address,
            col(Delivery.status).in_(SENT_ONCE),
            col(Delivery.created_at) >= since,
        )
        .order_by(col(Delivery.id).desc())
        .limit(1)
    ).first()


def _about(outcome: Outcome, to_address: str) -> BouncedRecipient | None:
    """What the report says about ``to_address``; a forwarded one fails under another name."""
    wanted = to_address.lower()
    for recipient in outcome.recipients:
        if wanted in {recipient.address.lower(), recipient.original.lower()}:
            return recipient
    first = outcome.recipients[0] if outcome.recipients else outcome.nameless
    return replace(first, original=to_address) if first else None
