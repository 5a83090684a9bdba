"""Candidates and profiles to rankings: score, divide into sections, spread out, explain. Pure.

Subscribers are taken together by how many topics they have, in chunks, so that all arrays are
rectangles; memory does not grow with their number.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from newsletter.core import language
from newsletter.core.language import N_, gettext
from newsletter.ranking import attribution, passages, reasons, scoring
from newsletter.ranking.candidates import (
    Candidates,
    Evidence,
    Pick,
    Ranking,
    SubscriberProfile,
    TopicProfile,
)
from newsletter.ranking.match import SHORTLIST, WORTH, MatchModel, labels_of, shipped
from newsletter.ranking.match_features import MatchFeatures, Words
from newsletter.ranking.matching import Matcher
from newsletter.ranking.popular import POPULAR, POPULAR_TODAY, popular
from newsletter.ranking.selection import TEAMS, Likeness, pick, room_for

__all__ = [
    "NO_NEW",
    "OUTSIDE",
    "POPULAR",
    "POPULAR_TODAY",
    "Candidates",
    "Evidence",
    "Pick",
    "Ranker",
    "Ranking",
    "SubscriberProfile",
    "TopicProfile",
    "rank",
]

OUTSIDE = N_("Outside your usual")
# Why there is no paper; a number may follow in `Ranking.number`.
NO_NEW = N_("there are no new papers")
NO_MATCH = N_("none of the new papers is about your topics")
ALL_MUTED = N_("what you muted hides every new paper")
BELOW_MINIMUM = N_("no new paper reached your minimum match of {number}")
BUDGET_USED = N_("your weekly budget of {number} papers is used up")
PAUSED = N_("all your topics are paused")
CHUNK = 1_024  # topics scored at once: what they take then stays in the processor's cache


class Ranker:
    """Ranks batches of subscribers against one set of candidates.

    What does not depend on the subscribers, and what a muted word hits, is found once.
    """

    def __init__(self, candidates: Candidates, model: MatchModel | None = None) -> None:
        """``model`` is the match's; the one that comes with the package unless given."""
        self.candidates = candidates
        self._found = scoring.Matches(candidates)
        self._likeness = Likeness(candidates)
        self._products = attribution.ProductCache(candidates)
        words = Words(candidates)
        self._reasons = reasons.Reasons(self._products, self._found, words)
        self._first_seen = np.sort(candidates.first_seen)
        features = MatchFeatures(self._products, words)
        self._matcher = Matcher(features, self._found, model or shipped())

    def rank(self, profiles: Sequence[SubscriberProfile]) -> list[Ranking]:
        """A ranking per profile, in their order; all are scored by a few matrix products."""
        if not len(self.candidates):
            return [_nothing(profile, NO_NEW) for profile in profiles]
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
                rankings |= zip(some, self._chunk(chunk), strict=True)
        return [
            replace(rankings[place], considered=number)
            for place, number in enumerate(self._number_new(profiles))
        ]

    def _number_new(self, profiles: Sequence[SubscriberProfile]) -> list[int]:
        """How many papers were first seen since each subscriber's last digest."""
        # Not since ``profile.since``, which looks back at hours that the last digest had seen.
        after = [max(each.since, each.last_digest or each.since).timestamp() for each in profiles]
        earlier = np.searchsorted(self._first_seen, after).tolist()
        return [len(self._first_seen) - number for number in earlier]

    def match_of(self, profile: SubscriberProfile, row: int) -> float | None:
        """The match of candidate ``row`` in its best topic, beside the reader's shortlist.

        Mutes and what the reader has seen do not count for it, but do for the others. None where
        the reader told nothing to compare with.
        """
        known = _known(profile)
        if not known.topics:
            return None
        scores, _ = scoring.steps(self.candidates, [known])
        open_to_all = scores[0, :, row] + np.array(
            [scoring.follows(topic, self._found)[row] for topic in known.topics], np.float32
        )
        scoring.adjust(scores, self.candidates, [known], self._found)
        scores[0, :, row] = open_to_all
        home = scores[0].argmax(axis=0)
        for index in range(len(known.topics)):
            scores[0, index, home != index] = scoring.NEVER
        columns, steps = scoring.best(scores[0], SHORTLIST)
        listed = columns.astype(np.int64)
        own = int(home[row])
        if row not in listed[own]:
            listed[own, -1], steps[own, -1] = row, open_to_all[own]
        matches = self._matcher.of([known], listed, steps)
        return round(float(matches[own][listed[own] == row][0]), 4)

    def _chunk(self, profiles: Sequence[SubscriberProfile]) -> list[Ranking]:
        """Rankings of profiles that all have the same number of topics."""
        candidates, found = self.candidates, self._found
        if not profiles[0].topics:
            return [
                _nothing(profile, PAUSED)
                if profile.paused
                else _without_interests(candidates, profile, found)
                for profile in profiles
            ]
        scores, vectors = scoring.steps(candidates, profiles)
        scoring.adjust(scores, candidates, profiles, found)
        picks = pick(self._likeness, profiles, scores, self._matcher.of)
        rows, columns = np.nonzero(picks.papers >= 0)
        papers = picks.papers[rows, columns]
        topics = [topic for profile in profiles for topic in profile.topics]
        homes = rows * len(profiles[0].topics) + picks.topics[rows, columns]
        mine = [topics[home] for home in homes.tolist()]
        outside = picks.outside[rows, columns]
        languages = [profile.language for profile in profiles for _topic in profile.topics]
        explanations, bars = self._reasons.of(topics, homes, papers, outside, languages)
        sections = [topic.name for topic in mine]
        topic_ids = [topic.topic_id for topic in mine]
        named = {name: _outside_in(name) for name in set(languages)}
        for index in np.flatnonzero(outside).tolist():
            sections[index], topic_ids[index] = named[languages[homes[index]]], None
        edges = np.searchsorted(rows, np.arange(len(profiles) + 1))
        matches = np.round(picks.matches[rows, columns].astype(np.float64), 4).tolist()
        values = zip(
            [candidates.ids[paper] for paper in papers.tolist()],
            topic_ids,
            sections,
            (np.arange(1, len(rows) + 1) - edges[rows]).tolist(),
            np.round(scoring.points(picks.steps[rows, columns]), 1).tolist(),
            matches,
            labels_of(matches),
            explanations,
            *passages.passages(candidates, vectors, homes, papers),
            bars,
            [TEAMS[team] for team in picks.teams[rows, columns].tolist()],
            strict=True,
        )
        # As `Pick._make` does it, without a Python call for each of a hundred thousand picks.
        told = tuple(map(tuple.__new__, repeat(Pick), values))
        places = edges.tolist()
        return [
            _ranking(candidates, profile, found, told[start:end])
            for profile, start, end in zip(profiles, places[:-1], places[1:], strict=True)
        ]


