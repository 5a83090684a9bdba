"""Everything that is kept about one subscriber, for themselves (bulk-mail rule 28)."""

from typing import Any

from sqlmodel import Session, col, select

from newsletter.core.models import Delivery, DigestItem, Paper, Subscriber
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.folders import folders_of
from newsletter.subscribers.groups import membership
from newsletter.subscribers.preferences import topics_of

_KEPT = (
    "email",
    "name",
    "status",
    "cadence",
    "weekday",
    "send_hour",
    "time_zone",
    "max_papers",
    "length",
    "min_score",
    "weekly_budget",
    "popularity",
    "outside_picks",
    "tell_when_nothing",
    "tell_revisions",
    "fill_list",
    "read_here",
    "language",
    "vacation_until",
    "ratings_reset_at",
    "created_at",
    "consent_at",
    "consent_source",
    "consent_wording",
    "confirmed_at",
    "unsubscribed_at",
)


def export(session: Session, subscriber: Subscriber) -> dict[str, Any]:
    """Account, topics and deliveries as plain values."""
    own = row_id(subscriber)
    deliveries = session.exec(
        select(Delivery).where(Delivery.subscriber_id == own).order_by(col(Delivery.id))
    ).all()
    group = membership(session, subscriber)
    papers: dict[int, list[str]] = {}
    teams: dict[int, dict[str, str]] = {}
    for delivery_id, title, team in session.exec(
        select(DigestItem.delivery_id, Paper.title, DigestItem.team)
        .join(Paper, col(Paper.id) == col(DigestItem.paper_id))
        .where(DigestItem.subscriber_id == own)
        .order_by(col(DigestItem.delivery_id), col(DigestItem.position))
    ):
        papers.setdefault(delivery_id, []).append(title)
        if team is not None:
            teams.setdefault(delivery_id, {})[title] = team
    return {
        "subscriber": {name: _plain(getattr(subscriber, name)) for name in _KEPT},
        "group": group.name if group else None,
        "topics": [
            {
                "name": topic.request.name,
                "quota": topic.request.quota,
                "paused": topic.request.paused,
                "interests": [
                    {"kind": clue.kind.value, "value": clue.value, "weight": clue.weight}
                    for clue in topic.request.clues
                ],
            }
            for topic in topics_of(session, own)
        ],
        "folders": [shelf.name for shelf in folders_of(session, own)],
        "deliveries": [
            {
                "kind": delivery.kind.value,
                "status": delivery.status.value,
                "created_at": _plain(delivery.created_at),
                "finished_at": _plain(delivery.finished_at),
                "subject": delivery.subject,
                "papers": papers.get(delivery.id or 0, []),
                # In a trial: which of the two recipes chose a paper.
                "trial_teams": teams.get(delivery.id or 0, {}),
            }
            for delivery in deliveries
        ],
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
