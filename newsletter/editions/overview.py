"""Where an edition stands just now, in a few bounded queries: for pages that are asked often."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, func, select

from newsletter.core.models import DeliveryStatus, Edition, EditionStatus, NoDigest
from newsletter.editions.reasons import got_no_mail
from newsletter.sending import ledger
from newsletter.sending.ledger.progress import Progress, progress

# An edition that is still open after this many days was left, not forgotten.
OPEN_DAYS = 3
_OVER = (EditionStatus.SENT, EditionStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Overview:
    """One edition: ``counts`` add up to ``prepared``; ``later`` came after the relay's yes.

    ``by_status`` counts each status as it stands, bounced ones too.
    """

    edition: Edition
    by_status: dict[DeliveryStatus, int]
    prepared: int
    counts: dict[str, int]
    later: dict[str, int]
    missed: int
    without_digest: int
    progress: Progress

    @property
    def finished(self) -> int:
        """Deliveries that nothing is left to do for."""
        return self.prepared - self.progress.left

    @property
    def is_moving(self) -> bool:
        """Whether a send run has deliveries of it in its hands."""
        return self.edition.status == EditionStatus.SENDING and self.progress.leased > 0

    @property
    def is_over(self) -> bool:
        """Whether it was sent or cancelled."""
        return self.edition.status in _OVER


def overview(session: Session, edition: Edition, now: datetime) -> Overview:
    """Count an edition's deliveries."""
    edition_id = edition.id or 0
    raw = ledger.statuses(session, edition_id)
    counts = dict.fromkeys(ledger.COUNTED, 0)
    for status, number in raw.items():
        counts[ledger.COUNTED_AS.get(status, status)] += number
    without = session.exec(
        select(func.count(col(NoDigest.id))).where(got_no_mail(edition_id))
    ).one()
    return Overview(
        edition=edition,
        by_status=raw,
        prepared=sum(counts.values()),
        counts={status.value: number for status, number in counts.items()},
        later={status.value: raw[status] for status in ledger.COUNTED_AS},
        missed=sum(raw[status] for status in ledger.MISSED),
        without_digest=without,
        progress=progress(session, edition_id, now),
    )


def current(session: Session, today: date) -> list[Edition]:
    """Today's edition and those of the last days that are not over, newest first.

    Where there is neither, the latest one.
    """
    recent = select(Edition).where(
        (col(Edition.issue_date) == today)
        | (
            (col(Edition.issue_date) >= today - timedelta(days=OPEN_DAYS))
            & col(Edition.status).not_in(_OVER)
        )
    )
    newest = col(Edition.issue_date).desc()
    found = session.exec(recent.order_by(newest)).all()
    return list(found or session.exec(select(Edition).order_by(newest).limit(1)).all())


def what_now(shown: Overview, now: datetime) -> str:
    """One sentence on what an edition does at this moment; commands stand between backticks."""
    edition, pace = shown.edition, shown.progress
    again = f"`newsletter send --date {edition.issue_date}`"
    why = f": {edition.note}" if edition.note else ""
    settled = {
        EditionStatus.PAUSED: f"Paused{why}. Nothing begins until it is resumed.",
        EditionStatus.CANCELLED: "Cancelled. Digests that were not sent never will be.",
        EditionStatus.SENT: "Everything was dealt with.",
        EditionStatus.DRAFT: f"Not prepared to the end: {again} goes on where that stopped.",
    }
    if edition.status in settled:
        return settled[edition.status]
    if shown.is_moving:
        return "A send run is at work."
    if pace.next_at is not None and pace.next_at > now:
        return f"Waiting: the next delivery may be tried at {pace.next_at:%H:%M} UTC."
    if pace.left:
        return f"No send run is at work: {again} sends what is left."
    return f"Nothing is left to send: {again} closes it."