def rank(candidates: Candidates, profiles: Sequence[SubscriberProfile]) -> list[Ranking]:
    """A ranking per profile, in their order."""
    return Ranker(candidates).rank(profiles)


def _outside_in(name: str) -> str:
    with language.speaking(name):
        return gettext(OUTSIDE)


def _known(profile: SubscriberProfile) -> SubscriberProfile:
    """The profile without topics of which nothing is known."""
    topics = tuple([topic for topic in profile.topics if _is_known(topic)])
    return profile if len(topics) == len(profile.topics) else replace(profile, topics=topics)


def _is_known(topic: TopicProfile) -> bool:
    # The last number is the principal axis's: of a vector that is not zero it hardly ever is,
    # and looking at one number takes a tenth of the time that looking at all takes.
    return bool(
        topic.vector[-1]
        or topic.evidence is not None
        or topic.followed_authors
        or topic.followed_categories
        or topic.vector.any()
    )


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


def _nothing(profile: SubscriberProfile, why: str, number: float | None = None) -> Ranking:
    """A ranking without papers; ``why`` is one of the messages above."""
    shown = "" if number is None else f"{number:g}"
    return Ranking(
        profile.subscriber_id, reason=why.format(number=shown), message=why, number=shown
    )


def _without_papers(
    candidates: Candidates, profile: SubscriberProfile, found: scoring.Matches
) -> Ranking:
    """Why a subscriber gets no papers."""
    fresh, allowed = _allowed(candidates, profile, found)
    if profile.paused:
        return _nothing(profile, PAUSED)
    last = profile.last_digest or profile.since
    # What the last digest passed over is looked at again for some hours, and is not new.
    if not (fresh & (candidates.first_seen >= last.timestamp())).any():
        return _nothing(profile, NO_NEW)
    if not room_for(profile):
        return _nothing(profile, BUDGET_USED, profile.weekly_budget)
    if not allowed.any():
        return _nothing(profile, ALL_MUTED)
    if profile.min_score > 100 * WORTH:
        return _nothing(profile, BELOW_MINIMUM, profile.min_score)
    return _nothing(profile, NO_MATCH)


def _without_interests(
    candidates: Candidates, profile: SubscriberProfile, found: scoring.Matches
) -> Ranking:
    """Popular papers for a subscriber of whom nothing is known yet; a minimum holds for them."""
    _, allowed = _allowed(candidates, profile, found)
    most = 0 if profile.min_score else room_for(profile)
    with language.speaking(profile.language):
        picks = popular(candidates, allowed, most, section=POPULAR)
    return _ranking(candidates, profile, found, picks)


def _ranking(
    candidates: Candidates,
    profile: SubscriberProfile,
    found: scoring.Matches,
    picks: tuple[Pick, ...],
) -> Ranking:
    """The picks, with popular papers after them where the reader asked for a full list."""
    if profile.fill and not profile.paused and len(picks) < room_for(profile):
        _, allowed = _allowed(candidates, profile, found)
        most = room_for(profile) - len(picks)
        with language.speaking(profile.language):
            picks += popular(candidates, allowed, most, section=POPULAR_TODAY, after=picks)
    if not picks:
        return _without_papers(candidates, profile, found)
    return Ranking(profile.subscriber_id, picks)
