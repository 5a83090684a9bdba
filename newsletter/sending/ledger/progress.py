"""How fast an edition goes out just now, and how long the rest takes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select
from sqlmodel import Session

from newsletter.core.models import DeliveryStatus
from newsletter.sending.ledger.states import DELIVERY, RESENDS, ROW, WAITS, is_open

# Shorter, and a slow relay looks like no relay; longer, and a new pace is seen too late.
WINDOW = timedelta(minutes=1)
_DONE = (
    DeliveryStatus.SENT,
    DeliveryStatus.FAILED,
    DeliveryStatus.BOUNCED,
    DeliveryStatus.COMPLAINED,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """``left`` deliveries are still to be made; ``leased`` of them are in a send run's hands.

    ``per_second`` is the pace of the last minute, 0 when nothing was finished in it.
    ``next_at`` is when the first of those that wait may be tried.
    """

    left: int
    leased: int
    per_second: float
    next_at: datetime | None

    @property
    def seconds_left(self) -> int | None:
        """How long the rest takes at this pace; None when nothing moves."""
        return round(self.left / self.per_second) if self.per_second else None


def progress(
    session: Session, edition_id: int, now: datetime, *, resends: int = RESENDS
) -> Progress:
    """Read how an edition's send run gets on."""
    is_leased = ROW.lease_until > now
    left, leased = (
        session.connection()
        .execute(
            select(func.count(), func.count(case((is_leased, 1)))).where(
                WAITS, ROW.edition_id == edition_id, is_open(resends)
            )
        )
        .one()
    )
    # In two steps: both databases keep the type of a column, but SQLite's min() loses it.
    next_at = session.connection().scalar(
        select(ROW.not_before)
        .where(WAITS, ROW.edition_id == edition_id, is_open(resends), ROW.lease_until.is_(None))
        .order_by(ROW.not_before.is_not(None), ROW.not_before)
        .limit(1)
    )
    recent = (ROW.edition_id == edition_id, ROW.finished_at > now - WINDOW, ROW.status.in_(_DONE))
    counted = select(func.count(), func.min(ROW.finished_at)).where(*recent)
    done, first = session.connection().execute(counted).one()
    seconds = max(1.0, (now - first).total_seconds()) if first else 1.0
    return Progress(left, leased, done / seconds, next_at)


def unfinished_notes(session: Session) -> int:
    """Messages of no edition that wait for a send run: confirmations and account links."""
    found = select(func.count()).select_from(DELIVERY).where(WAITS, ROW.edition_id.is_(None))
    return session.connection().scalar(found) or 0
