"""Scores: one matrix product a chunk, then what a subscriber follows, mutes and has seen. Pure.

Inside, scores are steps: deviations above an ordinary paper's score for that topic. Outside
they are 0 to 100, the same function of steps on every day, so that a bar means the same
whether ten papers came or a thousand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from newsletter.candidates import Candidates, SubscriberProfile, TopicProfile
from newsletter.encoders import Vectors

# 2 steps, which about one ordinary paper in forty reaches, are 50 points; 4 are 88.
HALF = 2.0
FOLLOWED_AUTHOR = 3.0
FOLLOWED_CATEGORY = 0.5
# A topic of nothing but follows has no vector: what it follows must stand out by itself.
FOLLOWED_ALONE = 2.0
POPULARITY = 3.0  # of the day's most upvoted paper, with the slider at 100
NEVER = np.float32(-np.inf)
# Packed scores: steps between these, in as many levels as the bits beside the index leave.
LOWEST, HIGHEST = -16.0, 48.0


@dataclass
class Matches:
    """Which candidates a word, author or category hits, each looked up once a batch."""

    candidates: Candidates
    _found: dict[tuple[str, str], NDArray[np.bool_]] = field(default_factory=dict)
    _texts: dict[str, list[str]] = field(default_factory=dict)

    def hits(self, kind: str, value: str) -> NDArray[np.bool_]:
        """(n,) true where the paper holds the ``word``, or has the ``author`` or ``category``.

        A word, or several, must stand as whole words; a name must be the whole name.
        """
        key = (kind, value)
        if key not in self._found:
            wanted = _as_words(value) if kind == "word" else _as_names([value])
            found = [bool(wanted.strip()) and wanted in text for text in self._texts_of(kind)]
            self._found[key] = np.array(found, dtype=bool)
        return self._found[key]

    def _texts_of(self, kind: str) -> list[str]:
        if kind not in self._texts:
            papers = self.candidates
            self._texts[kind] = (
                [
                    _as_words(f"{t} {a}")
                    for t, a in zip(papers.titles, papers.abstracts, strict=True)
                ]
                if kind == "word"
                else [
                    _as_names(names)
                    for names in (papers.authors if kind == "author" else papers.categories)
                ]
            )
        return self._texts[kind]


def _as_words(text: str) -> str:
    return " " + " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split()) + " "


def _as_names(names: Sequence[str]) -> str:
    return "\n" + "\n".join(" ".join(name.casefold().split()) for name in names) + "\n"


def popularity(candidates: Candidates) -> Vectors:
    """(n,) 0 to 1: upvotes on a logarithmic scale, relative to the most upvoted candidate."""
    votes = np.log1p(np.maximum(candidates.upvotes, 0)).astype(np.float32)
    return votes / max(float(votes.max(initial=0)), 1e-9)


def steps(candidates: Candidates, profiles: Sequence[SubscriberProfile]) -> Vectors:
    """(B, T, n) steps of B profiles with T topics each, before follows and mutes.

    Offset, scale and popularity ride along as two more columns, so that all of it is one
    product.
    """
    topics = [topic for profile in profiles for topic in profile.topics]
    whole = candidates.vectors.shape[1]
    weights = np.empty((len(topics), whole + 2), np.float32)
    scales = np.array([topic.scale for topic in topics], np.float32)
    for row, topic in enumerate(topics):
        weights[row, :whole] = topic.vector
    weights[:, :whole] /= scales[:, None]
    weights[:, whole] = np.array([topic.offset for topic in topics], np.float32) / -scales
    each = len(topics) // max(1, len(profiles))
    sliders = np.array([profile.popularity for profile in profiles], np.float32)
    weights[:, whole + 1] = np.repeat(sliders * (POPULARITY / 100), each)
    ones = np.ones((len(candidates), 1), np.float32)
    papers = np.hstack([candidates.vectors, ones, popularity(candidates)[:, None]])
    return (weights @ papers.T).reshape(len(profiles), each, len(candidates))


def adjust(
    scores: Vectors, candidates: Candidates, profiles: Sequence[SubscriberProfile], found: Matches
) -> None:
    """Add what topics follow and rule out what may not appear, in place."""
    row_of = {paper: row for row, paper in enumerate(candidates.ids)}
    earliest = float(candidates.first_seen.min())
    for number, profile in enumerate(profiles):
        for place, topic in enumerate(profile.topics):
            if topic.followed_authors or topic.followed_categories:
                scores[number, place] += follows(topic, found)
        since = profile.since.timestamp()
        if since > earliest:
            scores[number, :, candidates.first_seen < since] = NEVER
        if profile.seen:
            rows = [row_of[paper] for paper in profile.seen if paper in row_of]
            scores[number, :, rows] = NEVER
        if profile.muted_words or profile.muted_authors or profile.muted_categories:
            scores[number, :, muted(profile, found)] = NEVER


def follows(topic: TopicProfile, found: Matches) -> Vectors:
    """(n,) steps for the authors and categories that a topic follows."""
    alone = 0.0 if topic.vector.any() else FOLLOWED_ALONE
    by_author = np.zeros(len(found.candidates), bool)
    by_category = by_author.copy()
    for name in topic.followed_authors:
        by_author |= found.hits("author", name)
    for name in topic.followed_categories:
        by_category |= found.hits("category", name)
    gained = (FOLLOWED_AUTHOR + alone) * by_author + (FOLLOWED_CATEGORY + alone) * by_category
    return gained.astype(np.float32)


def muted(profile: SubscriberProfile, found: Matches) -> NDArray[np.bool_]:
    """(n,) true where a paper may not appear for this subscriber."""
    hit = np.zeros(len(found.candidates), bool)
    for kind, values in (
        ("word", profile.muted_words),
        ("author", profile.muted_authors),
        ("category", profile.muted_categories),
    ):
        for value in values:
            hit |= found.hits(kind, value)
    return hit


def best(scores: Vectors, count: int) -> tuple[NDArray[np.int32], Vectors]:
    """Columns and steps (rows, count) of the best in each row, best first.

    Score and column share one int32, so that selecting needs no second array: 1.5 times the
    product's time where argpartition takes 2.7. Scores closer than 64 / 2^(31 - index bits)
    count as equal (.00002 for 512 candidates); what comes back are the exact ones.
    ``NEVER`` stays below everything.
    """
    columns = scores.shape[1]
    count = min(count, columns)
    bits = max(1, (columns - 1).bit_length())
    levels = (1 << (31 - bits)) - 2
    packed = np.clip(scores, LOWEST, HIGHEST)
    packed -= LOWEST
    packed *= levels / (HIGHEST - LOWEST)
    words = packed.astype(np.int32)
    words[scores == NEVER] = -1
    words <<= bits
    words |= np.arange(columns, dtype=np.int32)
    if count < columns:
        words = np.partition(words, columns - count, axis=1)[:, columns - count :]
    words = -np.sort(-words, axis=1)
    places = words & ((1 << bits) - 1)
    return places, np.take_along_axis(scores, places, axis=1)


def points(steps: Vectors | float) -> Vectors:
    """Steps as a score from 0 to 100."""
    return np.asarray(100 / (1 + np.exp(HALF - np.asarray(steps, np.float64))))


def steps_for(score: float) -> float:
    """The steps that give ``score``; everything reaches 0, and nothing 100."""
    if score <= 0:
        return -np.inf
    if score >= 100:
        return np.inf
    return HALF + float(np.log(score / (100 - score)))
