"""The counts of a scorecard, added up in the database: a few rows come back, whatever its size."""

from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, distinct, extract, func, select
from sqlmodel import Session, col

from newsletter.core.models import (
    Delivery,
    DeliveryStatus,
    DigestItem,
    Edition,
    Feedback,
    Label,
    Paper,
    Signal,
    Subscriber,
)
from newsletter.editions.scorecard import LATE_DAYS, MINIMUMS, Counts, Late, Scorecard, made_of

# What bounced did not reach a reader, and of what is uncertain nobody knows.
_ARRIVED = col(Delivery.status).in_((DeliveryStatus.SENT, DeliveryStatus.COMPLAINED))
_LATE_SECONDS = LATE_DAYS * 86_400
_LABEL = col(DigestItem.label)
# How many of the minimums a match reaches; a paper without a match reaches none.
_BAND = case(
    *(
        (col(DigestItem.match) >= minimum / 100, band)
        for band, minimum in reversed(list(enumerate(MINIMUMS, start=1)))
    ),
    else_=0,
)


def scorecard(
    session: Session, *, subscriber_id: int | None = None, since: date | None = None
) -> Scorecard:
    """The scorecard of one subscriber, or of all; of editions from ``since`` on. Reads only."""
    run = session.connection().execute
    cells: dict[tuple[Label, int], Counts] = {}
    shown = select(_LABEL, _BAND, func.count()).select_from(DigestItem).group_by(_LABEL, _BAND)
    for label, band, number in run(_mailed(shown, subscriber_id, since)):
        cells[label, band] = Counts(number)
    given = _judged(subscriber_id)
    judged = select(_LABEL, _BAND, func.count(), func.sum(given.c.relevant)).group_by(_LABEL, _BAND)
    for label, band, number, relevant in run(
        _mailed(judged.select_from(given).join(DigestItem, _same(given)), subscriber_id, since)
    ):
        mailed = cells.get((label, band), Counts())
        cells[label, band] = mailed + Counts(0, number, relevant)
    readers = select(func.count(distinct(given.c.subscriber_id)))
    judges = run(
        _mailed(readers.select_from(given).join(DigestItem, _same(given)), subscriber_id, since)
    ).scalar_one()
    return made_of(cells, _late(session, subscriber_id, since), judges)


def _mailed(query: Select[Any], subscriber_id: int | None, since: date | None) -> Select[Any]:
    """``query`` of the papers of digests that arrived."""
    query = query.join(Delivery, col(Delivery.id) == col(DigestItem.delivery_id)).where(_ARRIVED)
    if subscriber_id is not None:
        query = query.where(col(DigestItem.subscriber_id) == subscriber_id)
    if since is not None:
        query = query.join(Edition, col(Edition.id) == col(Delivery.edition_id))
        query = query.where(col(Edition.issue_date) >= since)
    return query


def _judged(subscriber_id: int | None, since: date | None = None) -> Subquery:
    """Each judged paper once; a saved one is relevant, whatever else was said of it."""
    is_relevant = case((col(Feedback.signal) == Signal.NOT_RELEVANT, 0), else_=1)
    query = select(
        col(Feedback.subscriber_id),
        col(Feedback.paper_id),
        func.max(is_relevant).label("relevant"),
    ).group_by(col(Feedback.subscriber_id), col(Feedback.paper_id))
    if subscriber_id is not None:
        query = query.where(col(Feedback.subscriber_id) == subscriber_id)
    if since is not None:
        start = datetime.combine(since, time.min, UTC)
        query = query.where(col(Feedback.created_at) >= start)
    return query.subquery()


def _same(given: Subquery) -> ColumnElement[bool]:
    """That a digest's paper is the one judged, by the same reader."""
    return and_(
        col(DigestItem.subscriber_id) == given.c.subscriber_id,
        col(DigestItem.paper_id) == given.c.paper_id,
    )


def _late(session: Session, subscriber_id: int | None, since: date | None) -> Late:
    given = _judged(subscriber_id, since)
    sent_at = func.coalesce(Delivery.finished_at, Delivery.created_at)
    waited = extract("epoch", sent_at) - extract("epoch", col(Paper.first_seen_at))
    is_late = case((and_(_ARRIVED, waited > _LATE_SECONDS), 1), else_=0)
    could_be_picked = col(Paper.first_seen_at) >= col(Subscriber.confirmed_at)
    is_never = case((and_(col(DigestItem.id).is_(None), could_be_picked), 1), else_=0)
    found = session.connection().execute(
        select(
            func.count(),
            func.coalesce(func.sum(is_late), 0),
            func.coalesce(func.sum(is_never), 0),
        )
        .select_from(given)
        .join(Paper, col(Paper.id) == given.c.paper_id)
        .join(Subscriber, col(Subscriber.id) == given.c.subscriber_id)
        .outerjoin(DigestItem, _same(given))
        .outerjoin(Delivery, col(Delivery.id) == col(DigestItem.delivery_id))
        .where(given.c.relevant == 1)
    )
    return Late(*found.one())
