"""Profiles: stored by a training, updated by each signal, loaded for ranking.

A profile is sums over a topic's evidence, so a signal is one more summand, applied at once.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, true
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.database import utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryStatus,
    DigestItem,
    Feedback,
    Interest,
    InterestKind,
    Paper,
    Profile,
    Signal,
    Subscriber,
    Topic,
)
from newsletter.ranking import topic_vectors
from newsletter.ranking.candidates import SubscriberProfile, TopicProfile
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.profiles import evidence, feature_store, packing
from newsletter.ranking.profiles.draft import Draft
from newsletter.ranking.profiles.feature_store import load_candidates
from newsletter.ranking.topic_vectors import Basis, Sums

__all__ = ["apply_feedback", "load_candidates", "load_profiles", "store", "versions"]

# An ingest stamps its papers when it starts and may still be storing them while digests are
# prepared: what came in shortly before the last digest is looked at again. Nobody gets a paper
# twice by it, for papers that were sent are known.
LATE = timedelta(hours=6)
LOOK_BACK = timedelta(days=30)
# Half a day less than seven: a digest prepared a little earlier than a week ago to the hour
# is not counted against today's.
WEEK = timedelta(days=6.5)
NEVER_SENT = (
    DeliveryStatus.FAILED,
    DeliveryStatus.SUPPRESSED,
    DeliveryStatus.EXPIRED,
    DeliveryStatus.CANCELLED,
)
SHOWN = 20  # signals of a subscriber that an explanation looks through, newest
FOR_YOU = "For you"  # the topic of a subscriber who gave signals and named no topic


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
    if given is None or paper is None or not feature_store.is_stored(session):
        return  # there is nothing to add to: the first training reads the row
    topics = session.exec(select(Topic).where(Topic.subscriber_id == subscriber_id)).all()
    mine = [topic for topic in topics if given.topic_id in {None, topic.id}]
    key, basis = feature_store.current(session)
    stored = _stored(session, mine)
    content = feature_store.content(session, basis, [paper])
    vector = basis.as_evidence(content, np.array([paper_id]))
    now = utc_now()
    for topic in mine:
        row = stored.get(topic.id)
        if row is None or row.feature_space != key:  # built from the rows, this signal with them
            sums = evidence.gather(session, basis, [topic], now).sums([topic.id or 0])
        else:
            age = (now - row.trained_at).total_seconds() / 86_400
            fade = np.array([0.5 ** (age / evidence.HALF_LIFE_DAYS)], np.float32)
            sums = (
                packing.unpack([row], basis.dimensions)
                .faded(fade)
                .plus(evidence.PART_OF[signal], vector)
            )
        _store(session, row or _blank(topic), key, sums, now)
    session.flush()


def versions(session: Session, topics: Sequence[Topic]) -> dict[int | None, int]:
    """How often each topic's profile was written, by topic id; one that has none is left out."""
    return {topic_id: row.version for topic_id, row in _stored(session, topics).items()}


def store(
    session: Session,
    topics: Sequence[Topic],
    sums: Sums,
    places: Sequence[int],
    *,
    key: str,
    now: datetime,
) -> None:
    """Write profiles in the space ``key``; ``places`` are the topics' rows of ``sums``."""
    stored = _stored(session, topics)
    for topic, index in zip(topics, places, strict=True):
        _store(session, stored.get(topic.id) or _blank(topic), key, _one(sums, index), now)
    session.flush()


def load_profiles(
    session: Session,
    subscriber_ids: Sequence[int],
    model: str = DEFAULT,
    now: datetime | None = None,
    before: datetime | None = None,
    *,
    draft: Draft | None = None,
) -> list[SubscriberProfile]:
    """What ranking needs of these subscribers, in their order; unknown ids are left out.

    Reads only. A topic whose profile is missing, or stands in another feature space, is built
    on the spot from its rows. ``model`` counts where no feature space is stored. ``now`` is the
    moment that mails and signals are counted back from: the present if not given. Papers that were
    mailed or judged from ``before`` on count as not seen yet: as a digest of then was made.
    ``draft`` stands for the stored wishes of its subscriber.
    """
    now = now or utc_now()
    key, basis = feature_store.current(session, model)
    rows = feature_store.rows(session, Subscriber, "id", subscriber_ids)
    subscribers = {row.id: row for row in rows}
    if draft is not None:
        subscribers[draft.subscriber.id] = draft.subscriber
    topics = _topics(session, subscriber_ids, draft)
    flat = [topic for several in topics.values() for topic in several]
    following, mutes = _interests(session, flat, draft)
    shown = [topic for topic in flat if not topic.paused]
    profiles = _topic_profiles(session, key, basis, shown, following, now=now, draft=draft)
    oldest = now - LOOK_BACK
    last = _last_digests(session, subscriber_ids, before)
    seen = _seen(session, subscriber_ids, oldest, before)
    for subscriber_id, papers in _named(session, topics, following).items():
        seen[subscriber_id] |= papers
    if draft is not None:
        seen[draft.subscriber.id or 0].update(draft.liked)
    budgets = {n: row.weekly_budget for n, row in subscribers.items() if n and row.weekly_budget}
    sent = _sent(session, list(budgets), now - WEEK, before)
    return [
        SubscriberProfile(
            subscriber_id=row_id,
            topics=tuple(profiles[each.id or 0] for each in topics[row_id] if not each.paused),
            paused=all(topic.paused for topic in topics[row_id]),
            max_papers=row.max_papers,
            min_score=row.min_score,
            popularity=row.popularity,
            outside_picks=row.outside_picks,
            fill=row.fill_list,
            language=row.language,
            since=max(oldest, last.get(row_id, oldest) - LATE),
            last_digest=last.get(row_id),
            seen=frozenset(seen[row_id]),
            weekly_budget=budgets.get(row_id),
            budget_left=budgets[row_id] - sent[row_id] if row_id in budgets else None,
            muted_words=evidence.values_of(mutes[row_id], InterestKind.KEYWORD, InterestKind.TEXT),
            muted_authors=evidence.muted_people(mutes[row_id]),
            muted_categories=evidence.values_of(mutes[row_id], InterestKind.CATEGORY),
        )
        for row_id in subscriber_ids
        if (row := subscribers.get(row_id)) is not None
    ]


