"""Report on an edition: counts that add up, who did not get it, and why."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from newsletter.core.csv_cells import harmless_cell
from newsletter.core.database import utc_now
from newsletter.core.models import (
    Broadcast,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Edition,
    EventKind,
    NoDigest,
    Occasion,
    Reason,
    Subscriber,
)
from newsletter.editions.reasons import for_operator, got_no_mail
from newsletter.inbound.unmatched import kept_count
from newsletter.papers.coverage import coverage
from newsletter.sending import ledger
from newsletter.sending.ledger.rates import Rates, in_words, rates_of, worth_showing
from newsletter.sending.ledger.rates import as_json as rates_as_json


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A subscriber who did not get an edition (yet), and why."""

    email: str
    status: str
    attempts: int
    code: int | None
    reason: str
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """One edition: ``counts`` add up to ``prepared``; ``later`` came after the relay's yes.

    ``notes`` counts the prepared mails that have no papers and say so; ``without_digest`` names
    those who were due and get no mail at all. All of them together were due.
    """

    edition: str
    status: str
    prepared: int
    notes: int
    counts: dict[str, int]
    later: dict[str, int]
    coverage: str
    note: str  # why a send run paused it
    rates: Rates
    kept_mails: int  # inbound messages that match no delivery
    missed: int  # deliveries that did not arrive, or not yet
    undelivered: tuple[Undelivered, ...]
    without_digest: tuple[tuple[str, str], ...]


def edition_report(session: Session, edition: Edition) -> Report:
    """Read an edition's report from the ledger."""
    return _report(session, edition, edition.id or 0)


def broadcast_report(session: Session, broadcast: Broadcast) -> Report:
    """Read a broadcast's report from the ledger; it has no coverage, and nobody who got nothing."""
    return _report(session, broadcast, ledger.OfBroadcast(broadcast.id or 0))


def _report(session: Session, issue: Edition | Broadcast, of: int | ledger.OfBroadcast) -> Report:
    raw = ledger.statuses(session, of)
    counts = ledger.counts(session, of)
    edition_id = of if isinstance(of, int) else None
    return Report(
        edition=issue.issue_date.isoformat(),
        status=issue.status,
        prepared=sum(counts.values()),
        notes=0 if edition_id is None else notes_of(session, edition_id),
        counts={status.value: number for status, number in counts.items()},
        later={status.value: raw[status] for status in ledger.COUNTED_AS},
        coverage=issue.coverage if isinstance(issue, Edition) else "",
        note=issue.note,
        rates=rates_of(session, of),
        kept_mails=kept_count(session),
        missed=sum(raw[status] for status in ledger.MISSED),
        undelivered=_undelivered(session, of),
        without_digest=_without_digest(session, edition_id),
    )


def _undelivered(session: Session, of: ledger.Of) -> tuple[Undelivered, ...]:
    rows = session.exec(
        select(Delivery)
        .where(ledger.belongs(of), Delivery.status != DeliveryStatus.SENT)
        .order_by(col(Delivery.status), col(Delivery.to_address))
    ).all()
    came_back = _came_back(session, ledger.belongs(of))
    return tuple(_as_undelivered(row, came_back) for row in rows)


def undelivered_page(
    session: Session,
    edition_id: int,
    *,
    statuses: Sequence[DeliveryStatus],
    search: str = "",
    offset: int = 0,
    limit: int = 50,
) -> list[tuple[int, Undelivered]]:
    """Some of the deliveries in one of ``statuses``, each with its subscriber's id.

    ``search`` is a part of the address.
    """
    rows = session.exec(
        select(Delivery)
        .where(*_among(edition_id, statuses, search))
        .order_by(col(Delivery.id))
        .offset(offset)
        .limit(limit)
    ).all()
    came_back = _came_back(session, col(Delivery.id).in_([row.id for row in rows]))
    return [(row.subscriber_id, _as_undelivered(row, came_back)) for row in rows]


def count_undelivered(
    session: Session, edition_id: int, statuses: Sequence[DeliveryStatus], search: str
) -> int:
    """How many deliveries `undelivered_page` chooses from."""
    number = select(func.count()).select_from(Delivery)
    return session.exec(number.where(*_among(edition_id, statuses, search))).one()


def _among(
    edition_id: int, statuses: Sequence[DeliveryStatus], search: str
) -> list[ColumnElement[bool]]:
    wanted = [col(Delivery.edition_id) == edition_id, col(Delivery.status).in_(statuses)]
    if search:
        wanted.append(col(Delivery.to_address).contains(search.lower(), autoescape=True))
    return wanted


