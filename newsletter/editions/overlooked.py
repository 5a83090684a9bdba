"""Whoever missed a digest for good, because nothing ran at their hour: recorded with the reason."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Engine
from sqlmodel import func, select

from newsletter.core.database import read_scope, session_scope, upsert
from newsletter.core.models import Edition
from newsletter.editions import lifecycle

REASON = (
    "nothing was sent at their hour or for half a cadence after; the next digest has the papers"
)


def record(engine: Engine, overlooked: Mapping[date, Sequence[int]], now: datetime) -> int:
    """Write down who got no digest of which date, once; returns how many.

    Before the first edition nobody was promised anything.
    """
    with read_scope(engine) as session:
        first = session.exec(select(func.min(Edition.issue_date))).one()
    recorded = 0
    for issue_date, ids in overlooked.items():
        if first is None or issue_date < first:
            continue
        edition_id = lifecycle.open_edition(engine, issue_date, now)
        rows = [
            {"edition_id": edition_id, "subscriber_id": subscriber_id, "reason": REASON}
            for subscriber_id in ids
        ]
        with session_scope(engine) as session:
            session.connection().execute(
                upsert(session, "no_digest").on_conflict_do_nothing(), rows
            )
        recorded += len(rows)
    return recorded
