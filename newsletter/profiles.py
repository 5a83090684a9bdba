"""Interests and feedback to profiles, and what ranking needs out of the database.

A topic's vector is a weighted sum over its evidence, so feedback is one more summand: applied
at once, without training anything again. `train` refits what all topics share.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter import features
from newsletter.db import utc_now
from newsletter.features import FeatureSpace, PaperText, Vectors
from newsletter.models import (
    Delivery,
    DigestItem,
    Feedback,
    Interest,
    InterestKind,
    Paper,
    PaperVector,
    Profile,
    Signal,
    Space,
    Subscriber,
    Topic,
)
from newsletter.ranking import Candidates, Evidence, SubscriberProfile, TopicProfile

Row = TypeVar("Row")

LOOK_BACK = timedelta(days=30)
# A space is fitted again when the papers have grown by half: words and their rarity change
# slowly, and every stored vector has to be computed anew.
GROWTH = 1.5
FITTED_ON = 20_000  # the newest papers are enough to know the words
# An interest counts as a paper the subscriber liked; a dislike at full weight wrecks a ranking
# (measured: AUC .84 → .39), at a quarter it does no harm.
WEIGHTS = {Signal.RELEVANT: 1.0, Signal.SAVED: 1.0, Signal.NOT_RELEVANT: -0.25}
IN_LIMIT = 500  # values in one IN (…); SQLite allows 32,766 variables, plans suffer sooner


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a training did. ``rebuilt`` says why the feature space was fitted anew, if it was."""

    feature_space: str
    topics: int
    papers: int
    rebuilt: str = ""


def current_space(session: Session) -> FeatureSpace:
    """The newest feature space; fitted on the stored papers where none was fitted on any."""
    row = session.exec(select(Space).order_by(col(Space.created_at).desc()).limit(1)).first()
    if row is None or not row.papers:
        return _fit_space(session)
    return features.load(row.id, row.parameters)


def _fit_space(session: Session) -> FeatureSpace:
    papers = session.exec(select(Paper).order_by(col(Paper.id).desc()).limit(FITTED_ON)).all()
    space = features.fit([_text_of(paper) for paper in papers])
    for old in session.exec(select(Space)).all():
        session.delete(old)
    session.flush()
    session.add(Space(id=space.id, model="lsa", papers=len(papers), parameters=space.dump()))
    session.flush()
    return space


def train(session: Session, subscriber_id: int | None = None) -> TrainingReport:
    """Fit the shared parts again where papers have grown, and every topic's profile.

    With ``subscriber_id`` only that subscriber's profiles, in the space there is.
    """
    papers = session.exec(select(func.count()).select_from(Paper)).one()
    row = session.exec(select(Space).order_by(col(Space.created_at).desc()).limit(1)).first()
    rebuilt = ""
    if row is None:
        rebuilt = "first training"
    elif subscriber_id is None and papers >= row.papers * GROWTH:
        rebuilt = f"papers grew from {row.papers} to {papers}"
    space = _fit_space(session) if rebuilt else current_space(session)
    wanted = select(Topic).order_by(col(Topic.id))
    if subscriber_id is not None:
        wanted = wanted.where(Topic.subscriber_id == subscriber_id)
    topics = session.exec(wanted).all()
    trained = _build(session, space, topics)
    for topic in topics:
        _store(session, topic, trained[_id(topic)], space)
    session.flush()
    return TrainingReport(space.id, len(topics), papers, rebuilt)


def apply_feedback(session: Session, subscriber_id: int, paper_id: int, signal: Signal) -> None:
    """Add one signal, whose row is already there, to the profile it concerns."""
    given = session.exec(
        select(Feedback).where(
            Feedback.subscriber_id == subscriber_id,
            Feedback.paper_id == paper_id,
            Feedback.signal == signal,
        )
    ).first()
    if given is None:
        return
    space = current_space(session)
    topics = session.exec(select(Topic).where(Topic.subscriber_id == subscriber_id)).all()
    for topic in topics:
        if given.topic_id in {None, topic.id}:
            _store(session, topic, _build(session, space, [topic])[_id(topic)], space)
    session.flush()