def _as_undelivered(row: Delivery, came_back: Mapping[int, str]) -> Undelivered:
    return Undelivered(
        email=row.to_address,
        status=row.status.value,
        attempts=row.attempts,
        # What the relay said when it took the message is not why it came back.
        code=None if row.status in ledger.COUNTED_AS else row.smtp_code,
        reason=(
            came_back.get(row.id or 0, "no report tells why")
            if row.status in ledger.COUNTED_AS
            else row.smtp_response
        ),
        retry_at=row.not_before,
    )


def _came_back(session: Session, deliveries: ColumnElement[bool] | bool) -> dict[int, str]:
    """Why deliveries bounced or were complained about, by delivery: the last report's words."""
    events = session.exec(
        select(DeliveryEvent)
        .join(Delivery, col(Delivery.id) == col(DeliveryEvent.delivery_id))
        .where(
            deliveries,
            col(Delivery.status).in_(list(ledger.COUNTED_AS)),
            col(DeliveryEvent.kind).in_((EventKind.BOUNCED, EventKind.COMPLAINED)),
        )
        .order_by(col(DeliveryEvent.id))
    )
    found: dict[int, str] = {}
    for event in events:
        named = "" if event.reason == Reason.UNDEFINED else event.reason.replace("_", " ")
        words = event.detail or event.status
        why = ": ".join(filter(None, [named, words]))
        found[event.delivery_id or 0] = why or "for a reason that the report does not tell"
    return found


def _without_digest(session: Session, edition_id: int | None) -> tuple[tuple[str, str], ...]:
    rows = session.exec(
        select(Subscriber.email, NoDigest.reason)
        .join(NoDigest, col(NoDigest.subscriber_id) == col(Subscriber.id))
        .where(got_no_mail(edition_id))
        .order_by(Subscriber.email)
    )
    return tuple((email, for_operator(reason)) for email, reason in rows)


def notes_of(session: Session, edition_id: int) -> int:
    """How many mails of the edition say that there are no papers."""
    return session.exec(
        select(func.count()).where(
            Delivery.edition_id == edition_id, Delivery.occasion == Occasion.NOTHING
        )
    ).one()


def without_digest_page(
    session: Session, edition_id: int, *, offset: int = 0, limit: int = 50
) -> list[tuple[int, str, str]]:
    """Some of those who were due and got no digest: subscriber's id, address and reason."""
    rows = session.exec(
        select(Subscriber.id, Subscriber.email, NoDigest.reason)
        .join(NoDigest, col(NoDigest.subscriber_id) == col(Subscriber.id))
        .where(got_no_mail(edition_id))
        .order_by(col(NoDigest.id))
        .offset(offset)
        .limit(limit)
    )
    return [(number or 0, email, for_operator(reason)) for number, email, reason in rows]


def sources_now(session: Session, names: Sequence[str]) -> list[dict[str, Any]]:
    """How each source stands: what it gave in two days, and whether it is late or failed."""
    now = utc_now()
    found = coverage(session, now - timedelta(days=2), now, names)
    return [
        {
            "source": source.source,
            "condition": source.condition.value,
            "last_read": source.last_read.isoformat() if source.last_read else None,
            "new": source.new,
            "revised": source.revised,
            "failed": source.failed,
            "error": source.error,
        }
        for source in found.sources
    ]


def prepared_in_words(report: Report) -> str:
    """How many mails were prepared, and how many of them are notes without papers."""
    notes = f", {report.notes} of them to say that there are no papers" if report.notes else ""
    return f"{report.prepared} prepared{notes}"


def as_dict(report: Report) -> dict[str, Any]:
    """The report as one JSON object."""
    return asdict(report) | {"rates": rates_as_json(report.rates)}


def what_came_back(report: Report) -> list[str]:
    """Bounce and complaint rates in words, of all and by domain, and how many mails are kept."""
    lines = [in_words(rate) for rate in worth_showing(report.rates) if rate.tried]
    if report.kept_mails:
        kept = (
            "1 message matches" if report.kept_mails == 1 else f"{report.kept_mails} messages match"
        )
        lines.append(f"{kept} no delivery: `newsletter inbound --kept` lists them")
    return lines


def as_csv(report: Report) -> str:
    """Who did not get the edition, one line each; cells cannot start a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["email", "status", "attempts", "code", "reason", "retry_at"])
    for row in report.undelivered:
        cells = [row.email, row.status, row.attempts, row.code, row.reason, row.retry_at]
        writer.writerow([harmless_cell("" if cell is None else str(cell)) for cell in cells])
    return text.getvalue()
