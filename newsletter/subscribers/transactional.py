"""Messages that are not digests: a confirmation, a fresh link to one's data.

The row waits in the ledger; the next send run mails it. A person who asks again within the pause
gets no second one, so nobody can flood another person's inbox (bulk-mail rule 29). A confirmation
that was answered, by confirming or by leaving, does not count: who leaves can come back that day.
"""

import secrets
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from newsletter.core.database import utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Subscriber,
    SubscriberStatus,
)

PAUSES = {
    DeliveryKind.CONFIRMATION: timedelta(days=1),
    DeliveryKind.ACCOUNT_LINK: timedelta(days=1),
}
# Confirmations within a pause, however they were answered.
MOST_CONFIRMATIONS = 3
_UNSENT = (DeliveryStatus.FAILED, DeliveryStatus.EXPIRED, DeliveryStatus.CANCELLED)


def invite(session: Session, *, message_domain: str, email: str | None = None) -> tuple[int, int]:
    """Queue a confirmation to every pending subscriber, or to the one with this address.

    Returns how many were queued, and how many are pending in all.
    """
    wanted = select(Subscriber).where(Subscriber.status == SubscriberStatus.PENDING)
    if email is not None:
        wanted = wanted.where(Subscriber.email == email)
    pending = session.exec(wanted.order_by(col(Subscriber.id))).all()
    queued = [
        queue_note(session, each, DeliveryKind.CONFIRMATION, message_domain=message_domain)
        for each in pending
    ]
    return sum(number is not None for number in queued), len(pending)


def _left_at(subscriber: Subscriber) -> datetime | None:
    """When a former subscriber left; None for everybody else."""
    left = subscriber.status is SubscriberStatus.UNSUBSCRIBED
    return subscriber.unsubscribed_at if left else None


def queue_note(
    session: Session, subscriber: Subscriber, kind: DeliveryKind, *, message_domain: str
) -> int | None:
    """Queue a message of ``kind``, unless one was queued within its pause.

    ``message_domain`` is the operator's own, for the Message-ID (bulk-mail rule 11). Returns
    the delivery's id, or None where none was queued.
    """
    now = utc_now()
    # The row lock makes two requests at once see each other's message.
    session.exec(
        select(Subscriber.id).where(Subscriber.id == subscriber.id).with_for_update()
    ).one()
    recent = session.exec(
        select(Delivery.created_at).where(
            Delivery.subscriber_id == subscriber.id,
            Delivery.kind == kind,
            col(Delivery.created_at) > now - PAUSES[kind],
            col(Delivery.status).not_in(_UNSENT),
        )
    ).all()
    answered = _left_at(subscriber) if kind is DeliveryKind.CONFIRMATION else None
    open_ones = [at for at in recent if answered is None or at > answered]
    if open_ones or len(recent) >= MOST_CONFIRMATIONS or subscriber.id is None:
        return None
    queued = Delivery(
        subscriber_id=subscriber.id,
        kind=kind,
        to_address=subscriber.email,
        language=subscriber.language,
        message_id=f"{secrets.token_hex(16)}@{message_domain}",
        status=DeliveryStatus.QUEUED,
        created_at=now,
    )
    session.add(queued)
    session.flush()
    return queued.id
