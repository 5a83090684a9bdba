"""What a relay refused for good, by kind, and taking that back when it was no reader's fault."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import func, select, update
from sqlmodel import Session

from newsletter.core.models import DeliveryStatus
from newsletter.core.refusals import kind_of
from newsletter.sending.ledger.states import DELIVERY, NO_LEASE, ROW, Of, belongs

# Fewer tries tell nothing: three of five may well be dead.
FEWEST_REFUSED = 20
PERMANENT = 500  # replies from here on are final (RFC 5321 §4.2.1)
_TRIED = (
    DeliveryStatus.SENT,
    DeliveryStatus.FAILED,
    DeliveryStatus.BOUNCED,
    DeliveryStatus.COMPLAINED,
)


def by_kind(session: Session, of: Of) -> dict[str, list[int]]:
    """Ids of an edition's refused deliveries, by what the relay said (`kind_of`)."""
    found: dict[str, list[int]] = defaultdict(list)
    rows = session.connection().execute(
        select(ROW.id, ROW.smtp_code, ROW.smtp_response).where(
            belongs(of),
            ROW.status == DeliveryStatus.FAILED,
            ROW.smtp_code >= PERMANENT,
        )
    )
    for delivery_id, code, response in rows:
        found[kind_of(code, response)].append(delivery_id)
    return dict(found)


def tried(session: Session, of: Of) -> int:
    """How many deliveries of an edition a relay took or refused for good."""
    dealt_with = select(func.count()).where(belongs(of), ROW.status.in_(_TRIED))
    return session.connection().scalar(dealt_with) or 0


def take_back(session: Session, ids: Sequence[int]) -> int:
    """Queue refused deliveries again, as if they had not been tried; returns how many."""
    taken = 0
    for chunk in _chunks(ids, 1000):
        again = (
            update(DELIVERY)
            .where(ROW.id.in_(chunk), ROW.status == DeliveryStatus.FAILED)
            .values(status=DeliveryStatus.QUEUED, not_before=None, finished_at=None, **NO_LEASE)
        )
        taken += session.connection().execute(again).rowcount
    return taken


def _chunks(ids: Sequence[int], size: int) -> list[Collection[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
