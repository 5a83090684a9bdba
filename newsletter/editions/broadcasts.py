"""A broadcast's rows: opened once a date, a delivery for each reader it is for."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from hashlib import sha256
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, exists, func, select

from newsletter.core.database import read_scope, session_scope, upsert, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.language import SOURCE
from newsletter.core.models import (
    Broadcast,
    Cadence,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DigestLength,
    EditionStatus,
    Occasion,
    Subscriber,
    SubscriberStatus,
    Suppression,
    Topic,
)
from newsletter.messages.broadcast import BroadcastMessage
from newsletter.sending import ledger

# Rows per transaction: SQLite's other writers wait for one of these.
BATCH = 500
# The same words again within this time continue a broadcast that is not finished.
CONTINUED = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a broadcast is for: all active subscribers, or those for whom all of this is true."""

    topic: str | None = None
    cadence: Cadence | None = None
    only: str | None = None


def fingerprint(subject: str, body: str) -> str:
    """What makes two broadcasts the same one."""
    return sha256(f"{subject}\n{body}".encode()).hexdigest()


def begun(session: Session, subject: str, body: str, today: date) -> Broadcast | None:
    """The broadcast of these words: today's, or an earlier one that is not finished.

    Raises:
        UsageError: it was cancelled today.
    """
    words = fingerprint(subject, body)
    over = (EditionStatus.SENT, EditionStatus.CANCELLED)
    known = session.exec(
        select(Broadcast)
        .where(Broadcast.fingerprint == words, Broadcast.issue_date >= today - CONTINUED)
        .order_by(col(Broadcast.id).desc())
    ).first()
    if known is None or (known.issue_date != today and known.status in over):
        return None
    if known.status is EditionStatus.CANCELLED:
        raise UsageError("this broadcast was cancelled today: change its words, or wait a day")
    return known


def open_broadcast(engine: Engine, subject: str, body: str, today: date, *, force: bool) -> int:
    """Id of the broadcast of these words, opened if needed. Two callers may race.

    Raises:
        UsageError: another broadcast was opened today and ``force`` is false; or this one was
            cancelled.
    """
    try:
        with session_scope(engine) as session:
            known = begun(session, subject, body, today)
            if known is not None:
                return known.id or 0
            number = require_first_today(session, today, force=force)
            opened = Broadcast(
                issue_date=today,
                number=number,
                fingerprint=fingerprint(subject, body),
                subject=subject,
                body=body,
                status=EditionStatus.DRAFT,
            )
            session.add(opened)
            session.flush()
            return opened.id or 0
    except IntegrityError:  # another process was first
        return open_broadcast(engine, subject, body, today, force=force)


def require_first_today(session: Session, today: date, *, force: bool) -> int:
    """The number that a new broadcast of today has: 0 for the first.

    Raises:
        UsageError: it is not the first, and ``force`` is false.
    """
    earlier = session.exec(
        select(Broadcast).where(Broadcast.issue_date == today).order_by(col(Broadcast.number))
    ).all()
    other = next((each for each in earlier if each.status is not EditionStatus.CANCELLED), None)
    if other is not None and not force:
        raise UsageError(
            f"a broadcast went out today already ({other.subject!r}): readers should get one a "
            "day at most (use --force to send another)"
        )
    return earlier[-1].number + 1 if earlier else 0


def recipients(
    session: Session, audience: Audience, broadcast_id: int | None = None
) -> Sequence[Subscriber]:
    """Whom a broadcast would go to now, and who has no delivery of ``broadcast_id`` yet.

    Active subscribers only, on vacation or not; never an address that is suppressed.

    Raises:
        UsageError: nobody has the address, or the topic.
    """
    wanted = select(Subscriber).where(
        Subscriber.status == SubscriberStatus.ACTIVE,
        ~exists().where(col(Suppression.address_hash) == col(Subscriber.address_hash)),
    )
    if broadcast_id is not None:
        has_it = exists().where(
            col(Delivery.broadcast_id) == broadcast_id,
            col(Delivery.subscriber_id) == col(Subscriber.id),
        )
        wanted = wanted.where(~has_it)
    if audience.cadence is not None:
        wanted = wanted.where(Subscriber.cadence == audience.cadence)
    if audience.only is not None:
        wanted = wanted.where(Subscriber.id == only_subscriber(session, audience.only))
    if audience.topic is not None:
        wanted = wanted.where(
            col(Subscriber.id).in_(
                select(Topic.subscriber_id).where(
                    Topic.name == _topic(session, audience.topic), ~col(Topic.paused)
                )
            )
        )
    return session.exec(wanted.order_by(col(Subscriber.id))).all()


