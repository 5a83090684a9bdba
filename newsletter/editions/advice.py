"""What is wrong or open, each with the command that helps: for the terminal and the pages."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlmodel import Session, func, select

from newsletter.core.models import Edition, EditionStatus, Subscriber, SubscriberStatus
from newsletter.papers.coverage import FEEDS

_UNREAD = {"failed", "not_read", "never_read"}


def people(session: Session) -> dict[str, int]:
    """How many subscribers are in each state."""
    rows = session.exec(select(Subscriber.status, func.count()).group_by(Subscriber.status))
    found = dict(rows.all())
    return {status.value: found.get(status, 0) for status in SubscriberStatus}


def advice(
    wanted: date,
    edition: Edition | None,
    *,
    missed: int,
    sources: Sequence[dict[str, Any]],
    people: Mapping[str, int],
) -> list[str]:
    """A line for each thing to do; commands stand between backticks.

    ``missed`` counts deliveries that did not arrive, or not yet (`ledger.MISSED`); ``sources``
    comes from `report.sources_now`.
    """
    lines = []
    missing = [source["source"] for source in sources if source["condition"] in _UNREAD]
    if missing:
        # All feeds are one source to `ingest`.
        named = dict.fromkeys(FEEDS if name.startswith("feed:") else name for name in missing)
        lines.append(f"not read: {', '.join(missing)}: run `newsletter ingest {' '.join(named)}`")
    if not people[SubscriberStatus.ACTIVE]:
        lines.append("no active subscribers: run `newsletter subscribers add` or `import`")
    if people[SubscriberStatus.PENDING]:
        number = people[SubscriberStatus.PENDING]
        lines.append(
            f"{number} {'has' if number == 1 else 'have'} not confirmed yet: "
            "run `newsletter subscribers invite`"
        )
    if edition is None:
        lines.append(f"to see what would go out: `newsletter send --date {wanted} --dry-run`")
        return lines
    if edition.status == EditionStatus.PAUSED:
        why = f" ({edition.note})" if edition.note else ""
        lines.append(f"paused{why}: `newsletter send --date {wanted}` resumes it")
    if missed:
        lines.append(f"{missed} not delivered: `newsletter report --date {wanted}` says why")
    return lines
