"""Signals of subscribers on papers, as rows; `profiles` learns from them."""

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from newsletter.db import utc_now
from newsletter.models import Feedback, Signal

# A paper is relevant or it is not; saving it is another matter.
_OPPOSITE = {Signal.RELEVANT: Signal.NOT_RELEVANT, Signal.NOT_RELEVANT: Signal.RELEVANT}


def record(
    session: Session,
    subscriber_id: int,
    paper_id: int,
    signal: Signal,
    *,
    topic_id: int | None = None,
) -> bool:
    """Record a signal; the opposite one goes. Returns whether anything is new."""
    if signal in _OPPOSITE:
        withdraw(session, subscriber_id, paper_id, _OPPOSITE[signal])
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    added = session.execute(
        dialect.insert(Feedback)
        .values(
            subscriber_id=subscriber_id,
            topic_id=topic_id,
            paper_id=paper_id,
            signal=signal,
            created_at=utc_now(),
        )
        .on_conflict_do_nothing(index_elements=["subscriber_id", "paper_id", "signal"])
        .returning(col(Feedback.id))
    )
    return added.scalar_one_or_none() is not None


def withdraw(session: Session, subscriber_id: int, paper_id: int, signal: Signal) -> bool:
    """Take a signal back; returns whether there was one."""
    removed = session.execute(
        delete(Feedback)
        .where(
            col(Feedback.subscriber_id) == subscriber_id,
            col(Feedback.paper_id) == paper_id,
            col(Feedback.signal) == signal,
        )
        .returning(col(Feedback.id))
    )
    return removed.scalar_one_or_none() is not None
