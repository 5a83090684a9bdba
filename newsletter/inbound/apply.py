"""Apply an outcome: change the ledger, events, suppression and subscription, or nothing.

An event is written first, under an id of its own: the same mail or webhook again changes nothing
(`delivery_event` is UNIQUE by provider and id). Rules: a dead address and a complaint suppress
at once; other bounces add to a score that ages; warnings, auto-replies and challenges do nothing;
an unsubscribe counts only with a token of ours. What nobody can place is kept.

Anybody can write a report that names an address we mailed, or quotes a Message-ID of ours. One
without a signature of ours is kept for the operator and changes nothing: no status, rate or score.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from newsletter.core.database import upsert
from newsletter.core.errors import TokenError
from newsletter.core.models import (
    UNPROVEN,
    Cadence,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    KeptMail,
    Subscriber,
    SuppressionReason,
    SuppressionRemoval,
)
from newsletter.core.tokens import Purpose, Signer
from newsletter.inbound import bounces
from newsletter.inbound.bounce_score import SUPPRESS_AT, score, weight
from newsletter.inbound.bounces import NOT_THE_ADDRESS, BouncedRecipient, Kind, Ours, Outcome
from newsletter.inbound.bounces.fault import fault_of_ours
from newsletter.inbound.bounces.mime import LONGEST_MAIL, clean_lines, first, split_headers
from newsletter.inbound.bounces.patterns import UNSUBSCRIBE_ADDRESS
from newsletter.inbound.matching import SENT_ONCE, SIGNED, Match, match
from newsletter.inbound.unmatched import LONGEST_KEPT, make_room
from newsletter.sending import ledger
from newsletter.subscribers import accounts
from newsletter.subscribers.suppression import suppress, too_many_today

_EVENT_KEY = ("provider", "provider_event_id")
MAIL = "mail"
SMTP = "smtp"
# Older bounces are stale in any cadence.
LOOK_BACK = timedelta(days=120)
# Kinds that the operator may want to read even if they match a delivery: a person who writes
# "please take me off this list" is one of them.
FOR_THE_OPERATOR = frozenset({Kind.UNKNOWN, Kind.CHALLENGE})


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result of one mail or event. ``actions`` are words for the operator."""

    outcome: Outcome
    matched: bool
    actions: tuple[str, ...] = ()
    is_replay: bool = False
    # Nothing signed in it says whose it is: anyone may have written it.
    is_unproven: bool = False


def receive(session: Session, signer: Signer, data: bytes, *, size: int, now: datetime) -> Recorded:
    """Read one mail and apply it. ``size`` is that of the whole mail, in bytes."""
    outcome = bounces.read(data)
    mark = fingerprint(data)
    recorded = apply(session, signer, outcome, provider=MAIL, event_id=mark, at=now, now=now)
    if not recorded.matched or recorded.is_unproven or outcome.kind in FOR_THE_OPERATOR:
        _keep(session, outcome, data, mark=mark, size=size, now=now)
    return recorded


def fingerprint(data: bytes) -> str:
    """An id of a mail from its Message-ID and body: trace headers differ between copies."""
    headers, body = split_headers(clean_lines(data[:LONGEST_MAIL]))
    return sha256(first(headers, "message-id").encode() + b"\n" + body.strip()).hexdigest()


def apply(
    session: Session,
    signer: Signer,
    outcome: Outcome,
    *,
    provider: str,
    event_id: str,
    at: datetime,
    now: datetime,
) -> Recorded:
    """Apply ``outcome`` once: ``provider`` and ``event_id`` identify it."""
    if outcome.kind is Kind.UNSUBSCRIBE and provider == MAIL:
        return _unsubscribe(session, signer, outcome)
    matches = match(session, signer, outcome, now=now)
    if not matches:
        return Recorded(outcome, matched=False)
    # Webhooks are authenticated, so their content is the provider's own word.
    is_unproven = provider == MAIL and matches[0].clue not in SIGNED
    actions: list[str] = []
    is_replay = False
    for number, found in enumerate(_judged(signer, outcome, found) for found in matches):
        kind = _event_kind(outcome.kind, found.recipient)
        if kind is None:
            continue
        event = _event(found.delivery, found.recipient, kind, at)
        named = f"{event_id}#{number}"[:250]
        if is_unproven:
            # One a day counts as much as a thousand, which a stranger could send.
            named = f"{found.delivery.id} {kind} {at.date()}"
        event |= {
            "provider": UNPROVEN if is_unproven else provider,
            "provider_event_id": named,
        }
        if not _insert_once(session, DeliveryEvent, event, *_EVENT_KEY):
            is_replay = True
            continue
        if is_unproven:
            actions.append(
                f"{found.delivery.to_address}: {kind}, but nothing proves it; kept for review"
            )
        else:
            actions += _consequences(session, signer, found, kind, now)
    return Recorded(
        outcome,
        matched=True,
        actions=tuple(actions),
        is_replay=is_replay,
        is_unproven=is_unproven,
    )


