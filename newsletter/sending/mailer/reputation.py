"""Whether bounces and complaints are too frequent to go on; checked before and during a run.

What the relay itself refuses does not count here: no mailbox heard of it, and a storm of policy
refusals pauses a run by itself (`mailer.brake`).
"""

import time
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, col, func, select

from newsletter.core.models import Delivery, DeliveryEvent, Edition, EventKind
from newsletter.sending.ledger import Of, OfBroadcast, belongs, issue, rates

# Bounces and complaints come in by other processes; looking for new ones reads the newest rows.
CHECK_SECONDS = 5.0
# Complaints come for days after an edition, and a weekly one has the last week's.
RECENT = timedelta(days=8)
FORCE = "use `newsletter send --force` to continue anyway"
FORCE_BROADCAST = "use `newsletter broadcast … --force` to continue anyway"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Shares, 0 to 1, from which on a run pauses."""

    bounces: float
    complaints: float


@dataclass(slots=True)
class ReputationWatch:
    """Watches what came back about one edition or broadcast; ``threshold`` None never pauses."""

    of: Of = None
    threshold: Threshold | None = None
    reason: str = ""  # once there is one
    _newest: int | None = None
    _checked_at: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time to look again."""
        if self.of is None or self.threshold is None or self.reason:
            return False
        return self._newest is None or time.monotonic() > self._checked_at + CHECK_SECONDS

    def why_pause(self, session: Session) -> str:
        """One sentence on why to pause, or ""; counts only where something came back meanwhile.

        The first time the edition before is looked at as well.
        """
        self._checked_at = time.monotonic()
        before, self._newest = self._newest, _newest(session)
        if before is None:
            self.reason = self._of_edition(session) or self._of_the_one_before(session)
        elif self._came_back_since(session, before):
            self.reason = self._of_edition(session)
        return self.reason

    def _came_back_since(self, session: Session, event_id: int) -> bool:
        found = session.exec(
            select(DeliveryEvent.id)
            .join(Delivery, col(Delivery.id) == col(DeliveryEvent.delivery_id))
            .where(
                col(DeliveryEvent.id) > event_id,
                col(DeliveryEvent.kind).in_((EventKind.BOUNCED, EventKind.COMPLAINED)),
                belongs(self.of),
            )
            .limit(1)
        )
        return found.first() is not None

    def _of_edition(self, session: Session) -> str:
        why = self._reason(session, self.of)
        return f"{why}; {self._force()}" if why else ""

    def _of_the_one_before(self, session: Session) -> str:
        if self.of is None:
            return ""
        this = issue(session, self.of)
        before = session.exec(
            select(Edition)
            .where(
                Edition.issue_date < this.issue_date, Edition.issue_date >= this.issue_date - RECENT
            )
            .order_by(col(Edition.issue_date).desc())
            .limit(1)
        ).first()
        why = self._reason(session, before.id or 0) if before else ""
        return f"of the edition before, {why}; {self._force()}" if why else ""

    def _force(self) -> str:
        return FORCE_BROADCAST if isinstance(self.of, OfBroadcast) else FORCE

    def _reason(self, session: Session, of: Of) -> str:
        if self.threshold is None:
            return ""
        found = rates.rates_of(session, of, accepted_only=True)
        bounces, complaints = self.threshold.bounces, self.threshold.complaints
        why = rates.why_pause(found, bounce_limit=bounces, complaint_limit=complaints)
        return why or ""


def _newest(session: Session) -> int:
    return session.exec(select(func.max(DeliveryEvent.id))).one() or 0
