"""Profiles: stored by a training, updated by each signal, loaded for ranking.

A profile is sums over a topic's evidence, so a signal is one more summand, applied at once.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlmodel import Session, SQLModel, col, select

from newsletter.core.batches import batched
from newsletter.core.database import upsert, utc_now
from newsletter.core.models import (
    Feedback,
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
from newsletter.ranking.profiles import (
    evidence,
    feature_store,
    groups,
    history,
    interests,
    packing,
)
from newsletter.ranking.profiles.draft import Draft
from newsletter.ranking.profiles.feature_store import load_candidates
from newsletter.ranking.profiles.interests import Stated
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
SHOWN = 20  # signals of a subscriber that an explanation looks through, newest
# Columns of a subscriber that ranking takes: of all of them reading takes four times as long.
_WISHES = (
    "id",
    "max_papers",
    "min_score",
    "popularity",
    "outside_picks",
    "weekly_budget",
    "fill_list",
    "language",
)
_SUMS = ("topic_id", "feature_space", "coefficients", "like_weight", "dislike_weight")
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
    if groups.keepers(session, [subscriber_id]):
        return  # a group's digest is the same for all
    topics = session.exec(select(Topic).where(Topic.subscriber_id == subscriber_id)).all()
    mine = [topic for topic in topics if given.topic_id in {None, topic.id}]
    key, basis = feature_store.current(session)
    stored = _stored(session, mine)
    content = feature_store.content(session, basis, [paper])
    vector = basis.as_evidence(content, np.array([paper_id]))
    now = utc_now()
    for topic in mine:
        row = stored.get(topic.id or 0)
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
        store(session, [topic], sums, [0], key=key, now=now)


def versions(session: Session, topics: Sequence[Topic]) -> dict[int, int]:
    """How often each topic's profile was written, by topic id; one that has none is left out."""
    found: dict[int, int] = {}
    for some in batched([topic.id for topic in topics]):
        query = select(Profile.topic_id, Profile.version).where(col(Profile.topic_id).in_(some))
        found |= dict(session.exec(query).all())
    return found


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
    rows = [
        {
            "topic_id": topic.id,
            "version": 1,
            "feature_space": key,
            "coefficients": packing.pack(
                np.stack([sums.likes[index], sums.dislikes[index], sums.texts[index]])
            ),
            "like_weight": float(sums.like_weight[index]),
            "dislike_weight": float(sums.dislike_weight[index]),
            "trained_at": now,
        }
        for topic, index in zip(topics, places, strict=True)
    ]
    if not rows:
        return
    new = upsert(session, "profile")
    written = {name: new.excluded[name] for name in rows[0] if name != "topic_id"}
    again = written | {"version": SQLModel.metadata.tables["profile"].c.version + 1}
    # Through the table, not objects: making those takes two thirds of a training.
    session.connection().execute(
        new.on_conflict_do_update(index_elements=["topic_id"], set_=again), rows
    )


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
    keeper_of = {} if draft else groups.keeper_of(session, subscriber_ids)
    everyone = sorted({*subscriber_ids, *keeper_of.values()})
    found = feature_store.rows(session, Subscriber, "id", everyone, only=_WISHES)
    subscribers = {row.id: row for row in found}
    if draft is not None:
        subscribers[draft.subscriber.id] = draft.subscriber
    topics = _topics(session, everyone, draft)
    flat = [topic for several in topics.values() for topic in several]
    following, mutes = _interests(session, flat, draft)
    shown = [topic for topic in flat if not topic.paused]
    profiles = _topic_profiles(session, key, basis, shown, following, now=now, draft=draft)
    oldest = now - LOOK_BACK
    last = history.last_digests(session, subscriber_ids, before)
    seen = history.seen(session, subscriber_ids, oldest, before)
    named = history.named(session, topics, following)
    if draft is not None:
        seen[draft.subscriber.id or 0].update(draft.liked)
    # A member's digest is what the keeper of the group chose, but for the language.
    owners = {n: keeper_of.get(n, n) for n in subscriber_ids if n in subscribers}
    budgets = {
        row_id: budget
        for row_id, owner in owners.items()
        if (budget := subscribers[owner].weekly_budget)
    }
    sent = history.sent(session, list(budgets), now - WEEK, before)
    return [
        SubscriberProfile(
            subscriber_id=row_id,
            topics=tuple(profiles[each.id or 0] for each in topics[owner] if not each.paused),
            paused=all(topic.paused for topic in topics[owner]),
            max_papers=subscribers[owner].max_papers,
            min_score=subscribers[owner].min_score,
            popularity=subscribers[owner].popularity,
            outside_picks=subscribers[owner].outside_picks,
            fill=subscribers[owner].fill_list,
            language=subscribers[row_id].language,
            since=max(oldest, last.get(row_id, oldest) - LATE),
            last_digest=last.get(row_id),
            seen=frozenset(seen[row_id] | named[owner]),
            weekly_budget=budgets.get(row_id),
            budget_left=budgets[row_id] - sent[row_id] if row_id in budgets else None,
            muted_words=interests.values_of(mutes[owner], InterestKind.KEYWORD, InterestKind.TEXT),
            muted_authors=interests.muted_people(mutes[owner]),
            muted_categories=interests.values_of(mutes[owner], InterestKind.CATEGORY),
        )
        for row_id, owner in owners.items()
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
) -> tuple[dict[int, list[Stated]], dict[int, list[Stated]]]:
    """What each topic follows, and what each subscriber mutes: a mute holds for all topics."""
    following: dict[int, list[Stated]] = defaultdict(list)
    mutes: dict[int, list[Stated]] = defaultdict(list)
    owner = {topic.id or 0: topic.subscriber_id for topic in topics}
    if draft is None:
        told = interests.interests_of(session, list(owner))
    else:
        told = defaultdict(list)
        for each in draft.interests:
            told[each.topic_id].append(interests.stated(each))
    for topic_id, several in told.items():
        following[topic_id] = [each for each in several if each.weight >= 0]
        mutes[owner[topic_id]] += [each for each in several if each.weight < 0]
    return following, mutes


