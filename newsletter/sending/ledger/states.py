"""What the ledger's statements share: the table, groups of statuses, leases."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, null, or_
from sqlmodel import Session, SQLModel

from newsletter.core.models import Broadcast, DeliveryStatus, Edition

# Long enough for a full group over a slow relay, short enough that another machine takes over
# a dead one's work while the digest is still of today.
LEASE = timedelta(minutes=10)
# An uncertain delivery is resent once: a second copy with the same Message-ID is a nuisance
# that most mailboxes hide; a missing digest is a loss; a third copy would be too much.
RESENDS = 1

UNFINISHED = (
    DeliveryStatus.QUEUED,
    DeliveryStatus.SENDING,
    DeliveryStatus.DEFERRED,
    DeliveryStatus.UNCERTAIN,
)
# A bounce or complaint comes after the relay took the message: in counts it was sent.
COUNTED_AS = {
    DeliveryStatus.BOUNCED: DeliveryStatus.SENT,
    DeliveryStatus.COMPLAINED: DeliveryStatus.SENT,
}
# Statuses of deliveries that did not arrive, or not yet: the same wherever they are counted.
MISSED = (
    DeliveryStatus.FAILED,
    DeliveryStatus.DEFERRED,
    DeliveryStatus.UNCERTAIN,
    DeliveryStatus.EXPIRED,
    DeliveryStatus.BOUNCED,
)
COUNTED = tuple(status for status in DeliveryStatus if status not in COUNTED_AS)

# Statements are written against tables, not mapped classes: they move many rows at a time.
DELIVERY = SQLModel.metadata.tables["delivery"]
ROW = DELIVERY.c
NO_LEASE = {"lease_until": null(), "lease_owner": null()}

# The statuses stand in the statement itself: only then does a database see that the partial index
# on unfinished rows will do, and a claim is as fast at the end of a long list as at its start.
WAITS = ROW.status.in_(bindparam("unfinished", UNFINISHED, expanding=True, literal_execute=True))


@dataclass(frozen=True, slots=True)
class OfBroadcast:
    """The deliveries of a broadcast, named where others name an edition by its id."""

    id: int


# Whose deliveries: an edition's, a broadcast's, or (None) those of neither, such as confirmations.
Of = int | OfBroadcast | None


def belongs(of: Of) -> ColumnElement[bool]:
    """Whether a delivery is one of these; both columns, for the index of unfinished rows."""
    edition_id, broadcast_id = (None, of.id) if isinstance(of, OfBroadcast) else (of, None)
    return and_(
        ROW.edition_id.is_(None) if edition_id is None else ROW.edition_id == edition_id,
        ROW.broadcast_id.is_(None) if broadcast_id is None else ROW.broadcast_id == broadcast_id,
    )


def issue(session: Session, of: int | OfBroadcast, *, locked: bool = False) -> Edition | Broadcast:
    """The edition or broadcast that deliveries belong to: it holds their common status."""
    # New deliveries refer to the row, and may be written meanwhile.
    lock = {"key_share": True} if locked else None
    if isinstance(of, OfBroadcast):
        return session.get_one(Broadcast, of.id, with_for_update=lock)
    return session.get_one(Edition, of, with_for_update=lock)


# The order of the index of unfinished rows, column by column. By id alone PostgreSQL prefers the
# primary key where it expects many matches, and walks through all old editions at each claim.
IN_ORDER = (ROW.edition_id, ROW.broadcast_id, ROW.not_before, ROW.id)


def is_open(resends: int) -> ColumnElement[bool]:
    """Whether a send run, now or later, still has something to do for what `WAITS`."""
    return or_(ROW.status != DeliveryStatus.UNCERTAIN, ROW.resends < resends)


def has_lapsed() -> ColumnElement[bool]:
    """Whether a lease is over, or was given before the clock was set back.

    Needs the values of `lease_times`.
    """
    return or_(ROW.lease_until < bindparam("now"), ROW.lease_until > bindparam("beyond"))


def lease_times(now: datetime) -> dict[str, Any]:
    """Values of times: now, the end of a new lease, and the latest possible end of any lease."""
    return {"now": now, "until": now + LEASE, "beyond": now + 2 * LEASE}
