"""Addresses that get no mail, as keyed hashes that outlive the subscriber (bulk-mail rule 28)."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Insert, delete, func
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.database import upsert, utc_now
from newsletter.core.models import (
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
    SuppressionRemoval,
)

# A person can take back their own decision by confirming again; a decision of a mailbox or the
# operator decided stays.
OWN_DECISION = frozenset({SuppressionReason.UNSUBSCRIBED, SuppressionReason.ERASED})
# Keep the graver of two reasons: an erased person must not be brought back because the
# operator forgives a bounce.
GRAVITY = {
    SuppressionReason.UNSUBSCRIBED: 0,
    SuppressionReason.BOUNCED: 1,
    SuppressionReason.OPERATOR: 2,
    SuppressionReason.COMPLAINED: 3,
    SuppressionReason.ERASED: 4,
}
# More than this share of all readers in a day is no wave of deaths; below 20 a share says nothing.
MOST_IN_A_DAY = 0.1
FEWEST_IN_A_DAY = 20


def suppress(session: Session, address_hash: str, reason: SuppressionReason) -> None:
    """Suppress the address; the graver reason stays, and repeating it changes nothing."""
    lighter = [known for known in SuppressionReason if GRAVITY[known] < GRAVITY[reason]]
    statement: Insert = (
        upsert(session, "suppression")
        .values(address_hash=address_hash, reason=reason, created_at=utc_now())
        .on_conflict_do_update(
            index_elements=["address_hash"],
            set_={"reason": reason},
            where=col(Suppression.reason).in_(lighter),
        )
    )
    session.connection().execute(statement)


def too_many_today(session: Session, *, more: int, now: datetime) -> str:
    """Why ``more`` addresses must not be suppressed for bounces today; "" if they may.

    A fault of ours or of a relay's looks like many dead readers at once; true deaths trickle.
    """
    before = session.exec(
        select(func.count()).where(
            Suppression.reason == SuppressionReason.BOUNCED,
            col(Suppression.created_at) > now - timedelta(days=1),
        )
    ).one()
    if before + more < FEWEST_IN_A_DAY:
        return ""
    readers = session.exec(
        select(func.count()).where(Subscriber.status == SubscriberStatus.ACTIVE)
    ).one()
    if before + more <= MOST_IN_A_DAY * readers:
        return ""
    return (
        f"{before + more} of {readers} readers would be suppressed for bounces within a day "
        f"(the limit is {MOST_IN_A_DAY:.0%})"
    )


def lift_own_decision(session: Session, address_hash: str) -> None:
    """Forget that the person unsubscribed or was erased: they have confirmed again."""
    session.execute(
        delete(Suppression).where(
            col(Suppression.address_hash) == address_hash,
            col(Suppression.reason).in_(OWN_DECISION),
        )
    )


def lift_bounced(session: Session, address_hash: str) -> None:
    """Forget that mail bounced: a mail arrived, for its owner has pressed the button in it."""
    lifted = session.exec(
        select(Suppression).where(
            Suppression.address_hash == address_hash,
            Suppression.reason == SuppressionReason.BOUNCED,
        )
    ).one_or_none()
    if lifted is None:
        return
    session.add(
        SuppressionRemoval(
            address_hash=address_hash,
            reason=lifted.reason,
            suppressed_at=lifted.created_at,
            removed_at=utc_now(),
            note="confirmed again by its owner",
        )
    )
    session.delete(lifted)
    session.flush()


def suppressions(session: Session, hashes: Collection[str]) -> dict[str, SuppressionReason]:
    """Those of ``hashes`` that are suppressed, and why."""
    found: dict[str, SuppressionReason] = {}
    for chunk in batched(hashes):
        rows = session.exec(
            select(Suppression.address_hash, Suppression.reason).where(
                col(Suppression.address_hash).in_(chunk)
            )
        )
        found.update({key: SuppressionReason(reason) for key, reason in rows})
    return found
