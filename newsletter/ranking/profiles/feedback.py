"""Signals of subscribers on papers, as rows; `profiles` learns from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, delete, func, update
from sqlmodel import Session, col, select

from newsletter.core.database import upsert, utc_now
from newsletter.core.models import Feedback, Folder, Paper, Profile, Signal, Subscriber, Topic
from newsletter.ranking.profiles import profiles

# A paper is relevant or it is not; who saves it has changed their mind. What is saved stays
# saved, though its like is not wanted.
_OPPOSITE = {
    Signal.RELEVANT: Signal.NOT_RELEVANT,
    Signal.SAVED: Signal.NOT_RELEVANT,
    Signal.NOT_RELEVANT: Signal.RELEVANT,
}


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
    # Given again after a reset, it counts again; a saved paper stays in its folder.
    folder_id = session.execute(
        _mine(subscriber_id, paper_id, signal)
        .where(
            col(Feedback.created_at)
            <= select(Subscriber.ratings_reset_at)
            .where(Subscriber.id == subscriber_id)
            .scalar_subquery()
        )
        .returning(col(Feedback.folder_id))
    ).scalar_one_or_none()
    added = session.execute(
        upsert(session, "feedback")
        .values(
            subscriber_id=subscriber_id,
            topic_id=topic_id,
            paper_id=paper_id,
            signal=signal,
            folder_id=folder_id,
            created_at=utc_now(),
        )
        .on_conflict_do_nothing(index_elements=["subscriber_id", "paper_id", "signal"])
        .returning(col(Feedback.id))
    )
    if added.scalar_one_or_none() is None:
        return False
    profiles.apply_feedback(session, subscriber_id, paper_id, signal)
    return True


def withdraw(session: Session, subscriber_id: int, paper_id: int, signal: Signal) -> bool:
    """Undo a signal; returns whether there was one."""
    removed = session.execute(_mine(subscriber_id, paper_id, signal).returning(col(Feedback.id)))
    if removed.scalar_one_or_none() is None:
        return False
    _learn_anew(session, subscriber_id)
    return True


def _mine(subscriber_id: int, paper_id: int, signal: Signal) -> Delete:
    return delete(Feedback).where(
        col(Feedback.subscriber_id) == subscriber_id,
        col(Feedback.paper_id) == paper_id,
        col(Feedback.signal) == signal,
    )


def reset(session: Session, subscriber_id: int) -> None:
    """Learn nothing from what was rated and opened until now. The ratings themselves stay."""
    _count_from(session, subscriber_id, utc_now())


def undo_reset(session: Session, subscriber_id: int) -> None:
    """Learn from every rating again."""
    _count_from(session, subscriber_id, None)


def _count_from(session: Session, subscriber_id: int, moment: datetime | None) -> None:
    session.execute(
        update(Subscriber)
        .where(col(Subscriber.id) == subscriber_id)
        .values(ratings_reset_at=moment)
    )
    _learn_anew(session, subscriber_id)


def counted(session: Session, subscriber: Subscriber) -> int:
    """How many ratings the ranking learns from."""
    query = select(func.count()).where(Feedback.subscriber_id == subscriber.id)
    if subscriber.ratings_reset_at is not None:
        query = query.where(col(Feedback.created_at) > subscriber.ratings_reset_at)
    return session.exec(query).one()


def with_signal(signals: frozenset[Signal], added: Signal) -> frozenset[Signal]:
    """``signals`` of a paper with one more; the opposite one goes."""
    return frozenset(signals - {_OPPOSITE[added]}) | {added}


def signals_of(
    session: Session, subscriber_id: int, paper_ids: Sequence[int]
) -> dict[int, frozenset[Signal]]:
    """The signals of a subscriber on papers, of those that have any."""
    rows = session.exec(
        select(Feedback.paper_id, Feedback.signal).where(
            Feedback.subscriber_id == subscriber_id, col(Feedback.paper_id).in_(paper_ids)
        )
    )
    found: dict[int, frozenset[Signal]] = {}
    for paper_id, signal in rows:
        found[paper_id] = found.get(paper_id, frozenset()) | {Signal(signal)}
    return found


def replace(
    session: Session,
    subscriber_id: int,
    paper_id: int,
    wanted: frozenset[Signal],
    *,
    topic_id: int | None = None,
) -> None:
    """Make ``wanted`` the signals on a paper: what is not in it is withdrawn."""
    had = signals_of(session, subscriber_id, [paper_id]).get(paper_id, frozenset())
    for signal in sorted(had - wanted):
        withdraw(session, subscriber_id, paper_id, signal)
    # "Saved" first: it takes "not relevant" away, which may be wanted beside it.
    for signal in sorted(wanted - had, key=lambda each: each is not Signal.SAVED):
        record(session, subscriber_id, paper_id, signal, topic_id=topic_id)
    if Signal.SAVED in wanted - had and Signal.NOT_RELEVANT in wanted & had:
        record(session, subscriber_id, paper_id, Signal.NOT_RELEVANT, topic_id=topic_id)


def _learn_anew(session: Session, subscriber_id: int) -> None:
    """Delete a profile; `profiles` rebuilds it from rows when it is next needed."""
    topics = select(Topic.id).where(Topic.subscriber_id == subscriber_id)
    session.execute(delete(Profile).where(col(Profile.topic_id).in_(topics)))


@dataclass(frozen=True, slots=True)
class Judged:
    """One signal with the paper it is about."""

    signal: Signal
    paper: Paper
    created_at: datetime
    folder: str = ""  # of a saved paper


def judged(session: Session, subscriber_id: int) -> list[Judged]:
    """All signals of a subscriber, the newest first."""
    rows = session.exec(
        select(Feedback, Paper, Folder.name)
        .join(Paper, col(Paper.id) == col(Feedback.paper_id))
        .join(Folder, col(Folder.id) == col(Feedback.folder_id), isouter=True)
        .where(Feedback.subscriber_id == subscriber_id)
        .order_by(col(Feedback.created_at).desc(), col(Feedback.id).desc())
    )
    return [Judged(row.signal, paper, row.created_at, folder or "") for row, paper, folder in rows]


def as_json(judgements: Sequence[Judged]) -> list[dict[str, Any]]:
    """Signals as plain values."""
    return [
        {
            "signal": each.signal.value,
            "at": each.created_at.isoformat(),
            "folder": each.folder,
            "source": each.paper.source,
            "id": each.paper.external_id,
            "doi": each.paper.doi,
            "title": each.paper.title,
            "authors": each.paper.authors,
            "url": each.paper.url,
        }
        for each in judgements
    ]


def liked(judgements: Sequence[Judged]) -> list[Paper]:
    """The papers that were liked or saved, each once."""
    wanted = {Signal.RELEVANT, Signal.SAVED}
    return list(
        {each.paper.id: each.paper for each in judgements if each.signal in wanted}.values()
    )
