"""Profiles: trained from interests and feedback, updated by each signal, loaded for ranking.

A profile is sums over a topic's evidence, so a signal is one more summand, applied at once.
`train` refits what all topics share: the feature space where papers or the setting changed,
and what other subscribers liked where a check on held-out feedback says that it helps.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from scipy.sparse import csr_matrix
from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter import evidence, features, heldout, spaces
from newsletter.candidates import SubscriberProfile, TopicProfile
from newsletter.db import utc_now
from newsletter.encoders import DEFAULT
from newsletter.heldout import Finding
from newsletter.learning import Basis, Sums
from newsletter.models import (
    Delivery,
    DigestItem,
    Feedback,
    Interest,
    InterestKind,
    Paper,
    Profile,
    Signal,
    Space,
    Subscriber,
    Topic,
)
from newsletter.spaces import load_candidates

__all__ = ["TrainingReport", "apply_feedback", "load_candidates", "load_profiles", "train"]

# An ingest stamps its papers when it starts and may still be storing them while digests are
# prepared: what came in shortly before the last digest is looked at again. Nobody gets a paper
# twice by it, for papers that were sent are known.
LATE = timedelta(hours=6)
LOOK_BACK = timedelta(days=30)
BATCH = 1_000  # topics trained at once: 1,408 numbers × 3 sums × 4 bytes × 1,000 = 17 MB
MOST_LIKES = 2_000_000  # signals that the factors of what others liked are fitted on, newest
MOST_LIKED = 20_000  # papers, the same
SHOWN = 20  # signals of a subscriber that an explanation looks through, newest
FOR_YOU = "For you"  # the topic of a subscriber who gave signals and named no topic


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a training did; ``rebuilt`` says why the feature space was fitted anew, if it was.

    ``others`` is what the check on held-out feedback found, where it was made.
    """

    feature_space: str
    topics: int
    papers: int
    rebuilt: str = ""
    others: Finding | None = None


def train(
    session: Session, subscriber_id: int | None = None, *, model: str = DEFAULT
) -> TrainingReport:
    """Refit what all topics share, then every topic's profile.

    With ``subscriber_id`` only that subscriber's profiles, in the space there is. ``model`` is
    the setting `feature_model`.

    Raises:
        SettingsError: the encoder is not installed.
    """
    papers = session.exec(select(func.count()).select_from(Paper)).one()
    rebuilt, others = "", None
    if subscriber_id is None:
        rebuilt = _why_rebuild(session, papers, model)
        key, basis = spaces.fit(session, model) if rebuilt else spaces.current(session, model)
        key, basis, others = _fit_others(session, basis)
    else:
        key, basis = spaces.current(session, model)
    wanted = select(Topic).order_by(col(Topic.id))
    if subscriber_id is not None:
        wanted = wanted.where(Topic.subscriber_id == subscriber_id)
    topics = session.exec(wanted).all()
    now = utc_now()
    for start in range(0, len(topics), BATCH):
        some = topics[start : start + BATCH]
        gathered = evidence.gather(session, basis, some, now)
        sums = gathered.sums([topic.id or 0 for topic in some])
        stored = _stored(session, some)
        for place, topic in enumerate(some):
            row = stored.get(topic.id) or _blank(topic)
            _store(session, row, key, _one(sums, place), now)
        session.flush()
    return TrainingReport(key, len(topics), papers, rebuilt, others)


def _why_rebuild(session: Session, papers: int, model: str) -> str:
    row = session.exec(select(Space).order_by(col(Space.created_at).desc()).limit(1)).first()
    if row is None:
        return "first training"
    if row.model != model:
        return f"the feature model is now {model}, not {row.model}"
    if papers >= row.papers * features.GROWTH:
        return f"papers grew from {row.papers} to {papers}"
    return ""


def _fit_others(session: Session, basis: Basis) -> tuple[str, Basis, Finding]:
    """What others liked, from all likes, where held-out ones say that it helps."""
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
    papers = {paper.id: paper for paper in spaces.rows(session, Paper, "id", liked.tolist())}
    vectors = spaces.content(session, basis, [papers[number] for number in liked.tolist()])
    others, finding = heldout.collaborate(basis.space, vectors, likes, liked)
    return *spaces.put_collaboration(session, basis, others), finding