def load_candidates(session: Session, since: datetime) -> Candidates:
    """Papers first seen since then; vectors that are missing are computed and stored."""
    space = current_space(session)
    papers = session.exec(
        select(Paper).where(col(Paper.first_seen_at) >= since).order_by(col(Paper.id))
    ).all()
    return Candidates(
        feature_space=space.id,
        ids=tuple(_id(paper) for paper in papers),
        titles=tuple(paper.title for paper in papers),
        abstracts=tuple(paper.abstract for paper in papers),
        authors=tuple(tuple(paper.authors) for paper in papers),
        categories=tuple(tuple(paper.categories) for paper in papers),
        upvotes=np.array([paper.upvotes for paper in papers], np.int64),
        first_seen=np.array([paper.first_seen_at.timestamp() for paper in papers], np.float64),
        vectors=_vectors(session, space, papers),
    )


def load_profiles(session: Session, subscriber_ids: Sequence[int]) -> list[SubscriberProfile]:
    """What ranking needs of these subscribers, in their order; unknown ids are left out.

    A topic whose profile is missing or stands in another feature space is built on the spot.
    """
    space = current_space(session)
    subscribers = {
        _id(s): s for s in _rows(session, Subscriber, col(Subscriber.id), subscriber_ids)
    }
    topics: dict[int, list[Topic]] = defaultdict(list)
    for topic in _rows(session, Topic, col(Topic.subscriber_id), subscriber_ids):
        topics[topic.subscriber_id].append(topic)
    everything = [topic for several in topics.values() for topic in several]
    mutes: dict[int, list[Interest]] = defaultdict(list)
    followed: dict[int, list[Interest]] = defaultdict(list)
    subscriber_of = {_id(topic): topic.subscriber_id for topic in everything}
    for interest in _rows(session, Interest, col(Interest.topic_id), list(subscriber_of)):
        if interest.weight < 0:
            mutes[subscriber_of[interest.topic_id]].append(interest)
        else:
            followed[interest.topic_id].append(interest)
    profiles = _load_topics(session, space, [t for t in everything if not t.paused], followed)
    last = _last_digests(session, subscriber_ids)
    oldest = utc_now() - LOOK_BACK
    seen = _seen(session, subscriber_ids, oldest)
    return [
        SubscriberProfile(
            subscriber_id=number,
            topics=tuple(profiles[_id(t)] for t in topics[number] if not t.paused),
            max_papers=subscribers[number].max_papers,
            min_score=subscribers[number].min_score,
            since=max(oldest, last.get(number, oldest)),
            seen=frozenset(seen[number]),
            muted_words=_values(mutes[number], InterestKind.KEYWORD, InterestKind.TEXT),
            muted_authors=_values(mutes[number], InterestKind.AUTHOR),
            muted_categories=_values(mutes[number], InterestKind.CATEGORY),
        )
        for number in subscriber_ids
        if number in subscribers
    ]


def _load_topics(
    session: Session,
    space: FeatureSpace,
    topics: Sequence[Topic],
    followed: dict[int, list[Interest]],
) -> dict[int, TopicProfile]:
    stored = {p.topic_id: p for p in _rows(session, Profile, col(Profile.topic_id), _ids(topics))}
    usable = {t for t, profile in stored.items() if profile.feature_space == space.id}
    built = _build(session, space, [topic for topic in topics if _id(topic) not in usable])
    found = {}
    for topic in topics:
        number = _id(topic)
        if number in built:
            vector, evidence = built[number]
            offset, scale = _calibration(space, vector)
        else:
            row = stored[number]
            rows = np.frombuffer(row.coefficients, "<f4").reshape(-1, space.dimensions)
            vector = rows[0]
            evidence = tuple(
                Evidence(kind, label, share)  # type: ignore[arg-type]  # our own kinds
                for (kind, label), share in zip(row.evidence, rows[1:], strict=True)
            )
            offset, scale = row.score_offset, row.score_scale
        mine = followed[number]
        found[number] = TopicProfile(
            topic_id=number,
            name=topic.name,
            vector=vector,
            evidence=evidence,
            quota=topic.quota,
            followed_categories=frozenset(_values(mine, InterestKind.CATEGORY)),
            followed_authors=frozenset(_values(mine, InterestKind.AUTHOR)),
            offset=offset,
            scale=scale,
        )
    return found


