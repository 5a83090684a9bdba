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
from newsletter.picking import Picks, pick

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
            rankings |= zip(some, _rank_chunk(candidates, chunk, found), strict=True)
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
    candidates: Candidates, profiles: Sequence[SubscriberProfile], found: scoring.Matches
) -> list[Ranking]:
    """Rankings of profiles that all have the same number of topics."""
    if not profiles[0].topics:
        return [
            Ranking(profile.subscriber_id, reason="all topics are paused")
            if profile.paused
            else _trending(candidates, profile, found)
            for profile in profiles
        ]
    scores = scoring.steps(candidates, profiles)
    scoring.adjust(scores, candidates, profiles, found)
    picks = pick(candidates, profiles, scores)
    marked = _highlights(candidates, profiles, picks)
    some: list[bool] = np.any(picks.papers >= 0, axis=1).tolist()
    return [
        _ranking(candidates, profile, picks, number, marked)
        if some[number]
        else Ranking(profile.subscriber_id, reason=_reason(candidates, profile, found))
        for number, profile in enumerate(profiles)
    ]


Marked = dict[tuple[int, int], tuple[str, ...]]


def _ranking(
    candidates: Candidates, profile: SubscriberProfile, picks: Picks, number: int, marked: Marked
) -> Ranking:
    """Row ``number`` of ``picks`` in words: sections, positions, explanations."""
    papers = picks.papers[number]
    there = np.flatnonzero(papers >= 0)
    outside, home = picks.outside[number], picks.topics[number]
    points = np.round(scoring.points(picks.steps[number]), 1).tolist()
    several = len(profile.topics) > 1 or outside[there].any()
    order = there[np.lexsort((there, home[there], outside[there]))] if several else there
    chosen: list[Pick] = []
    for place, topic in enumerate(profile.topics):
        mine = order[home[order] == place] if several else order
        sentences = explaining.sentences_for(candidates, topic, papers[mine])
        for column, sentence in zip(mine.tolist(), sentences, strict=True):
            unusual = bool(outside[column])
            chosen.append(
                Pick(
                    candidates.ids[papers[column]],
                    None if unusual else topic.topic_id,
                    OUTSIDE if unusual else topic.name,
                    len(chosen) + 1,
                    points[column],
                    explaining.outside(sentence) if unusual else sentence,
                    marked.get((number, column), ()),
                )
            )
    if several:
        chosen.sort(key=lambda pick: pick.section == OUTSIDE)  # stable
        chosen = [pick._replace(position=place) for place, pick in enumerate(chosen, start=1)]
    return Ranking(profile.subscriber_id, tuple(chosen))


def _highlights(
    candidates: Candidates, profiles: Sequence[SubscriberProfile], picks: Picks
) -> Marked:
    """Sentences to mark, by (row, column) of ``picks``; each paper's readers taken together."""
    rows, columns = np.nonzero(picks.papers >= 0)
    if candidates.sentences is None or not len(rows):
        return {}
    papers = picks.papers[rows, columns]
    order = np.argsort(papers, kind="stable")
    edges = np.flatnonzero(np.diff(papers[order], prepend=-1))
    d = len(candidates.ridge)
    marked: Marked = {}
    wanted = papers[order[edges]].tolist()
    for (texts, vectors), some in zip(
        candidates.sentences(wanted), np.split(order, edges[1:]), strict=True
    ):
        places = list(zip(rows[some].tolist(), columns[some].tolist(), strict=True))
        homes = picks.topics[rows[some], columns[some]].tolist()
        readers = np.array(
            [
                profiles[row].topics[home].vector[:d]
                for (row, _), home in zip(places, homes, strict=True)
            ]
        )
        marked |= zip(places, explaining.highlights(texts, vectors, readers), strict=True)
    return marked


def _allowed(
    candidates: Candidates, profile: SubscriberProfile, found: scoring.Matches
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n,) each: papers that are new to the subscriber, and of those the ones not muted."""
    fresh = candidates.first_seen >= profile.since.timestamp()
    fresh &= ~np.isin(np.array(candidates.ids), list(profile.seen))
    return fresh, fresh & ~scoring.muted(profile, found)


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
