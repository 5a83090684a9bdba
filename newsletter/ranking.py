"""Candidates and profiles to rankings: score, divide into sections, spread out, explain. Pure.

Subscribers are taken together by how many topics they have, in chunks, so that all arrays are
rectangles; memory does not grow with their number.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from newsletter import explaining, scoring
from newsletter.candidates import (
    Candidates,
    Evidence,
    Pick,
    Ranking,
    SubscriberProfile,
    TopicProfile,
)
from newsletter.encoders import Vectors
from newsletter.picking import pick

__all__ = [
    "NO_NEW",
    "OUTSIDE",
    "TRENDING",
    "Candidates",
    "Evidence",
    "Pick",
    "Ranking",
    "SubscriberProfile",
    "TopicProfile",
    "rank",
]

TRENDING = "Trending"
OUTSIDE = "Outside your usual"
NO_NEW = "no new papers"
CHUNK = 8_192  # topics scored at once: 500 candidates × 8,192 × 4 bytes = 16 MB


def rank(candidates: Candidates, profiles: Sequence[SubscriberProfile]) -> list[Ranking]:
    """A ranking per profile, in their order; the whole batch is scored by matrix products."""
    if not len(candidates):
        return [Ranking(profile.subscriber_id, reason=NO_NEW) for profile in profiles]
    found = scoring.Matches(candidates)
    products = explaining.Products(candidates)
    known = [_known(profile) for profile in profiles]
    groups: dict[int, list[int]] = defaultdict(list)
    for place, profile in enumerate(known):
        groups[len(profile.topics)].append(place)
    rankings: dict[int, Ranking] = {}
    for topics, places in groups.items():
        size = max(1, CHUNK // max(1, topics))
        for start in range(0, len(places), size):
            some = places[start : start + size]
            chunk = [known[place] for place in some]
            rankings |= zip(some, _rank_chunk(candidates, chunk, found, products), strict=True)
    return [rankings[place] for place in range(len(profiles))]


def _known(profile: SubscriberProfile) -> SubscriberProfile:
    """The profile without topics of which nothing is known; without any, papers trend."""
    topics = tuple(
        topic
        for topic in profile.topics
        if topic.followed_authors or topic.followed_categories or topic.vector.any()
    )
    return profile if len(topics) == len(profile.topics) else replace(profile, topics=topics)


def _rank_chunk(
    candidates: Candidates,
    profiles: Sequence[SubscriberProfile],
    found: scoring.Matches,
    products: explaining.Products,
) -> list[Ranking]:
    """Rankings of profiles that all have the same number of topics."""
    if not profiles[0].topics:
        return [
            Ranking(profile.subscriber_id, reason="all topics are paused")
            if profile.paused
            else _trending(candidates, profile, found)
            for profile in profiles
        ]
    scores, weights = scoring.steps(candidates, profiles)
    scoring.adjust(scores, candidates, profiles, found)
    picks = pick(candidates, profiles, scores)
    rows, columns = np.nonzero(picks.papers >= 0)
    papers = picks.papers[rows, columns].astype(np.int64)
    topics = [topic for profile in profiles for topic in profile.topics]
    homes = rows * len(profiles[0].topics) + picks.topics[rows, columns]
    sentences = _sentences(candidates, topics, homes, papers, products)
    outside = np.flatnonzero(picks.outside[rows, columns]).tolist()
    sections = [topics[home].name for home in homes.tolist()]
    topic_ids = [topics[home].topic_id for home in homes.tolist()]
    for number in outside:
        sections[number], topic_ids[number] = OUTSIDE, None
        sentences[number] = explaining.outside(sentences[number])
    edges = np.searchsorted(rows, np.arange(len(profiles) + 1))
    told = list(
        map(
            Pick._make,
            zip(
                [candidates.ids[paper] for paper in papers.tolist()],
                topic_ids,
                sections,
                (np.arange(1, len(rows) + 1) - edges[rows]).tolist(),
                np.round(scoring.points(picks.steps[rows, columns]), 1).tolist(),
                sentences,
                _highlights(candidates, weights, homes, papers),
                strict=True,
            ),
        )
    )
    places = edges.tolist()
    return [
        Ranking(profile.subscriber_id, tuple(told[start:end]))
        if end > start
        else Ranking(profile.subscriber_id, reason=_reason(candidates, profile, found))
        for profile, start, end in zip(profiles, places[:-1], places[1:], strict=True)
    ]


def _sentences(
    candidates: Candidates,
    topics: Sequence[TopicProfile],
    homes: NDArray[np.int64],
    papers: NDArray[np.int64],
    products: explaining.Products,
) -> list[str]:
    """An explanation for each pick."""
    reasons = explaining.strongest(topics, candidates, homes, papers, products)
    return [
        explaining.sentence(topics[home], candidates, paper, reason)
        for home, paper, reason in zip(homes.tolist(), papers.tolist(), reasons.rows(), strict=True)
    ]


def _highlights(
    candidates: Candidates, weights: Vectors, homes: NDArray[np.int64], papers: NDArray[np.int64]
) -> list[tuple[str, ...]]:
    """Sentences to mark for each pick; each paper's readers taken together."""
    marked: list[tuple[str, ...]] = [()] * len(papers)
    if candidates.sentences is None or not len(papers):
        return marked
    order = np.argsort(papers, kind="stable")
    edges = np.flatnonzero(np.diff(papers[order], prepend=-1))
    d = len(candidates.ridge)
    wanted = candidates.sentences(papers[order[edges]].tolist())
    for (texts, vectors), some in zip(wanted, np.split(order, edges[1:]), strict=True):
        chosen = explaining.highlights(texts, vectors, weights[homes[some], :d])
        for number, (first, second) in zip(some.tolist(), chosen.tolist(), strict=True):
            if second >= 0:
                marked[number] = (texts[first], texts[second])
            elif first >= 0:
                marked[number] = (texts[first],)
    return marked


def _allowed(
    candidates: Candidates, profile: SubscriberProfile, found: scoring.Matches
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n,) each: papers that are new to the subscriber, and of those the ones not muted."""
    fresh = candidates.first_seen >= profile.since.timestamp()
    fresh &= ~np.isin(np.array(candidates.ids), list(profile.seen))
    allowed = fresh.copy()
    for rows in scoring.muted(profile, found):
        allowed[rows] = False
    return fresh, allowed


def _reason(candidates: Candidates, profile: SubscriberProfile, found: scoring.Matches) -> str:
    """Why a subscriber gets nothing."""
    fresh, allowed = _allowed(candidates, profile, found)
    if not fresh.any():
        return NO_NEW
    return (
        f"nothing above the bar of {profile.min_score:g}"
        if allowed.any()
        else "all candidates muted"
    )


def _trending(
    candidates: Candidates, profile: SubscriberProfile, found: scoring.Matches
) -> Ranking:
    """What most people upvote, for a subscriber of whom nothing is known yet."""
    _, allowed = _allowed(candidates, profile, found)
    order = np.lexsort((-candidates.first_seen, -candidates.upvotes))
    papers = order[allowed[order]][: profile.max_papers].tolist()
    if not papers:
        return Ranking(profile.subscriber_id, reason=_reason(candidates, profile, found))
    return Ranking(
        profile.subscriber_id,
        tuple(
            Pick(
                candidates.ids[paper],
                None,
                TRENDING,
                position,
                0.0,  # nothing is known that a paper could match
                explaining.trending(int(candidates.upvotes[paper])),
            )
            for position, paper in enumerate(papers, start=1)
        ),
    )
