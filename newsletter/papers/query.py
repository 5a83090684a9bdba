"""Reading papers: one, the new ones, the popular ones."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from newsletter.models import Paper


def get(session: Session, paper_id: int) -> Paper | None:
    """The paper with this key."""
    return session.get(Paper, paper_id)


def papers_first_seen_since(session: Session, since: datetime) -> Sequence[Paper]:
    """Papers first seen after ``since``, oldest first; the candidates of an edition."""
    query = select(Paper).where(col(Paper.first_seen_at) > since)
    return session.exec(query.order_by(col(Paper.first_seen_at), col(Paper.id))).all()


def trending(
    session: Session, since: datetime, until: datetime | None = None, *, limit: int = 100
) -> Sequence[Paper]:
    """Papers first seen after ``since`` (to ``until``, inclusive), most upvotes first."""
    query = select(Paper).where(col(Paper.first_seen_at) > since)
    if until is not None:
        query = query.where(col(Paper.first_seen_at) <= until)
    ordered = query.order_by(
        col(Paper.upvotes).desc(), col(Paper.published_at).desc().nulls_last(), col(Paper.id)
    )
    return session.exec(ordered.limit(limit)).all()