def _topics(
    session: Session, subscriber_ids: Sequence[int], draft: Draft | None
) -> dict[int, list[Topic]]:
    """Topics by subscriber; one that is in no row, with an id below zero, for who has none."""
    topics: dict[int, list[Topic]] = defaultdict(list)
    stored = (
        feature_store.rows(session, Topic, "subscriber_id", subscriber_ids)
        if draft is None
        else draft.topics
    )
    for topic in stored:
        topics[topic.subscriber_id].append(topic)
    for subscriber_id in subscriber_ids:
        topics[subscriber_id].sort(key=lambda topic: topic.id or 0)
        topics[subscriber_id] = topics[subscriber_id] or [
            Topic(id=-subscriber_id, subscriber_id=subscriber_id, name=FOR_YOU, paused=False)
        ]
    return topics


def _interests(
    session: Session, topics: Sequence[Topic], draft: Draft | None
) -> tuple[dict[int, list[Interest]], dict[int, list[Interest]]]:
    """What each topic follows, and what each subscriber mutes: a mute holds for all topics."""
    following: dict[int, list[Interest]] = defaultdict(list)
    mutes: dict[int, list[Interest]] = defaultdict(list)
    owner = {topic.id or 0: topic.subscriber_id for topic in topics}
    if draft is None:
        stated = evidence.interests_of(session, list(owner))
    else:
        stated = defaultdict(list)
        for each in draft.interests:
            stated[each.topic_id].append(each)
    for topic_id, interests in stated.items():
        following[topic_id] = [each for each in interests if each.weight >= 0]
        mutes[owner[topic_id]] += [each for each in interests if each.weight < 0]
    return following, mutes


def _topic_profiles(
    session: Session,
    key: str,
    basis: Basis,
    topics: Sequence[Topic],
    following: dict[int, list[Interest]],
    *,
    now: datetime,
    draft: Draft | None,
) -> dict[int, TopicProfile]:
    numbers = [topic.id for topic in topics if topic.id is not None and topic.id > 0]
    stored: dict[int | None, Profile] = {
        row.topic_id: row
        for row in feature_store.rows(session, Profile, "topic_id", numbers)
        if draft is None or row.topic_id in draft.profiled
    }
    ready = [t for t in topics if t.id in stored and stored[t.id].feature_space == key]
    missing = [t for t in topics if t.id not in stored or stored[t.id].feature_space != key]
    liked = draft.liked if draft else ()
    found: dict[int, TopicProfile] = {}
    for some in (ready, missing):
        if not some:
            continue
        ids = [topic.id or 0 for topic in some]
        newest = SHOWN if some is ready else None
        gathered = evidence.gather(
            session, basis, some, now, following=following, newest=newest, liked=liked
        )
        sums = (
            packing.unpack([stored[i] for i in ids], basis.dimensions)
            if some is ready
            else gathered.sums(ids)
        )
        learned, offsets, scales = evidence.learn(basis, sums)
        ridge = topic_vectors.ridge_of(basis.space)
        for index, topic in enumerate(some):
            topic_id = topic.id or 0
            found[topic_id] = TopicProfile(
                topic_id=topic_id if topic_id > 0 else None,
                name=topic.name,
                vector=learned.vectors[index] - gathered.taken(topic_id, learned, index, ridge),
                evidence=gathered.evidence(topic_id, learned, index),
                quota=topic.quota,
                followed_categories=frozenset(
                    evidence.values_of(following[topic_id], InterestKind.CATEGORY)
                ),
                followed_authors=frozenset(
                    evidence.values_of(following[topic_id], InterestKind.AUTHOR)
                ),
                halved=frozenset(
                    evidence.values_of(
                        [each for each in following[topic_id] if each.weight < 1],
                        InterestKind.AUTHOR,
                        InterestKind.CATEGORY,
                    )
                ),
                offset=float(offsets[index]),
                scale=float(scales[index]),
            )
    return found


