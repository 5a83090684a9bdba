"""`train`: what all topics share, and every topic's profile, computed while others may write.

Everything long is computed from a reading view; what came of it is written in short transactions,
so that no page and no sender waits minutes for SQLite's one writer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Feedback, Paper, Signal, Space, Topic
from newsletter.ranking import collaborative_check, feature_weights
from newsletter.ranking import feature_space as features
from newsletter.ranking.calibration import Refit
from newsletter.ranking.collaborative import Collaboration
from newsletter.ranking.collaborative_check import Finding
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.profiles import evidence, feature_store, judgements, profiles
from newsletter.ranking.topic_vectors import Basis

BATCH = 1_000  # topics trained at once: 1,408 numbers × 3 sums × 4 bytes × 1,000 = 17 MB
MOST_LIKES = 2_000_000  # signals that the factors of what others liked are fitted on, newest
MOST_LIKED = 20_000  # papers, the same


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a training did; ``rebuilt`` says why the feature space was refitted, if it was.

    ``others`` is what the check on held-out feedback found, ``match`` what the judgements say of
    the match, where these were looked at.
    """

    feature_space: str
    topics: int
    papers: int
    rebuilt: str = ""
    others: Finding | None = None
    match: Refit | None = None


def train(
    engine: Engine,
    subscriber_id: int | None = None,
    *,
    model: str = DEFAULT,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> TrainingReport:
    """Refit what all topics share, then every topic's profile; ``progress`` is told of topics.

    With ``subscriber_id`` only that subscriber's profiles, in the space there is. ``model`` is
    the setting `feature_model`.

    Raises:
        SettingsError: the encoder is not installed.
    """
    shared = refit(engine, model) if subscriber_id is None else ("", None, None)
    whose = None if subscriber_id is None else range(subscriber_id, subscriber_id + 1)
    key, topics = train_topics(engine, whose, model=model, progress=progress)
    with read_scope(engine) as session:
        papers = session.exec(select(func.count()).select_from(Paper)).one()
    return TrainingReport(key, topics, papers, *shared)


def refit(engine: Engine, model: str = DEFAULT) -> tuple[str, Finding, Refit]:
    """Refit what all topics share: the feature space, what others liked, a site's match.

    Returns why the feature space was rebuilt, or "", and what came of the others.

    Raises:
        SettingsError: the encoder is not installed.
    """
    return _refit(engine, model), _refit_others(engine, model), judgements.refit(engine)


def train_topics(
    engine: Engine,
    subscribers: range | None = None,
    *,
    model: str = DEFAULT,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[str, int]:
    """Train the topics of the subscribers with these ids, or all, in the space there is.

    Returns the feature space and how many topics there were.

    Raises:
        SettingsError: the encoder of the space is not installed.
    """
    wanted = select(Topic.id).order_by(col(Topic.id))
    if subscribers is not None:
        owner = col(Topic.subscriber_id)
        wanted = wanted.where(owner >= subscribers.start, owner < subscribers.stop)
    with read_scope(engine) as session:
        key, basis = feature_store.current(session, model)
        topics = [number or 0 for number in session.exec(wanted)]
    for number, some in enumerate(batched(topics, BATCH)):
        progress(number * BATCH, len(topics))
        _train_topics(engine, key, basis, some)
    return key, len(topics)


def _refit(engine: Engine, model: str) -> str:
    """Refit the feature space if it is time; returns why, or ""."""
    with read_scope(engine) as session:
        why = _why_rebuild(session, model)
        if not why:
            return ""
        fitted = feature_store.fit(session, model)
    with session_scope(engine) as session:
        feature_store.put(session, fitted)
    return why


def _why_rebuild(session: Session, model: str) -> str:
    papers = session.exec(select(func.count()).select_from(Paper)).one()
    row = session.exec(select(Space).order_by(col(Space.created_at).desc()).limit(1)).first()
    if row is None:
        return "first training"
    if row.model != model:
        return f"the feature model is now {model}, not {row.model}"
    if papers >= row.papers * features.GROWTH:
        return f"papers grew from {row.papers} to {papers}"
    if feature_store.current(session, model)[1].space.weights != feature_weights.shipped():
        return "this version weighs words differently"
    return ""


def _refit_others(engine: Engine, model: str) -> Finding:
    """What others liked, from all likes, where held-out ones say that it helps."""
    with read_scope(engine) as session:
        _, basis = feature_store.current(session, model)
        others, finding = _fit_others(session, basis)
    with session_scope(engine) as session:
        feature_store.put_collaboration(session, basis, others)
    return finding


def _fit_others(session: Session, basis: Basis) -> tuple[Collaboration | None, Finding]:
    rows = session.exec(
        select(Feedback.subscriber_id, Feedback.paper_id)
        .where(col(Feedback.signal).in_((Signal.RELEVANT, Signal.SAVED)))
        .order_by(col(Feedback.id).desc())
        .limit(MOST_LIKES)
    ).all()
    newest = dict.fromkeys(paper for _, paper in rows)
    liked = np.sort(np.array(list(newest)[:MOST_LIKED], np.int64))
    pairs = np.unique(np.array(rows, np.int64).reshape(-1, 2), axis=0)
    pairs = pairs[np.isin(pairs[:, 1], liked)]
    subscribers, places = np.unique(pairs[:, 0], return_inverse=True)
    likes = csr_matrix(
        (np.ones(len(pairs), np.float32), (places, np.searchsorted(liked, pairs[:, 1]))),
        shape=(len(subscribers), len(liked)),
    )
    papers = {paper.id: paper for paper in feature_store.rows(session, Paper, "id", liked.tolist())}
    vectors = feature_store.content(
        session, basis, [papers[paper_index] for paper_index in liked.tolist()]
    )
    return collaborative_check.collaborate(basis.space, vectors, likes, liked)


def _train_topics(engine: Engine, key: str, basis: Basis, numbers: Sequence[int]) -> None:
    now = utc_now()
    with read_scope(engine) as session:
        topics = feature_store.rows(session, Topic, "id", numbers)
        versions = profiles.versions(session, topics)
        sums = evidence.gather(session, basis, topics, now).sums([t.id or 0 for t in topics])
    place_of = {topic.id: index for index, topic in enumerate(topics)}
    with session_scope(engine) as session:
        present = feature_store.rows(session, Topic, "id", numbers)
        found = profiles.versions(session, present)
        # A signal that came while this was computed is in the row and not in the sums.
        late = [
            topic for topic in present if versions.get(topic.id or 0) != found.get(topic.id or 0)
        ]
        same = [
            topic for topic in present if versions.get(topic.id or 0) == found.get(topic.id or 0)
        ]
        places = [place_of[topic.id] for topic in same]
        profiles.store(session, same, sums, places, key=key, now=now)
        if late:
            again = evidence.gather(session, basis, late, now).sums([t.id or 0 for t in late])
            profiles.store(session, late, again, range(len(late)), key=key, now=now)