def record_rejection(
    session: Session,
    signer: Signer,
    delivery: Delivery,
    recipient: BouncedRecipient,
    *,
    now: datetime,
    is_forced: bool = False,
) -> tuple[str, ...]:
    """Treat a relay's own 5xx reply like a bounce that came by mail.

    ``recipient`` is the reply as `bounces.read_reply` understands it; with ``is_forced`` any
    number may be suppressed in a day. Returns what was done, in words. The delivery's status is
    the ledger's business and stays as it is.
    """
    event = _event(delivery, recipient, EventKind.BOUNCED, now)
    event |= {"provider": SMTP, "provider_event_id": f"{delivery.id}:{delivery.attempts}"}
    if not _insert_once(session, DeliveryEvent, event, *_EVENT_KEY):
        return ()
    if is_forced and recipient.is_dead:
        suppress(session, signer.hash_address(delivery.to_address), SuppressionReason.BOUNCED)
        return (f"{delivery.to_address}: suppressed",)
    return tuple(_suppress_if_dead(session, signer, delivery, recipient, now))


def _judged(signer: Signer, outcome: Outcome, found: Match) -> Match:
    """A match whose reason says whether we or the reader's address were refused."""
    if found.recipient is None or outcome.kind is not Kind.BOUNCE:
        return found
    sender = next((each for each in outcome.sent_to if signer.verp_delivery(each)), "")
    fault = fault_of_ours(
        found.recipient.diagnostic,
        recipient=found.delivery.to_address,
        ours=Ours.of(sender, [found.delivery.message_id.rpartition("@")[2]]),
    )
    if fault is None or found.recipient.reason in NOT_THE_ADDRESS:
        return found
    return replace(found, recipient=replace(found.recipient, reason=fault))


def _event_kind(kind: Kind, recipient: BouncedRecipient | None) -> EventKind | None:
    if kind is Kind.BOUNCE:
        is_warning = recipient is not None and recipient.delayed
        return EventKind.DEFERRED if is_warning else EventKind.BOUNCED
    return {
        Kind.COMPLAINT: EventKind.COMPLAINED,
        Kind.DELIVERY_NOTICE: EventKind.DELIVERED,
        Kind.UNSUBSCRIBE: EventKind.UNSUBSCRIBED,
    }.get(kind)


def _insert_once(session: Session, table: Any, values: dict[str, Any], *unique: str) -> bool:
    """Insert unless the row exists; returns whether it was inserted."""
    new = upsert(session, table.__tablename__).values(**values)
    statement = new.on_conflict_do_nothing(index_elements=unique)
    return session.execute(statement.returning(table.id)).first() is not None


def _event(
    delivery: Delivery, recipient: BouncedRecipient | None, kind: EventKind, at: datetime
) -> dict[str, Any]:
    return {
        "delivery_id": delivery.id,
        "kind": kind,
        "occurred_at": at,
        "permanence": str(recipient.permanence) if recipient else "",
        "reason": str(recipient.reason) if recipient else "",
        "status": recipient.status if recipient else "",
        "detail": recipient.diagnostic if recipient else "",
    }


def _consequences(
    session: Session, signer: Signer, found: Match, kind: EventKind, now: datetime
) -> list[str]:
    delivery = found.delivery
    if kind is EventKind.COMPLAINED:
        _set_status(session, delivery, DeliveryStatus.COMPLAINED)
        address_hash = signer.hash_address(delivery.to_address)
        suppress(session, address_hash, SuppressionReason.COMPLAINED)
        return [f"{delivery.to_address}: complained, suppressed"]
    if kind is EventKind.UNSUBSCRIBED:
        subscriber = session.get_one(Subscriber, delivery.subscriber_id)
        accounts.unsubscribe(session, subscriber.public_id)
        ledger.settle_arrived(session, delivery_id=delivery.id)
        return [f"{delivery.to_address}: unsubscribed"]
    if kind is EventKind.DELIVERED:
        ledger.settle_arrived(session, delivery_id=delivery.id)
    if kind is not EventKind.BOUNCED:
        return []
    _set_status(session, delivery, DeliveryStatus.BOUNCED)
    if found.recipient is None:
        return [f"{delivery.to_address}: bounced"]
    return _suppress_if_dead(session, signer, delivery, found.recipient, now)


def _set_status(session: Session, delivery: Delivery, status: DeliveryStatus) -> None:
    """A compare-and-set, like every change in the ledger; a complaint is never taken back."""
    before = [each for each in SENT_ONCE if each is not DeliveryStatus.COMPLAINED]
    session.execute(
        update(Delivery)
        .where(col(Delivery.id) == delivery.id, col(Delivery.status).in_(before))
        .values(status=status, lease_until=None, lease_owner=None)
    )


