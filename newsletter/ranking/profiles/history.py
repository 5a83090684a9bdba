"""What subscribers had and have judged, read for many of them at once."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, true
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.models import (
    Delivery,
    DeliveryStatus,
    DigestItem,
    Feedback,
    InterestKind,
    Paper,
    Topic,
)
from newsletter.core.one_of import one_of
from newsletter.ranking.profiles import evidence
from newsletter.ranking.profiles.interests import Stated

NEVER_SENT = (
    DeliveryStatus.FAILED,
    DeliveryStatus.SUPPRESSED,
    DeliveryStatus.EXPIRED,
    DeliveryStatus.CANCELLED,
)


def last_digests(
    session: Session, subscriber_ids: Sequence[int], before: datetime | None
) -> dict[int, datetime]:
    """When each last got a digest with papers."""
    last: dict[int, datetime] = {}
    for some in batched(subscriber_ids):
        last |= dict(
            session.exec(
                select(Delivery.subscriber_id, func.max(Delivery.created_at))
                .join(DigestItem, col(DigestItem.delivery_id) == Delivery.id)
                .where(
                    one_of(col(Delivery.subscriber_id), some), _earlier(Delivery.created_at, before)
                )
                .group_by(col(Delivery.subscriber_id))
            ).all()
        )
    return last


def _earlier(column: Any, before: datetime | None) -> Any:
    return true() if before is None else column < before


def seen(
    session: Session, subscriber_ids: Sequence[int], since: datetime, before: datetime | None
) -> dict[int, set[int]]:
    """Papers, first seen since then, that these subscribers had in a digest or have judged."""
    seen: dict[int, set[int]] = defaultdict(set)
    for some in batched(subscriber_ids):
        mailed = select(DigestItem.subscriber_id, DigestItem.paper_id).where(
            one_of(col(DigestItem.subscriber_id), some)
        )
        if before is not None:
            mailed = mailed.join(Delivery, col(Delivery.id) == DigestItem.delivery_id).where(
                Delivery.created_at < before
            )
        judged = select(Feedback.subscriber_id, Feedback.paper_id).where(
            one_of(col(Feedback.subscriber_id), some), _earlier(Feedback.created_at, before)
        )
        for query, table in ((mailed, DigestItem), (judged, Feedback)):
            papers = query.join(Paper, col(Paper.id) == table.paper_id)
            for subscriber, paper in session.exec(papers.where(col(Paper.first_seen_at) >= since)):
                seen[subscriber].add(paper)
    return seen


def named(
    session: Session,
    topics: Mapping[int, Sequence[Topic]],
    following: Mapping[int, Sequence[Stated]],
) -> dict[int, set[int]]:
    """Papers that subscribers gave as examples: they know these."""
    named = {
        number: [
            each.value
            for topic in own
            for each in following.get(topic.id or 0, ())
            if each.kind is InterestKind.SEED_PAPER
        ]
        for number, own in topics.items()
    }
    seeds = evidence.seed_papers(session, [name for names in named.values() for name in names])
    return {
        number: {seeds[name] for name in names if name in seeds} for number, names in named.items()
    }


def sent(
    session: Session, subscriber_ids: Sequence[int], since: datetime, before: datetime | None
) -> Counter[int]:
    """How many papers went, or are about to go, to these subscribers since then."""
    sent: Counter[int] = Counter()
    for some in batched(subscriber_ids):
        sent.update(
            dict(
                session.exec(
                    select(Delivery.subscriber_id, func.count())
                    .join(DigestItem, col(DigestItem.delivery_id) == Delivery.id)
                    .where(
                        one_of(col(Delivery.subscriber_id), some),
                        Delivery.created_at >= since,
                        _earlier(Delivery.created_at, before),
                        col(Delivery.status).not_in(NEVER_SENT),
                    )
                    .group_by(col(Delivery.subscriber_id))
                ).all()
            )
        )
    return sent
