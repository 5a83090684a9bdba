"""Papers for visitors: by day, by words, by similarity."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

import numpy as np
from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from newsletter.core.models import Feedback, Paper, PaperVector, Signal

PAGE = 50
# Trending: each upvote or save counts half as much for every two days of age. A choice,
# not a measurement: on Friday, a paper of Monday needs four times as many as one of that day.
HALF_LIFE = timedelta(days=2)
# Fewer savers than this could be guessed from the order, so their saves do not count.
FEWEST_SAVES = 3
# Papers compared for similarity: a few months of one field, ten milliseconds.
COMPARED = 5_000


class Order(StrEnum):
    """How a list of days is sorted."""

    UPVOTES = "upvotes"
    TRENDING = "trending"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest days before and after that have papers."""

    before: date | None
    after: date | None


def start_of(day: date) -> datetime:
    """The first moment of a day, UTC."""
    return datetime.combine(day, time(), UTC)


def between(
    session: Session, first: date, last: date, *, page: int = 1, order: Order = Order.UPVOTES
) -> tuple[Sequence[Paper], int]:
    """One page of the papers first seen from ``first`` to ``last``, and how many there are."""
    ids, total = ids_between(session, first, last, page=page, order=order)
    return _in_order(session, ids), total


def ids_between(
    session: Session, first: date, last: date, *, page: int = 1, order: Order = Order.UPVOTES
) -> tuple[list[int], int]:
    """The ids of the papers that `between` gives, and how many there are on all pages."""
    seen = (
        col(Paper.first_seen_at) >= start_of(first),
        col(Paper.first_seen_at) < start_of(last + timedelta(days=1)),
    )
    total = session.exec(select(func.count()).select_from(Paper).where(*seen)).one()
    start = (page - 1) * PAGE
    if order is Order.TRENDING:
        return _trending(session, seen)[start : start + PAGE], total
    # Ids alone are sorted: carrying abstracts through the sort costs three times the page.
    ids = session.exec(
        select(Paper.id)
        .where(*seen)
        .order_by(
            col(Paper.upvotes).desc(), col(Paper.published_at).desc().nulls_last(), col(Paper.id)
        )
        .offset(start)
        .limit(PAGE)
    ).all()
    return [number for number in ids if number is not None], total


def trend(points: int, seen: datetime) -> float:
    """What trending papers are sorted by: the logarithm of their points, halved by age.

    It falls at the same rate for all papers, so the order is the same whenever one looks.
    """
    age = seen.timestamp() / HALF_LIFE.total_seconds()
    return math.log2(points) + age if points else -math.inf


def _trending(session: Session, seen: Sequence[ColumnElement[bool]]) -> list[int]:
    """Ids of papers by `trend`; those without points follow, the newest first."""
    saves = dict(
        session.execute(
            select(Feedback.paper_id, func.count())
            .join(Paper, col(Paper.id) == col(Feedback.paper_id))
            .where(Feedback.signal == Signal.SAVED, *seen)
            .group_by(col(Feedback.paper_id))
            .having(func.count() >= FEWEST_SAVES)
        ).all()
    )
    rows = session.execute(select(Paper.id, Paper.first_seen_at, Paper.upvotes).where(*seen))
    scored = [
        (trend(upvotes + saves.get(number, 0), moment), moment, number)
        for number, moment, upvotes in rows
    ]
    return [number for *_, number in sorted(scored, reverse=True)]


def _in_order(session: Session, ids: Sequence[int | None]) -> list[Paper]:
    found = {p.id: p for p in session.exec(select(Paper).where(col(Paper.id).in_(ids)))}
    # One that was merged into another meanwhile is in no row.
    return [found[number] for number in ids if number in found]


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
