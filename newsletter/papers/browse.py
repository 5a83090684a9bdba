"""Papers for visitors: by day, by words, by similarity."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter.core.models import Paper, PaperVector

PAGE = 50
# Papers compared for similarity: a few months of one field, ten milliseconds.
COMPARED = 5_000


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest days before and after that have papers."""

    before: date | None
    after: date | None


def start_of(day: date) -> datetime:
    """The first moment of a day, UTC."""
    return datetime.combine(day, time(), UTC)


def between(
    session: Session, first: date, last: date, *, page: int = 1
) -> tuple[Sequence[Paper], int]:
    """One page of the papers first seen from ``first`` to ``last``, most upvotes first; all."""
    seen = (
        col(Paper.first_seen_at) >= start_of(first),
        col(Paper.first_seen_at) < start_of(last + timedelta(days=1)),
    )
    total = session.exec(select(func.count()).select_from(Paper).where(*seen)).one()
    # Ids alone are sorted: carrying abstracts through the sort costs three times the page.
    ids = session.exec(
        select(Paper.id)
        .where(*seen)
        .order_by(
            col(Paper.upvotes).desc(), col(Paper.published_at).desc().nulls_last(), col(Paper.id)
        )
        .offset((page - 1) * PAGE)
        .limit(PAGE)
    ).all()
    return _in_order(session, ids), total


def _in_order(session: Session, ids: Sequence[int | None]) -> list[Paper]:
    found = {p.id: p for p in session.exec(select(Paper).where(col(Paper.id).in_(ids)))}
    return [found[number] for number in ids]


def newest_id(session: Session) -> int:
    """The id of the newest paper; 0 if there is none."""
    return session.exec(select(func.max(Paper.id))).one() or 0


def newest_day(session: Session) -> date | None:
    """The last day that has papers."""
    newest = session.exec(select(func.max(Paper.first_seen_at))).one()
    return newest.date() if newest else None


def neighbours(session: Session, first: date, last: date) -> Neighbours:
    """Days with papers before ``first`` and after ``last``."""
    seen = col(Paper.first_seen_at)
    before = session.exec(select(func.max(seen)).where(seen < start_of(first))).one()
    after = session.exec(
        select(func.min(seen)).where(seen >= start_of(last + timedelta(days=1)))
    ).one()
    return Neighbours(before.date() if before else None, after.date() if after else None)


def similar(session: Session, paper_id: int, *, limit: int = 8) -> Sequence[Paper]:
    """Papers most like this one, of the newest `COMPARED`; none before anything was trained."""
    own = session.get(PaperVector, paper_id)
    if own is None:
        return []
    rows = session.exec(
        select(PaperVector.paper_id, PaperVector.vector)
        .where(PaperVector.feature_space == own.feature_space, PaperVector.paper_id != paper_id)
        .order_by(col(PaperVector.paper_id).desc())
        .limit(COMPARED)
    ).all()
    if not rows:
        return []
    vectors = np.frombuffer(b"".join(vector for _, vector in rows), "<f2").reshape(len(rows), -1)
    likeness = vectors.astype(np.float32) @ np.frombuffer(own.vector, "<f2").astype(np.float32)
    best = [rows[place][0] for place in np.argsort(-likeness)[:limit] if likeness[place] > 0]
    return _in_order(session, best)