def _suppress_if_dead(
    session: Session, signer: Signer, delivery: Delivery, recipient: BouncedRecipient, now: datetime
) -> list[str]:
    """Suppress a dead address at once, and a failing one when its score is reached."""
    told = f"{delivery.to_address}: {recipient.permanence} bounce ({recipient.reason})"
    address_hash = signer.hash_address(delivery.to_address)
    if recipient.is_dead:
        return [f"{told}, {_suppress(session, address_hash, now)}"]
    return [f"{told}, {_apply_score(session, signer, delivery, now)}"]


def _apply_score(session: Session, signer: Signer, delivery: Delivery, now: datetime) -> str:
    """Suppress an address that failed too often; returns the score in words."""
    address_hash = signer.hash_address(delivery.to_address)
    reached = _score(session, delivery, address_hash, now)
    if reached < SUPPRESS_AT:
        return f"score {reached:g} of {SUPPRESS_AT:g}"
    return f"score {reached:g}: {_suppress(session, address_hash, now)}"


def _suppress(session: Session, address_hash: str, now: datetime) -> str:
    """Suppress for bounces, unless that would be too many in a day; says what was done."""
    if why := too_many_today(session, more=1, now=now):
        return f"not suppressed: {why}"
    suppress(session, address_hash, SuppressionReason.BOUNCED)
    return "suppressed"


def _score(session: Session, delivery: Delivery, address_hash: str, now: datetime) -> float:
    """The score of an address from its events since it last worked."""
    removed = session.exec(
        select(func.max(SuppressionRemoval.removed_at)).where(
            SuppressionRemoval.address_hash == address_hash
        )
    ).one()
    subscriber = session.get(Subscriber, delivery.subscriber_id)
    confirmed = subscriber.confirmed_at if subscriber else None
    since = max(filter(None, (now - LOOK_BACK, removed, confirmed)))
    rows = session.exec(
        select(
            DeliveryEvent.occurred_at,
            DeliveryEvent.permanence,
            DeliveryEvent.reason,
        )
        .join(Delivery, col(Delivery.id) == col(DeliveryEvent.delivery_id))
        .where(
            Delivery.subscriber_id == delivery.subscriber_id,
            Delivery.to_address == delivery.to_address,
            DeliveryEvent.kind == EventKind.BOUNCED,
            DeliveryEvent.provider != UNPROVEN,
            col(DeliveryEvent.occurred_at) >= since,
        )
    ).all()
    days = [(at.date(), weight(permanence, reason)) for at, permanence, reason in rows]
    is_weekly = subscriber is not None and subscriber.cadence is Cadence.WEEKLY
    delivered = _delivered_days(session, delivery, since, now)
    return score(days, now.date(), delivered=delivered, is_weekly=is_weekly)


def _delivered_days(
    session: Session, delivery: Delivery, since: datetime, now: datetime
) -> set[date]:
    """Days on which the address accepted mail that has not bounced since.

    Today does not count yet, because a bounce may be on its way.
    """
    taken_at = func.coalesce(Delivery.finished_at, Delivery.created_at)
    taken = session.exec(
        select(taken_at).where(
            Delivery.subscriber_id == delivery.subscriber_id,
            Delivery.to_address == delivery.to_address,
            Delivery.status == DeliveryStatus.SENT,
            taken_at >= since,
        )
    )
    return {at.date() for at in taken} - {now.date()}


def _unsubscribe(session: Session, signer: Signer, outcome: Outcome) -> Recorded:
    """Unsubscribe the subscriber in our token; without a token, leave the mail to the operator."""
    for address in outcome.sent_to:
        found = UNSUBSCRIBE_ADDRESS.match(address)
        if not found:
            continue
        is_known = _unsubscribe_by(session, signer, found["token"])
        if is_known is None:
            continue
        action = "unsubscribed" if is_known else "already erased; nothing to unsubscribe"
        return Recorded(outcome, matched=True, actions=(action,))
    return Recorded(outcome, matched=False)


def _unsubscribe_by(session: Session, signer: Signer, token: str) -> bool | None:
    """Unsubscribe whom the token of an address names; None when it is not ours.

    Addresses made before `Signer.mailbox_token` hold the token of a link.
    """
    try:
        public_id = signer.verify_mailbox(Purpose.UNSUBSCRIBE, token)
    except TokenError:
        pass
    else:
        return accounts.unsubscribe_folded(session, public_id)
    try:
        public_id = signer.verify(Purpose.UNSUBSCRIBE, token)
    except TokenError:
        return None
    return accounts.unsubscribe(session, public_id)


def _keep(
    session: Session, outcome: Outcome, data: bytes, *, mark: str, size: int, now: datetime
) -> None:
    make_room(session, now)
    values: dict[str, Any] = {
        "fingerprint": mark,
        "received_at": now,
        "kind": outcome.kind,
        "sender": outcome.sender,
        "subject": outcome.subject,
        "size": size,
        "content": data[:LONGEST_KEPT],
    }
    _insert_once(session, KeptMail, values, "fingerprint")
