"""Why a paper is in a digest: a split of its score, a sentence out of it, and highlights. Pure.

A score is a sum over the topic's evidence, so the split is exact: its parts add up to the
steps that the paper was picked for, and what is not named is one part of its own.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from newsletter.candidates import (
    KINDS,
    LIKED,
    STATED,
    Candidates,
    SubscriberProfile,
    TopicProfile,
)
from newsletter.encoders import Vectors
from newsletter.scoring import POPULARITY, Matches, follows, points, popularity
from newsletter.text import shortened

# A sentence names at most one stated interest and one paper; a second one only if it gave at
# least this share of what the first did.
WORTH_NAMING = 0.3
LONGEST_LABEL = 70
LONGEST_SUBJECT = 6  # words
# In an abstract of three sentences or fewer, bold is no help; of six or more, a second
# sentence is marked when it matters nearly as much as the first.
FEWEST_SENTENCES = 4
SENTENCES_FOR_TWO = 6
NEARLY = 0.85
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"“(\[]?[A-Z0-9])|(?<=[。！？])\s*(?=\S)")
_VERBS = {2: "named", 3: "liked", 4: "saved"}  # by kind's code
SHARED_POOL = 4  # times the topics: a pool up to this size is multiplied with all candidates


@dataclass
class Products:
    """Products of candidates with a pool of evidence, kept while the pool stays the same."""

    candidates: Candidates
    _pool: Vectors | None = None
    _found: Vectors | None = None

    def of(self, pool: Vectors) -> Vectors:
        """(n, P, 3) products: of content, of content after the ridge, of factors."""
        if self._found is None or self._pool is not pool:
            d, content = len(self.candidates.ridge), self.candidates.content
            found = np.empty((len(content), len(pool), 3), np.float32)
            found[:, :, 0] = content @ pool[:, :d].T
            found[:, :, 1] = (content * self.candidates.ridge) @ pool[:, :d].T
            found[:, :, 2] = self.candidates.vectors[:, d:] @ pool[:, d:].T
            self._pool, self._found = pool, found
        return self._found


@dataclass(frozen=True, slots=True)
class Reasons:
    """Of K picks: the stated piece of evidence that gave most, the liked one, and how much."""

    stated: NDArray[np.int64]
    by_stated: Vectors
    liked: NDArray[np.int64]
    by_liked: Vectors

    def rows(self) -> Iterator[tuple[int, int]]:
        """Places of the stated and the liked piece that are worth naming; -1 where none is."""
        text = (self.by_stated > 0) & (self.by_stated >= WORTH_NAMING * self.by_liked)
        paper = (self.by_liked > 0) & (self.by_liked >= WORTH_NAMING * self.by_stated)
        stated, liked = np.where(text, self.stated, -1), np.where(paper, self.liked, -1)
        return zip(stated.tolist(), liked.tolist(), strict=True)

    def put(self, some: NDArray[np.int64], given: Vectors, kinds: NDArray[np.int8]) -> None:
        """Fill in picks ``some`` from what each piece of these kinds gave them (k, m)."""
        for mask, place, most in (
            (kinds < STATED, self.stated, self.by_stated),
            ((kinds >= STATED) & (kinds < LIKED), self.liked, self.by_liked),
        ):
            mine = np.where(mask, given, 0)
            place[some] = best = mine.argmax(axis=1)
            most[some] = mine[np.arange(len(mine)), best]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score, in steps; ``kind`` is an evidence kind, or what else counted."""

    kind: str
    label: str
    steps: float


@dataclass(frozen=True, slots=True)
class Split:
    """A score taken apart: the steps of ``parts`` add up to ``steps``, which make ``score``."""

    parts: tuple[Part, ...]
    steps: float
    score: float


def shares(topic: TopicProfile, candidates: Candidates, papers: NDArray[np.int64]) -> Vectors:
    """(m, p) what each piece of a topic's evidence gives each paper, in steps."""
    evidence = topic.evidence
    if evidence is None or not len(evidence.rows):
        return np.zeros((0, len(papers)), np.float32)
    d = len(candidates.ridge)
    rows, vectors = evidence.pool[evidence.rows], candidates.vectors[papers]
    content = vectors[:, :d]
    mixed = content * (evidence.mix[0] + evidence.mix[1] * candidates.ridge)
    found = evidence.content[:, None] * (rows[:, :d] @ mixed.T)
    if rows.shape[1] > d:
        found += evidence.factors[:, None] * (rows[:, d:] @ vectors[:, d:].T)
    return np.asarray(found / topic.scale, np.float32)