Built = tuple[Vectors, tuple[Evidence, ...]]


def _build(session: Session, space: FeatureSpace, topics: Sequence[Topic]) -> dict[int, Built]:
    """Each topic's vector and evidence from its interests, seed papers and feedback."""
    interests: dict[int, list[Interest]] = defaultdict(list)
    for interest in _rows(session, Interest, col(Interest.topic_id), _ids(topics)):
        if interest.weight > 0:
            interests[interest.topic_id].append(interest)
    feedback: dict[int, list[Feedback]] = defaultdict(list)
    owners = sorted({topic.subscriber_id for topic in topics})
    for given in _rows(session, Feedback, col(Feedback.subscriber_id), owners):
        feedback[given.subscriber_id].append(given)
    named = {int(i.value) for many in interests.values() for i in many if _is_seed(i)}
    wanted = named | {given.paper_id for many in feedback.values() for given in many}
    papers = {_id(p): p for p in _rows(session, Paper, col(Paper.id), sorted(wanted))}
    order = list(papers)
    row_of = {number: row for row, number in enumerate(order)}
    vectors = _vectors(session, space, [papers[number] for number in order])
    built = {}
    for topic in topics:
        parts: list[tuple[Evidence, float]] = []
        for interest in interests[_id(topic)]:
            parts += _stated(interest, space, papers, vectors, row_of)
        for given in feedback[topic.subscriber_id]:
            if given.topic_id in {None, topic.id} and given.paper_id in papers:
                label, share = papers[given.paper_id].title, vectors[row_of[given.paper_id]]
                parts.append((Evidence(given.signal.value, label, share), WEIGHTS[given.signal]))
        built[_id(topic)] = _sum(space, parts)
    return built


def _stated(
    interest: Interest,
    space: FeatureSpace,
    papers: dict[int, Paper],
    vectors: Vectors,
    row_of: dict[int, int],
) -> list[tuple[Evidence, float]]:
    """What a stated interest gives the vector; categories and authors count by themselves."""
    if _is_seed(interest):
        number = int(interest.value)
        if number not in papers:
            return []
        title = papers[number].title
        return [(Evidence("seed_paper", title, vectors[row_of[number]]), interest.weight)]
    if interest.kind in {InterestKind.KEYWORD, InterestKind.TEXT}:
        vector = space.transform([PaperText(interest.value)])[0]
        kind = interest.kind.value
        return [(Evidence(kind, interest.value, vector), interest.weight)]  # type: ignore[arg-type]
    return []


def _is_seed(interest: Interest) -> bool:
    return interest.kind is InterestKind.SEED_PAPER and interest.value.isdigit()


def _sum(space: FeatureSpace, parts: Sequence[tuple[Evidence, float]]) -> Built:
    """The unit vector that the weighted evidence adds up to, and each one's share of it."""
    if not parts:
        return np.zeros(space.dimensions, np.float32), ()
    shares = np.array([weight * evidence.share for evidence, weight in parts], np.float32)
    length = float(np.linalg.norm(shares.sum(axis=0))) or 1.0
    shares /= length
    evidence = tuple(
        Evidence(e.kind, e.label, share) for (e, _), share in zip(parts, shares, strict=True)
    )
    return shares.sum(axis=0), evidence


def _calibration(space: FeatureSpace, vector: Vectors) -> tuple[float, float]:
    scores = space.background @ vector
    return float(scores.mean()), float(scores.std()) or 1.0


