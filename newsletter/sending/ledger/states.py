"""What the ledger's statements share: the table, groups of statuses, leases."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, or_
from sqlmodel import SQLModel

from newsletter.core.models import DeliveryStatus

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
NO_LEASE = {"lease_until": None, "lease_owner": None}

# The statuses stand in the statement itself: only then does a database see that the partial index
# on unfinished rows will do, and a claim is as fast at the end of a long list as at its start.
WAITS = ROW.status.in_(bindparam("unfinished", UNFINISHED, expanding=True, literal_execute=True))


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