def apply_feedback(session: Session, subscriber_id: int, paper_id: int, signal: Signal) -> None:
    """Add one signal, whose row was just written, to the profiles it concerns.

    An update, not a training; call it once a signal. A signal taken back is `train`'s to
    forget, for that subscriber.
    """
    given = session.exec(
        select(Feedback).where(
            Feedback.subscriber_id == subscriber_id,
            Feedback.paper_id == paper_id,
            Feedback.signal == signal,
        )
    ).first()
    paper = session.get(Paper, paper_id)
    if given is None or paper is None:
        return
    key, basis = spaces.current(session)
    topics = session.exec(select(Topic).where(Topic.subscriber_id == subscriber_id)).all()
    mine = [topic for topic in topics if given.topic_id in {None, topic.id}]
    content = spaces.content(session, basis, [paper])
    vector = basis.as_evidence(content, np.array([paper_id]))
    now = utc_now()
    stored = _stored(session, mine)
    for topic in mine:
        row = stored.get(topic.id)
        if row is None or row.feature_space != key:  # built from the rows, this signal with them
            sums = evidence.gather(session, basis, [topic], now).sums([topic.id or 0])
        else:
            age = (now - row.trained_at).total_seconds() / 86_400
            fade = np.array([0.5 ** (age / evidence.HALF_LIFE_DAYS)], np.float32)
            sums = _sums_of([row]).faded(fade).plus(evidence.PART_OF[signal], vector)
        _store(session, row or _blank(topic), key, sums, now)
    session.flush()


def load_profiles(
    session: Session, subscriber_ids: Sequence[int], model: str = DEFAULT
) -> list[SubscriberProfile]:
    """What ranking needs of these subscribers, in their order; unknown ids are left out.

    Reads only. A topic whose profile is missing, or stands in another feature space, is built
    on the spot from its rows.
    """
    key, basis = spaces.current(session, model, store=False)
    subscribers = {row.id: row for row in spaces.rows(session, Subscriber, "id", subscriber_ids)}
    topics = _topics(session, subscriber_ids)
    flat = [topic for several in topics.values() for topic in several]
    following, mutes = _interests(session, flat)
    profiles = _topic_profiles(
        session, key, basis, [topic for topic in flat if not topic.paused], following
    )
    oldest = utc_now() - LOOK_BACK
    last = _last_digests(session, subscriber_ids)
    seen = _seen(session, subscriber_ids, oldest)
    return [
        SubscriberProfile(
            subscriber_id=number,
            topics=tuple(profiles[topic.id or 0] for topic in topics[number] if not topic.paused),
            paused=all(topic.paused for topic in topics[number]),
            max_papers=subscribers[number].max_papers,
            min_score=subscribers[number].min_score,
            popularity=subscribers[number].popularity,
            outside_picks=subscribers[number].outside_picks,
            since=max(oldest, last.get(number, oldest) - LATE),
            seen=frozenset(seen[number]),
            muted_words=_values(mutes[number], InterestKind.KEYWORD, InterestKind.TEXT),
            muted_authors=_values(mutes[number], InterestKind.AUTHOR),
            muted_categories=_values(mutes[number], InterestKind.CATEGORY),
        )
        for number in subscriber_ids
        if number in subscribers
    ]


def _topics(session: Session, subscriber_ids: Sequence[int]) -> dict[int, list[Topic]]:
    """Topics by subscriber; one that is in no row, with an id below zero, for who has none."""
    topics: dict[int, list[Topic]] = defaultdict(list)
    for topic in spaces.rows(session, Topic, "subscriber_id", subscriber_ids):
        topics[topic.subscriber_id].append(topic)
    for number in subscriber_ids:
        topics[number].sort(key=lambda topic: topic.id or 0)
        topics[number] = topics[number] or [
            Topic(id=-number, subscriber_id=number, name=FOR_YOU, paused=False)
        ]
    return topics