def _store(session: Session, topic: Topic, built: Built, space: FeatureSpace) -> None:
    vector, evidence = built
    row = session.get(Profile, topic.id) or Profile(
        topic_id=_id(topic), version=0, feature_space=space.id, coefficients=b""
    )
    row.version += 1
    row.feature_space = space.id
    rows = np.array([vector, *(e.share for e in evidence)], "<f4")
    row.coefficients = rows.tobytes()
    row.evidence = [[e.kind, e.label] for e in evidence]
    row.score_offset, row.score_scale = _calibration(space, vector)
    row.trained_at = utc_now()
    session.add(row)


def _vectors(session: Session, space: FeatureSpace, papers: Sequence[Paper]) -> Vectors:
    """(n, d) vectors of ``papers``; those that are missing are computed and stored."""
    rows = _rows(session, PaperVector, col(PaperVector.paper_id), _ids(papers))
    stored = {row.paper_id: row for row in rows}
    fresh = {number for number, row in stored.items() if row.feature_space == space.id}
    missing = [paper for paper in papers if _id(paper) not in fresh]
    computed = space.transform([_text_of(paper) for paper in missing]).astype("<f2")
    for paper, vector in zip(missing, computed, strict=True):
        row = stored.get(_id(paper)) or PaperVector(
            paper_id=_id(paper), feature_space=space.id, vector=b""
        )
        row.feature_space, row.vector = space.id, vector.tobytes()
        session.add(row)
        stored[_id(paper)] = row
    session.flush()
    found = [np.frombuffer(stored[_id(paper)].vector, "<f2") for paper in papers]
    return np.array(found, np.float32).reshape(len(papers), space.dimensions)


def _text_of(paper: Paper) -> PaperText:
    return PaperText(paper.title, paper.abstract, tuple(paper.categories))


def _last_digests(session: Session, subscriber_ids: Sequence[int]) -> dict[int, datetime]:
    last: dict[int, datetime] = {}
    for some in _slices(subscriber_ids):
        last |= dict(
            session.exec(
                select(Delivery.subscriber_id, func.max(Delivery.created_at))
                .join(DigestItem, col(DigestItem.delivery_id) == Delivery.id)
                .where(col(Delivery.subscriber_id).in_(some))
                .group_by(col(Delivery.subscriber_id))
            ).all()
        )
    return last


def _seen(session: Session, subscriber_ids: Sequence[int], since: datetime) -> dict[int, set[int]]:
    """Papers, first seen since then, that these subscribers had in a digest or have judged."""
    seen: dict[int, set[int]] = defaultdict(set)
    for some in _slices(subscriber_ids):
        for table in (DigestItem, Feedback):
            for subscriber, paper in session.exec(
                select(table.subscriber_id, table.paper_id)
                .join(Paper, col(Paper.id) == table.paper_id)
                .where(col(table.subscriber_id).in_(some), col(Paper.first_seen_at) >= since)
            ):
                seen[subscriber].add(paper)
    return seen


def _rows(session: Session, table: type[Row], column: Any, values: Sequence[int]) -> list[Row]:
    """Rows of ``table`` whose ``column`` is one of ``values``."""
    found: list[Row] = []
    for some in _slices(values):
        found += session.exec(select(table).where(column.in_(some))).all()
    return found


def _slices(values: Sequence[int]) -> Iterator[Sequence[int]]:
    return (values[start : start + IN_LIMIT] for start in range(0, len(values), IN_LIMIT))


def _ids(rows: Iterable[Paper] | Iterable[Topic]) -> list[int]:
    return [_id(row) for row in rows]


def _id(row: Paper | Topic | Subscriber) -> int:
    """The key of a row that came from the database."""
    assert row.id is not None  # noqa: S101  (stored rows have one; for the type checker)
    return row.id


def _values(interests: Iterable[Interest], *kinds: InterestKind) -> tuple[str, ...]:
    return tuple(i.value.casefold() for i in interests if i.kind in kinds)