def only_subscriber(session: Session, email: str) -> int:
    """The id of the one that ``--only`` names.

    Raises:
        UsageError: no subscriber has this address.
    """
    found = session.exec(
        select(Subscriber.id).where(Subscriber.email == email.strip().lower())
    ).first()
    if found is None:
        raise UsageError(f"--only {email}: no subscriber has this address")
    return found


def _topic(session: Session, name: str) -> str:
    names = session.exec(select(Topic.name).distinct()).all()
    if name in names:
        return name
    nearest = get_close_matches(name, names, n=1, cutoff=0.4)
    meant = f"; the nearest is {nearest[0]!r}" if nearest else ""
    raise UsageError(f"--topic {name}: no subscriber has a topic of this name{meant}")


def fill(engine: Engine, broadcast_id: int, audience: Audience, *, message_domain: str) -> int:
    """Queue a delivery for each of the recipients who has none; returns how many are new.

    In short transactions: killed in between, the next call adds the rest.

    Raises:
        UsageError: nobody has the address, or the topic.
    """
    with read_scope(engine) as session:
        subject = session.get_one(Broadcast, broadcast_id).subject
        missing = recipients(session, audience, broadcast_id)
    added = 0
    for start in range(0, len(missing), BATCH):
        rows = [
            _row(each, broadcast_id, subject, message_domain)
            for each in missing[start : start + BATCH]
        ]
        with session_scope(engine) as session:
            # Another process may add the same readers: the database keeps one row of each.
            queued = upsert(session, "delivery").on_conflict_do_nothing(
                index_elements=["broadcast_id", "subscriber_id"]
            )
            added += session.connection().execute(queued.values(rows)).rowcount
    return added


def _row(
    subscriber: Subscriber, broadcast_id: int, subject: str, message_domain: str
) -> dict[str, Any]:
    return {
        "broadcast_id": broadcast_id,
        "subscriber_id": subscriber.id,
        "kind": DeliveryKind.BROADCAST,
        "to_address": subscriber.email,
        "to_name": subscriber.name,
        "length": DigestLength.NORMAL,
        "occasion": Occasion.REGULAR,
        "message_id": f"{secrets.token_hex(16)}@{message_domain}",
        "subject": subject,
        "notice": "",
        "read_here": False,
        "language": subscriber.language,
        "status": DeliveryStatus.QUEUED,
        "attempts": 0,
        "resends": 0,
        "created_at": utc_now(),
        "smtp_response": "",
    }


def sample(subscriber: Subscriber | None, subject: str, body: str, domain: str) -> BroadcastMessage:
    """The message as ``subscriber`` would get it, or a reader of no subscription; no row of it."""
    return BroadcastMessage(
        delivery_id=0,
        to_address=subscriber.email if subscriber else f"reader@{domain}",
        message_id=f"{secrets.token_hex(16)}@{domain}",
        created_at=utc_now(),
        public_id=subscriber.public_id if subscriber else "nobody",
        link_generation=subscriber.link_generation if subscriber else 0,
        to_name=subscriber.name if subscriber else "",
        subject=subject,
        body=body,
        language=subscriber.language if subscriber else SOURCE,
    )


def shown(session: Session, since: date) -> list[dict[str, Any]]:
    """Broadcasts of ``since`` and later, and older ones that are still open, with their counts."""
    over = (EditionStatus.SENT, EditionStatus.CANCELLED)
    found = session.exec(
        select(Broadcast)
        .where((col(Broadcast.issue_date) >= since) | col(Broadcast.status).not_in(over))
        .order_by(col(Broadcast.id))
    ).all()
    return [
        {
            "broadcast": each.id,
            "date": each.issue_date.isoformat(),
            "subject": each.subject,
            "status": each.status.value,
            "note": each.note,
            "prepared": sum(counts.values()),
            "counts": {status.value: number for status, number in counts.items()},
        }
        for each in found
        for counts in [ledger.counts(session, ledger.OfBroadcast(each.id or 0))]
    ]


def total(session: Session, broadcast_id: int) -> int:
    """How many deliveries a broadcast has."""
    return session.exec(
        select(func.count()).where(col(Delivery.broadcast_id) == broadcast_id)
    ).one()