def _interests(
    session: Session, topics: Sequence[Topic]
) -> tuple[dict[int, list[Interest]], dict[int, list[Interest]]]:
    """What each topic follows, and what each subscriber mutes: a mute holds for all topics."""
    following: dict[int, list[Interest]] = defaultdict(list)
    mutes: dict[int, list[Interest]] = defaultdict(list)
    owner = {topic.id or 0: topic.subscriber_id for topic in topics}
    for interest in spaces.rows(session, Interest, "topic_id", [key for key in owner if key > 0]):
        if interest.weight < 0:
            mutes[owner[interest.topic_id]].append(interest)
        else:
            following[interest.topic_id].append(interest)
    return following, mutes


def _topic_profiles(
    session: Session,
    key: str,
    basis: Basis,
    topics: Sequence[Topic],
    following: dict[int, list[Interest]],
) -> dict[int, TopicProfile]:
    now = utc_now()
    stored = _stored(session, topics)
    ready = [t for t in topics if t.id in stored and stored[t.id].feature_space == key]
    missing = [t for t in topics if t.id not in stored or stored[t.id].feature_space != key]
    found: dict[int, TopicProfile] = {}
    for some in (ready, missing):
        if not some:
            continue
        ids = [topic.id or 0 for topic in some]
        newest = SHOWN if some is ready else None
        gathered = evidence.gather(session, basis, some, now, newest=newest)
        sums = _sums_of([stored[i] for i in ids]) if some is ready else gathered.sums(ids)
        learned, offsets, scales = evidence.learn(basis, sums)
        for place, topic in enumerate(some):
            number = topic.id or 0
            found[number] = TopicProfile(
                topic_id=number if number > 0 else None,
                name=topic.name,
                vector=learned.vectors[place],
                evidence=gathered.evidence(number, learned, place),
                quota=topic.quota,
                followed_categories=frozenset(_values(following[number], InterestKind.CATEGORY)),
                followed_authors=frozenset(_values(following[number], InterestKind.AUTHOR)),
                offset=float(offsets[place]),
                scale=float(scales[place]),
            )
    return found


def _stored(session: Session, topics: Sequence[Topic]) -> dict[int | None, Profile]:
    numbers = [topic.id for topic in topics if topic.id is not None and topic.id > 0]
    return {row.topic_id: row for row in spaces.rows(session, Profile, "topic_id", numbers)}


def _store(session: Session, row: Profile, key: str, sums: Sums, now: datetime) -> None:
    """Write the sums (one row each) of a topic."""
    rows = np.vstack([sums.likes, sums.dislikes, sums.texts])
    row.version += 1
    row.feature_space, row.trained_at = key, now
    row.coefficients = rows.astype("<f4").tobytes()
    row.like_weight, row.dislike_weight = float(sums.like_weight[0]), float(sums.dislike_weight[0])
    session.add(row)


def _blank(topic: Topic) -> Profile:
    return Profile(topic_id=topic.id or 0, version=0, feature_space="", coefficients=b"")


def _sums_of(rows: Sequence[Profile]) -> Sums:
    """Sums of stored profiles, one row each."""
    joined = np.frombuffer(b"".join(row.coefficients for row in rows), "<f4")
    likes, dislikes, texts = joined.reshape(len(rows), 3, -1).transpose(1, 0, 2)
    return Sums(
        likes,
        dislikes,
        texts,
        np.array([row.like_weight for row in rows], np.float32),
        np.array([row.dislike_weight for row in rows], np.float32),
    )


def _one(sums: Sums, place: int) -> Sums:
    one = slice(place, place + 1)
    return Sums(
        sums.likes[one],
        sums.dislikes[one],
        sums.texts[one],
        sums.like_weight[one],
        sums.dislike_weight[one],
    )


def _last_digests(session: Session, subscriber_ids: Sequence[int]) -> dict[int, datetime]:
    last: dict[int, datetime] = {}
    for some in spaces.slices(subscriber_ids):
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
    for some in spaces.slices(subscriber_ids):
        for table in (DigestItem, Feedback):
            for subscriber, paper in session.exec(
                select(table.subscriber_id, table.paper_id)
                .join(Paper, col(Paper.id) == table.paper_id)
                .where(col(table.subscriber_id).in_(some), col(Paper.first_seen_at) >= since)
            ):
                seen[subscriber].add(paper)
    return seen


def _values(interests: Iterable[Interest], *kinds: InterestKind) -> tuple[str, ...]:
    return tuple(interest.value.casefold() for interest in interests if interest.kind in kinds)
