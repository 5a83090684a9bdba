"""What readers judged of the matches they were shown, and the calibration learned from it."""

from bisect import bisect_right
from collections import Counter

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import MatchCalibration, Signal
from newsletter.ranking import calibration
from newsletter.ranking.calibration import AS_SHIPPED, Calibration, Refit

MOST = 20_000  # judgements, the newest
# Of one reader: nobody's judgements alone outweigh those of all others.
MOST_OF_ONE = calibration.FEWEST


def current(session: Session) -> Calibration:
    """The calibration in use; without one the match is as shipped."""
    found = _all(session)
    return found[-1][1] if found else AS_SHIPPED


def refit(engine: Engine) -> Refit:
    """Learn the calibration from all judgements of mailed papers; stored where it changes."""
    with read_scope(engine) as session:
        match, relevant = _judged(session)
        before = current(session)
    found = calibration.refit(match, relevant)
    if found.calibration != before:
        with session_scope(engine) as session:
            session.add(
                MatchCalibration(
                    slope=found.calibration.slope,
                    intercept=found.calibration.intercept,
                    judgements=found.judged,
                    created_at=utc_now(),
                )
            )
    return found


def _all(session: Session) -> list[tuple[float, Calibration]]:
    """Every calibration that was ever in use, oldest first, with the moment it began."""
    rows = session.exec(select(MatchCalibration).order_by(col(MatchCalibration.id)))
    return [(row.created_at.timestamp(), Calibration(row.slope, row.intercept)) for row in rows]


def _judged(session: Session) -> tuple[list[float], list[bool]]:
    """Matches as shipped of the papers that readers judged, and whether they liked them.

    A digest holds the match of its day: what a calibration had made of it is undone.
    """
    tables = SQLModel.metadata.tables
    item, feedback, delivery = (tables[name].c for name in ("digest_item", "feedback", "delivery"))
    rows = session.connection().execute(
        sa.select(
            item.subscriber_id, item.paper_id, item.match, feedback.signal, delivery.created_at
        )
        .join_from(
            tables["digest_item"],
            tables["feedback"],
            sa.and_(
                feedback.subscriber_id == item.subscriber_id, feedback.paper_id == item.paper_id
            ),
        )
        .join(tables["delivery"], delivery.id == item.delivery_id)
        .where(item.match.is_not(None))
        .order_by(feedback.id.desc())
        .limit(MOST)
    )
    used = _all(session)
    began = [at for at, _ in used]
    of_one: Counter[int] = Counter()
    known: set[tuple[int, int]] = set()  # saved and marked as relevant is one judgement
    match: list[float] = []
    relevant: list[bool] = []
    for reader, paper, shown, signal, created in rows:
        if (reader, paper) in known or of_one[reader] >= MOST_OF_ONE:
            continue
        known.add((reader, paper))
        of_one[reader] += 1
        index = bisect_right(began, created.timestamp())
        undo = used[index - 1][1].undone if index else AS_SHIPPED.undone
        match.append(float(undo(np.array([shown]))[0]))
        relevant.append(signal != Signal.NOT_RELEVANT)
    return match, relevant
