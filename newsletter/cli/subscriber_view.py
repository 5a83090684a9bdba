"""One subscriber in words and values, for every command that shows or changes one."""

from typing import Any

from sqlmodel import Session, col, func, select

from newsletter.core.errors import InputError
from newsletter.core.models import Delivery, Subscriber
from newsletter.subscribers import accounts
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.csv_reading import PREFERENCE_COLUMNS
from newsletter.subscribers.groups import membership
from newsletter.subscribers.preferences import COLUMN_KINDS, topics_of
from newsletter.subscribers.suppression import suppressions


def required(session: Session, email: str) -> Subscriber:
    """The subscriber with this address.

    Raises:
        InputError: nobody has it, or it is no address.
    """
    subscriber = accounts.find_by_email(session, email)
    if subscriber is None:
        raise InputError("is not a subscriber", where=f"address {email!r}")
    return subscriber


def row_of(subscriber: Subscriber) -> dict[str, Any]:
    """The columns that a list shows."""
    return {
        "email": subscriber.email,
        "name": subscriber.name,
        "status": subscriber.status,
        "cadence": subscriber.cadence,
        "weekday": subscriber.weekday,
        "send_hour": subscriber.send_hour,
        "timezone": subscriber.time_zone,
        "max_papers": subscriber.max_papers,
        "min_score": subscriber.min_score,
        "public_id": subscriber.public_id,
        "created_at": subscriber.created_at.isoformat(),
    }


def describe(session: Session, subscriber: Subscriber) -> dict[str, Any]:
    """Everything kept about one subscriber, as plain values."""
    moments = {
        name: moment.isoformat() if (moment := getattr(subscriber, name)) else None
        for name in ("consent_at", "confirmed_at", "unsubscribed_at")
    }
    counted = session.exec(
        select(Delivery.status, func.count())
        .where(Delivery.subscriber_id == subscriber.id)
        .group_by(col(Delivery.status))
    ).all()
    suppressed = suppressions(session, [subscriber.address_hash])
    group = membership(session, subscriber)
    preferences = {name: getattr(subscriber, own) for name, own in PREFERENCE_COLUMNS.items()}
    away = subscriber.vacation_until
    return {
        **row_of(subscriber),
        **preferences,
        "vacation_until": away.isoformat() if away else None,
        "group": group.name if group else None,
        **moments,
        "consent_source": subscriber.consent_source,
        "consent_wording": subscriber.consent_wording,
        "suppressed": suppressed.get(subscriber.address_hash),
        "topics": [
            {
                "name": topic.request.name,
                "quota": topic.request.quota,
                "paused": topic.request.paused,
                **{
                    column: topic.values(kind, muted=muted)
                    for column, (kind, muted) in COLUMN_KINDS.items()
                },
            }
            for topic in topics_of(session, row_id(subscriber))
        ],
        "deliveries": dict(counted),
    }