def split(
    candidates: Candidates, profile: SubscriberProfile, topic: TopicProfile, paper: int
) -> Split:
    """The score of candidate ``paper`` in one topic, taken apart, largest parts first."""
    raw = float(candidates.vectors[paper] @ topic.vector) / topic.scale
    given = shares(topic, candidates, np.array([paper]))[:, 0]
    labels = [] if topic.evidence is None else list(topic.evidence.labels)
    kinds = [] if topic.evidence is None else [KINDS[code] for code in topic.evidence.kinds]
    parts = [
        Part(kind, label, float(share))
        for kind, label, share in zip(kinds, labels, given, strict=True)
    ]
    others = [
        Part("ordinary", "what an ordinary paper scores", -topic.offset / topic.scale),
        Part("rest", "everything else you told", raw - float(given.sum())),
        Part(
            "popularity",
            f"{int(candidates.upvotes[paper])} upvotes",
            profile.popularity / 100 * POPULARITY * float(popularity(candidates)[paper]),
        ),
        Part(
            "followed",
            "authors and categories you follow",
            float(follows(topic, Matches(candidates))[paper]),
        ),
    ]
    parts += [part for part in others if abs(part.steps) > 1e-6]
    parts.sort(key=lambda part: -abs(part.steps))
    total = sum(part.steps for part in parts)
    return Split(tuple(parts), total, float(points(total)))


def strongest(
    topics: Sequence[TopicProfile],
    candidates: Candidates,
    homes: NDArray[np.int64],
    papers: NDArray[np.int64],
    products: Products,
) -> Reasons:
    """For K picks, each a paper in the topic ``homes`` of ``topics``: what spoke for it most."""
    found = Reasons(*(np.zeros(len(papers), kind) for kind in (np.int64, "f4", np.int64, "f4")))
    by_pool: dict[int, list[int]] = defaultdict(list)
    for place, topic in enumerate(topics):
        if topic.evidence is not None:
            by_pool[id(topic.evidence.pool)].append(place)
    for places in by_pool.values():
        pool = topics[places[0]].evidence.pool  # type: ignore[union-attr]  # checked above
        # All products of the pool and the candidates, where the pool serves many topics; else
        # each topic's own few: 60 µs of calls against 12 µs a row of the pool.
        if len(pool) <= SHARED_POOL * len(places):
            parts = _shared(topics, places, products.of(pool), homes=homes, papers=papers)
        else:
            parts = _alone(topics, places, candidates, homes=homes, papers=papers)
        for some, given, kinds in parts:
            found.put(some, given, kinds)
    return found


Given = Iterator[tuple[NDArray[np.int64], Vectors, NDArray[np.int8]]]


def _alone(
    topics: Sequence[TopicProfile],
    places: Sequence[int],
    candidates: Candidates,
    *,
    homes: NDArray[np.int64],
    papers: NDArray[np.int64],
) -> Given:
    """What each piece gave each pick (k, m), a topic at a time."""
    order = np.argsort(homes, kind="stable")
    edges = np.searchsorted(homes[order], places)
    ends = np.searchsorted(homes[order], places, side="right")
    for place, start, end in zip(places, edges.tolist(), ends.tolist(), strict=True):
        some = order[start:end]
        evidence = topics[place].evidence
        if len(some) and evidence is not None:
            yield some, shares(topics[place], candidates, papers[some]).T, evidence.kinds


