"""Find subscribers: by a part of the address or name, state and cadence, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, func, select

from newsletter.core.models import (
    Cadence,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    SignUp,
    Subscriber,
    SubscriberStatus,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which subscribers; what is empty leaves all."""

    search: str = ""
    status: SubscriberStatus | None = None
    cadence: Cadence | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What their rows fulfil; in ``search`` every character means itself."""
        found = []
        if self.search:
            text = self.search.lower()
            found.append(
                or_(
                    col(Subscriber.email).contains(text, autoescape=True),
                    func.lower(Subscriber.name).contains(text, autoescape=True),
                )
            )
        if self.status:
            found.append(col(Subscriber.status) == self.status)
        if self.cadence:
            found.append(col(Subscriber.cadence) == self.cadence)
        return found


def count(session: Session, wanted: Wanted) -> int:
    """How many there are."""
    number = select(func.count()).select_from(Subscriber)
    return session.exec(number.where(*wanted.conditions())).one()


def page(session: Session, wanted: Wanted, *, offset: int, limit: int) -> Sequence[Subscriber]:
    """Some of them, by address."""
    rows = select(Subscriber).where(*wanted.conditions()).order_by(col(Subscriber.email))
    return session.exec(rows.offset(offset).limit(limit)).all()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Someone who has not confirmed: when they last asked, and what became of the mail to them.

    ``mail`` is None while no confirmation was ever queued.
    """

    subscriber: Subscriber
    asked_at: datetime
    mail: DeliveryStatus | None
    mail_at: datetime | None


def count_waiting(session: Session) -> int:
    """How many have not confirmed, those among them who left once and signed up again."""
    return session.exec(select(func.count()).select_from(Subscriber).where(_has_asked())).one()


def waiting(session: Session, *, offset: int, limit: int) -> list[Waiting]:
    """Some of them, the newest subscriber first."""
    rows = session.exec(
        select(Subscriber)
        .where(_has_asked())
        .order_by(col(Subscriber.id).desc())
        .offset(offset)
        .limit(limit)
    ).all()
    ids = [row.id for row in rows]
    asked = {
        each.subscriber_id: each.asked_at
        for each in session.exec(
            select(SignUp).where(col(SignUp.subscriber_id).in_(ids)).order_by(col(SignUp.id))
        )
    }
    mails = {
        each.subscriber_id: each
        for each in session.exec(
            select(Delivery)
            .where(col(Delivery.subscriber_id).in_(ids), Delivery.kind == DeliveryKind.CONFIRMATION)
            .order_by(col(Delivery.id))
        )
    }
    return [_waiting(row, asked.get(row.id or 0), mails.get(row.id or 0)) for row in rows]


def _has_asked() -> ColumnElement[bool]:
    return or_(
        col(Subscriber.status) == SubscriberStatus.PENDING,
        col(Subscriber.id).in_(select(SignUp.subscriber_id)),
    )


def _waiting(row: Subscriber, asked_at: datetime | None, mail: Delivery | None) -> Waiting:
    return Waiting(
        row,
        asked_at or row.created_at,
        mail.status if mail else None,
        (mail.finished_at or mail.created_at) if mail else None,
    )
