"""Scores: one matrix product a chunk, then what a subscriber follows, mutes and has seen. Pure.

Inside, scores are steps: deviations above an ordinary paper's score for that topic. Outside
they are 0 to 100, the same function of steps on every day, so that a bar means the same
whether ten papers came or a thousand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from newsletter.core.identifiers import canonical_orcid
from newsletter.core.persons import Fit
from newsletter.ranking.candidates import KINDS, Candidates, SubscriberProfile, TopicProfile
from newsletter.ranking.encoders import Vectors

# 2 steps, which about one ordinary paper in forty reaches, are 50 points; 4 are 88.
HALF = 2.0
FOLLOWED_AUTHOR = 3.0
FOLLOWED_CATEGORY = 0.5
CITED = 1.0  # a paper that the reader named, liked or saved
# Of somebody who is only possibly the author that is followed, as of "less of this".
HALF_AS_MUCH = 0.5
_CITED = frozenset({"seed_paper", "relevant", "saved"})
# A topic of nothing but follows has no vector: what it follows must stand out by itself.
FOLLOWED_ALONE = 2.0
POPULARITY = 3.0  # of the day's most upvoted paper, with the slider at 100
NEVER = np.float32(-np.inf)
# Packed scores: steps between these, in as many levels as the bits beside the index leave.
LOWEST, HIGHEST = -16.0, 48.0
KEPT = 4_000_000  # numbers of what is followed, 16 MB
BESIDE = 300  # numbers that would fit in the memory which each of these takes beside its own
KEPT_VALUES = 50_000  # words, authors and categories looked for, 20 MB


class Named(NamedTuple):
    """The name of an author on a paper, and how well it fits the one that was asked for."""

    name: str
    fit: Fit


class Followed(NamedTuple):
    """What a topic follows on each candidate: steps (n,), and how surely it is there, 0 to 1."""

    steps: Vectors
    author: Vectors
    category: Vectors


@dataclass
class Matches:
    """Which candidates a word, author or category hits, each looked up once a batch."""

    candidates: Candidates
    _followed: dict[tuple[frozenset[str], ...], Followed] = field(default_factory=dict)
    _found: dict[tuple[str, str], NDArray[np.intp]] = field(default_factory=dict)
    _texts: list[str] = field(default_factory=list)
    _persons: dict[str, dict[int, Named]] = field(default_factory=dict)

    @cached_property
    def row_of(self) -> dict[int, int]:
        """Rows of the candidates by paper id."""
        return {paper: row for row, paper in enumerate(self.candidates.ids)}

    def rows(self, kind: str, value: str) -> NDArray[np.intp]:
        """Candidates that hold the ``word``, or have the ``author`` or ``category``.

        A word, or several, must stand as whole words, see `words`; a category is its whole name,
        an author one that nothing contradicts, see `persons`.
        """
        key = (kind, value)
        if key not in self._found:
            if len(self._found) >= KEPT_VALUES:
                self._found.clear()
            if kind == "word":
                self._found[key] = np.flatnonzero(self.candidates.index.counts(value)[0])
            elif kind == "author":
                self._found[key] = np.array(sorted(self.by_person(value)), np.intp)
            else:
                wanted = _as_names([value])
                if not self._texts:
                    self._texts = [_as_names(names) for names in self.candidates.categories]
                hits = [bool(wanted.strip()) and wanted in text for text in self._texts]
                self._found[key] = np.flatnonzero(hits)
        return self._found[key]

    def holds(self, value: str, row: int) -> bool:
        """Whether a word, or several, stand in a candidate."""
        rows = self.rows("word", value)
        place = int(np.searchsorted(rows, row))
        return place < len(rows) and bool(rows[place] == row)

    def by_person(self, value: str) -> dict[int, Named]:
        """Candidates by an author of that name or ORCID, by row: the name there, how well it fits.

        Where those that fit have several ORCIDs, they are several persons, and each fits possibly.
        """
        if value not in self._persons:
            if len(self._persons) >= KEPT_VALUES:
                self._persons.clear()
            orcid = canonical_orcid(value)
            self._persons[value] = self._by_orcid(orcid) if orcid else self._by_name(value)
        return self._persons[value]

    @cached_property
    def citing(self) -> dict[int, list[int]]:
        """Rows of the candidates that cite a paper, by its id."""
        rows: dict[int, list[int]] = {}
        for paper, cited in self.candidates.cites.items():
            if paper in self.row_of:
                for other in cited:
                    rows.setdefault(other, []).append(self.row_of[paper])
        return rows

    def followed(self, topic: TopicProfile) -> Followed:
        """What authors and categories give that a topic follows; many follow the same few.

        To read only. Found once, with a new start when memory for it is used up.
        """
        alone = frozenset[str]() if _has_vector(topic) else frozenset({"alone"})
        key = (topic.followed_authors, topic.followed_categories, topic.halved, alone)
        known = self._followed.get(key)
        if known is None:
            if len(self._followed) * (3 * len(self.candidates) + BESIDE) > KEPT:
                self._followed.clear()
            steps = follow_steps(topic, self)
            author = np.zeros(len(self.candidates), np.float32)
            for name in topic.followed_authors:
                for row, named in self.by_person(name).items():
                    author[row] = max(author[row], certainty(named))
            known = Followed(steps.sum(axis=0), author, np.asarray(steps[1] > 0, np.float32))
            self._followed[key] = known
        return known

    def cited_by(self, topic: TopicProfile) -> dict[int, int]:
        """Candidates that cite a paper which the reader named, liked or saved.

        By row: the place of that paper among the topic's evidence, the strongest signal first.
        """
        if not self.citing or topic.evidence is None:
            return {}
        evidence, found = topic.evidence, dict[int, int]()
        for index in np.argsort(-evidence.kinds, kind="stable").tolist():
            key = evidence.pool.keys[int(evidence.rows[index])]
            if KINDS[int(evidence.kinds[index])] in _CITED and isinstance(key, int):
                for row in self.citing.get(key, ()):
                    found.setdefault(row, index)
        return found

    def _by_orcid(self, orcid: str) -> dict[int, Named]:
        return {
            self.row_of[paper]: Named(name, Fit.SURE)
            for paper, known in self.candidates.orcids.items()
            if paper in self.row_of
            for name, own in known
            if own == orcid
        }

    def _by_name(self, value: str) -> dict[int, Named]:
        index, rows_of = self.candidates.people
        found: dict[int, Named] = {}
        persons: set[str] = set()
        for name, how in index.fitting(value).items():
            for row in rows_of[name]:
                if row not in found or found[row].fit < how:
                    found[row] = Named(name, how)
                known = self.candidates.orcids.get(self.candidates.ids[row], ())
                persons.update(orcid for other, orcid in known if other == name)
        if len(persons) > 1:
            found = {row: Named(named.name, Fit.POSSIBLE) for row, named in found.items()}
        return found


def _as_names(names: Sequence[str]) -> str:
    return "\n" + "\n".join(" ".join(name.casefold().split()) for name in names) + "\n"


def popularity(candidates: Candidates) -> Vectors:
    """(n,) 0 to 1: upvotes on a logarithmic scale, relative to the most upvoted candidate."""
    votes = np.log1p(np.maximum(candidates.upvotes, 0)).astype(np.float32)
    return votes / max(float(votes.max(initial=0)), 1e-9)


def steps(candidates: Candidates, profiles: Sequence[SubscriberProfile]) -> tuple[Vectors, Vectors]:
    """(B, T, n) steps of B profiles with T topics each, before follows and mutes.

    And the topics' vectors (B·T, D) that they come from, before scaling.
    """
    topics = [topic for profile in profiles for topic in profile.topics]
    vectors = np.concatenate([topic.vector for topic in topics], dtype=np.float32)
    vectors = vectors.reshape(len(topics), -1)
    scales = np.array([topic.scale for topic in topics], np.float32)
    offsets = np.array([topic.offset for topic in topics], np.float32)
    sliders = np.array([profile.popularity for profile in profiles], np.float32)
    scores = vectors @ candidates.vectors.T
    scores -= offsets[:, None]
    scores /= scales[:, None]
    scores = scores.reshape(len(profiles), -1, len(candidates))
    if sliders.any() and candidates.upvotes.any():
        votes = np.multiply.outer(sliders * np.float32(POPULARITY / 100), popularity(candidates))
        scores += votes[:, None]
    return scores, vectors


def adjust(
    scores: Vectors, candidates: Candidates, profiles: Sequence[SubscriberProfile], found: Matches
) -> None:
    """Add what topics follow and rule out what may not appear, in place."""
    since = np.array([profile.since.timestamp() for profile in profiles])
    for index in np.flatnonzero(since > candidates.first_seen.min()).tolist():
        scores[index, :, candidates.first_seen < since[index]] = NEVER
    for index, profile in enumerate(profiles):
        for topic_index, topic in enumerate(profile.topics):
            if gains(topic, found):
                scores[index, topic_index] += follows(topic, found)
        if profile.seen:
            before = [found.row_of[paper] for paper in profile.seen if paper in found.row_of]
            scores[index, :, before] = NEVER
        for rows in muted(profile, found):
            if len(rows):
                scores[index, :, rows] = NEVER


def gains(topic: TopicProfile, found: Matches) -> bool:
    """Whether anything but likeness can count for papers of this topic."""
    return bool(
        topic.followed_authors
        or topic.followed_categories
        or (found.citing and found.cited_by(topic))
    )


def _has_vector(topic: TopicProfile) -> bool:
    # Of a vector that is not zero the last number hardly ever is, and one is looked at quickly.
    return bool(topic.vector[-1] or topic.vector.any())


def follows(topic: TopicProfile, found: Matches) -> Vectors:
    """(n,) steps for authors and categories that a topic follows, and for citing what was liked.

    Each counts once. To read only.
    """
    steps = found.followed(topic).steps
    if cited := found.cited_by(topic):
        steps = steps.copy()
        steps[list(cited)] += np.float32(CITED)
    return steps


def follow_steps(topic: TopicProfile, found: Matches) -> Vectors:
    """(2, n) the same for authors and for categories; "less of this" halves what one gives."""
    alone = 0.0 if _has_vector(topic) else FOLLOWED_ALONE
    gained = np.zeros((2, len(found.candidates)), np.float32)
    for name in topic.followed_authors:
        given = (FOLLOWED_AUTHOR + alone) * (HALF_AS_MUCH if name in topic.halved else 1.0)
        for row, named in found.by_person(name).items():
            gained[0, row] = max(gained[0, row], given * certainty(named))
    for name in topic.followed_categories:
        rows = found.rows("category", name)
        given = (FOLLOWED_CATEGORY + alone) * (HALF_AS_MUCH if name in topic.halved else 1.0)
        gained[1, rows] = np.maximum(gained[1, rows], np.float32(given))
    return gained


def certainty(named: Named) -> float:
    """How much a followed author counts: half where it is only possibly the same person."""
    return 1.0 if named.fit is Fit.SURE else HALF_AS_MUCH


def author_on(topic: TopicProfile, found: Matches, paper: int) -> tuple[str, Named] | None:
    """The author that a topic follows who gives candidate ``paper`` most: as followed, as named."""
    there = [
        (name, named)
        for name in sorted(topic.followed_authors)
        if (named := found.by_person(name).get(paper)) is not None
    ]

    def given(each: tuple[str, Named]) -> float:
        return certainty(each[1]) * (HALF_AS_MUCH if each[0] in topic.halved else 1.0)

    return max(there, key=given, default=None)


def muted(profile: SubscriberProfile, found: Matches) -> Iterator[NDArray[np.intp]]:
    """Candidates that may not appear for this subscriber, by what rules them out."""
    for word in profile.muted_words:
        yield found.rows("word", word)
    for name in profile.muted_authors:
        yield found.rows("author", name)
    for name in profile.muted_categories:
        yield found.rows("category", name)


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
    words |= np.arange(columns, dtype=np.int32)[::-1]  # of equals the first comes first
    if count < columns:
        words = np.partition(words, columns - count, axis=1)[:, columns - count :]
    words = -np.sort(-words, axis=1)
    places = columns - 1 - (words & ((1 << bits) - 1))
    return places, np.take_along_axis(scores, places, axis=1)


def points(steps: Vectors | float) -> Vectors:
    """Steps as a score from 0 to 100."""
    return np.asarray(100 / (1 + np.exp(HALF - np.asarray(steps, np.float64))))


def steps_for(scores: Sequence[float]) -> Vectors:
    """The steps that give ``scores``; everything reaches 0, and nothing 100."""
    share = np.clip(np.array(scores, np.float64) / 100, 0, 1)
    with np.errstate(divide="ignore"):
        return np.asarray(HALF + np.log(share) - np.log1p(-share), np.float32)