def _stored(session: Session, topics: Sequence[Topic]) -> dict[int | None, Profile]:
    """Profiles of topics that have one, to be written."""
    found: dict[int | None, Profile] = {}
    for some in batched([topic.id for topic in topics]):
        rows = session.exec(select(Profile).where(col(Profile.topic_id).in_(some)))
        found |= {row.topic_id: row for row in rows}
    return found


def _store(session: Session, row: Profile, key: str, sums: Sums, now: datetime) -> None:
    """Write the sums (one row each) of a topic."""
    rows = np.vstack([sums.likes, sums.dislikes, sums.texts])
    row.version += 1
    row.feature_space, row.trained_at = key, now
    row.coefficients = packing.pack(rows)
    row.like_weight, row.dislike_weight = float(sums.like_weight[0]), float(sums.dislike_weight[0])
    session.add(row)


def _blank(topic: Topic) -> Profile:
    return Profile(topic_id=topic.id or 0, version=0, feature_space="", coefficients=b"")


def _one(sums: Sums, index: int) -> Sums:
    one = slice(index, index + 1)
    return Sums(
        sums.likes[one],
        sums.dislikes[one],
        sums.texts[one],
        sums.like_weight[one],
        sums.dislike_weight[one],
    )


def _last_digests(
    session: Session, subscriber_ids: Sequence[int], before: datetime | None
) -> dict[int, datetime]:
    last: dict[int, datetime] = {}
    for some in batched(subscriber_ids):
        last |= dict(
            session.exec(
                select(Delivery.subscriber_id, func.max(Delivery.created_at))
                .join(DigestItem, col(DigestItem.delivery_id) == Delivery.id)
                .where(col(Delivery.subscriber_id).in_(some), _earlier(Delivery.created_at, before))
                .group_by(col(Delivery.subscriber_id))
            ).all()
        )
    return last


def _earlier(column: Any, before: datetime | None) -> Any:
    return true() if before is None else column < before


def _seen(
    session: Session, subscriber_ids: Sequence[int], since: datetime, before: datetime | None
) -> dict[int, set[int]]:
    """Papers, first seen since then, that these subscribers had in a digest or have judged."""
    seen: dict[int, set[int]] = defaultdict(set)
    for some in batched(subscriber_ids):
        mailed = select(DigestItem.subscriber_id, DigestItem.paper_id).where(
            col(DigestItem.subscriber_id).in_(some)
        )
        if before is not None:
            mailed = mailed.join(Delivery, col(Delivery.id) == DigestItem.delivery_id).where(
                Delivery.created_at < before
            )
        judged = select(Feedback.subscriber_id, Feedback.paper_id).where(
            col(Feedback.subscriber_id).in_(some), _earlier(Feedback.created_at, before)
        )
        for query, table in ((mailed, DigestItem), (judged, Feedback)):
            papers = query.join(Paper, col(Paper.id) == table.paper_id)
            for subscriber, paper in session.exec(papers.where(col(Paper.first_seen_at) >= since)):
                seen[subscriber].add(paper)
    return seen


def _named(
    session: Session,
    topics: Mapping[int, Sequence[Topic]],
    following: Mapping[int, Sequence[Interest]],
) -> dict[int, set[int]]:
    """Papers that subscribers gave as examples: they know these."""
    named = {
        number: [
            each.value
            for topic in own
            for each in following.get(topic.id or 0, ())
            if each.kind is InterestKind.SEED_PAPER
        ]
        for number, own in topics.items()
    }
    seeds = evidence.seed_papers(session, [name for names in named.values() for name in names])
    return {
        number: {seeds[name] for name in names if name in seeds} for number, names in named.items()
    }


def _sent(
    session: Session, subscriber_ids: Sequence[int], since: datetime, before: datetime | None
) -> Counter[int]:
    """How many papers went, or are about to go, to these subscribers since then."""
    sent: Counter[int] = Counter()
    for some in batched(subscriber_ids):
        sent.update(
            dict(
                session.exec(
                    select(Delivery.subscriber_id, func.count())
                    .join(DigestItem, col(DigestItem.delivery_id) == Delivery.id)
                    .where(
                        col(Delivery.subscriber_id).in_(some),
                        Delivery.created_at >= since,
                        _earlier(Delivery.created_at, before),
                        col(Delivery.status).not_in(NEVER_SENT),
                    )
                    .group_by(col(Delivery.subscriber_id))
                ).all()
            )
        )
    return sent
