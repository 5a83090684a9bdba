"""Reads the copies of a broadcast that a send run has begun."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from newsletter.core.models import Broadcast, Delivery, Subscriber
from newsletter.messages.broadcast import BroadcastMessage


def load(session: Session, ids: Sequence[int]) -> dict[int, BroadcastMessage]:
    """The copies by delivery."""
    rows = session.exec(
        select(Delivery, Subscriber, Broadcast.body)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .join(Broadcast, col(Broadcast.id) == col(Delivery.broadcast_id))
        .where(col(Delivery.id).in_(ids))
    )
    return {
        delivery.id or 0: BroadcastMessage(
            delivery_id=delivery.id or 0,
            to_address=delivery.to_address,
            message_id=delivery.message_id,
            created_at=delivery.created_at,
            public_id=subscriber.public_id,
            link_generation=subscriber.link_generation,
            to_name=delivery.to_name,
            subject=delivery.subject,
            body=body,
            language=delivery.language,
        )
        for delivery, subscriber, body in rows
    }