def _topic_profiles(
    session: Session,
    key: str,
    basis: Basis,
    topics: Sequence[Topic],
    following: dict[int, list[Stated]],
    *,
    now: datetime,
    draft: Draft | None,
) -> dict[int, TopicProfile]:
    numbers = [topic.id for topic in topics if topic.id is not None and topic.id > 0]
    stored: dict[int | None, Profile] = {
        row.topic_id: row
        for row in feature_store.rows(session, Profile, "topic_id", numbers, only=_SUMS)
        if draft is None or row.topic_id in draft.profiled
    }
    ready = [t for t in topics if t.id in stored and stored[t.id].feature_space == key]
    missing = [t for t in topics if t.id not in stored or stored[t.id].feature_space != key]
    liked = draft.liked if draft else ()
    kept = groups.keepers(session, sorted({topic.subscriber_id for topic in topics}))
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
        vectors, explained = gathered.split(ids, learned, topic_vectors.ridge_of(basis.space))
        for index, topic in enumerate(some):
            topic_id = topic.id or 0
            categories, authors, halved = interests.followed(following[topic_id])
            found[topic_id] = TopicProfile(
                topic_id=topic_id if topic_id > 0 else None,
                name=topic.name,
                vector=vectors[index],
                evidence=explained[index],
                quota=topic.quota,
                followed_categories=categories,
                followed_authors=authors,
                halved=halved,
                offset=float(offsets[index]),
                scale=float(scales[index]),
                is_shared=topic.subscriber_id in kept,
            )
    return found


def _stored(session: Session, topics: Sequence[Topic]) -> dict[int, Any]:
    """Profiles of topics that have one, by topic id; to read only."""
    numbers = [topic.id or 0 for topic in topics]
    return {row.topic_id: row for row in feature_store.rows(session, Profile, "topic_id", numbers)}