def _shared(
    topics: Sequence[TopicProfile],
    places: Sequence[int],
    products: Vectors,
    *,
    homes: NDArray[np.int64],
    papers: NDArray[np.int64],
) -> Given:
    """The same, a paper at a time, by all products of the pool with the candidates.

    A paper's products with the pool, 60 KB for 5,000 pieces, stay in the processor's cache.
    """
    evidence = [one for place in places if (one := topics[place].evidence) is not None]
    # Topics have different numbers of pieces: rectangles, filled up with weights of zero.
    counts = np.zeros(len(topics), np.int64)
    counts[list(places)] = [len(one.rows) for one in evidence]
    filled = np.arange(counts.max()) < counts[:, None]
    rows, kinds = np.zeros(filled.shape, np.int64), np.full(filled.shape, LIKED, np.int8)
    rows[filled] = np.concatenate([one.rows for one in evidence])
    kinds[filled] = np.concatenate([one.kinds for one in evidence])
    scales = np.repeat([1 / topics[place].scale for place in places], counts[list(places)])
    content = np.concatenate([one.content for one in evidence]) * scales
    mix = np.repeat(np.array([one.mix for one in evidence]), counts[list(places)], axis=0)
    weights = np.zeros((*filled.shape, 3), np.float32)
    weights[filled, :2] = content[:, None] * mix
    if len(others := np.concatenate([one.factors for one in evidence])):
        weights[filled, 2] = others * scales
    mine = np.zeros(len(topics), bool)
    mine[list(places)] = True
    order = np.argsort(papers, kind="stable")
    order = order[mine[homes[order]]]
    if not len(order):
        return  # none of these topics has a pick
    edges = np.flatnonzero(np.diff(papers[order], prepend=-1))
    for some in np.split(order, edges[1:]) if len(order) else ():
        home = homes[some]
        found = products[papers[some[0]]][rows[home]]
        found *= weights[home]
        yield some, found[:, :, 0] + found[:, :, 1] + found[:, :, 2], kinds[home]


def sentence(
    topic: TopicProfile, candidates: Candidates, paper: int, reason: tuple[int, int]
) -> str:
    """One plain sentence: the stated and the liked piece of evidence that gave most."""
    if topic.followed_authors and (followed := _followed(topic, candidates, paper)):
        return followed
    stated, liked = reason
    evidence = topic.evidence
    if evidence is None or (stated < 0 and liked < 0):
        return _followed(topic, candidates, paper) or f"Close to your topic {short(topic.name)}."
    if stated >= 0:
        label = evidence.labels[stated]
        # A keyword reads as a subject, a sentence of the subscriber's own as a quotation.
        is_subject = len(label.split()) <= LONGEST_SUBJECT
        follows = f"you follow {label}" if is_subject else f"you wrote “{label}”"
    if liked < 0:
        return f"Because {follows}."
    verb, title = _VERBS[evidence.kinds[liked]], evidence.labels[liked]
    if stated < 0:
        return f"Because you {verb} “{title}”."
    return f"Because {follows} and {verb} “{title}”."


def _followed(topic: TopicProfile, candidates: Candidates, paper: int) -> str:
    for name in candidates.authors[paper]:
        if name.casefold() in topic.followed_authors:
            return f"Because you follow the author {short(name)}."
    for name in candidates.categories[paper]:
        if name.casefold() in topic.followed_categories:
            return f"Because you follow the category {short(name)}."
    return ""


def trending(upvotes: int) -> str:
    """The explanation for a subscriber of whom nothing is known yet."""
    said = f"Trending with {upvotes} upvotes" if upvotes > 1 else "New"
    return f"{said}; mark papers as relevant and this digest becomes yours."


def outside(explanation: str) -> str:
    """The explanation of an unusual pick."""
    nearest = explanation.replace("Because ", "What speaks for it: ", 1)
    return f"Outside your usual: we are not sure of this one. {nearest}"


def short(text: str) -> str:
    """``text`` in one line, cut at a word where it is long."""
    return shortened(" ".join(text.split()), LONGEST_LABEL)


def sentences(abstract: str) -> tuple[str, ...]:
    """The sentences of an abstract, verbatim."""
    return tuple(part.strip() for part in _SENTENCE_END.split(abstract) if part.strip())


def highlights(texts: Sequence[str], vectors: Vectors, readers: Vectors) -> NDArray[np.int64]:
    """For each reader (r, d) the one or two sentences (s, d) that matter most to them.

    (r, 2) places in the order of the text; -1 where there is nothing to choose from.
    """
    chosen = np.full((len(readers), 2), -1)
    if len(texts) < FEWEST_SENTENCES:
        return chosen
    scores = readers @ vectors.T
    first = scores.argmax(axis=1)
    everyone = np.arange(len(readers))
    most = scores[everyone, first]
    chosen[:, 0] = np.where(most > 0, first, -1)
    if len(texts) >= SENTENCES_FOR_TWO:
        scores[everyone, first] = -np.inf
        second = scores.argmax(axis=1)
        both = (most > 0) & (scores[everyone, second] >= NEARLY * most)
        chosen[both, 0] = np.minimum(first, second)[both]
        chosen[both, 1] = np.maximum(first, second)[both]
    return chosen
