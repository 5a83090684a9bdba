"""Why a paper is in a digest: a split of its score, a sentence out of it, and highlights. Pure.

A score is a sum over the topic's evidence, so the split is exact: its parts add up to the
steps that the paper was picked for, and what is not named is one part of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from newsletter.core.language import _, ngettext
from newsletter.core.models import hash_of_value
from newsletter.core.one_line import shortened
from newsletter.core.persons import Fit
from newsletter.ranking.attribution import given_by
from newsletter.ranking.candidates import (
    KINDS,
    Candidates,
    Evidence,
    SubscriberProfile,
    TopicProfile,
)
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.scoring import (
    CITED,
    POPULARITY,
    Matches,
    author_on,
    follow_steps,
    points,
    popularity,
)

LONGEST_LABEL = 70
# In an abstract of three sentences or fewer, bold is no help; of six or more, a second
# sentence is marked when it matters nearly as much as the first.
FEWEST_SENTENCES = 4
SENTENCES_FOR_TWO = 6
NEARLY = 0.85
# The sentence in short says what was found at least so well; below this stand other languages and
# "Code is available". Among those that say it nearly as well as the best, the reader's interests
# decide.
LEAST_WORTH = 0.03
NEARLY_AS_GOOD = 0.9


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score, in steps; ``kind`` is an evidence kind, or what else counted.

    ``key`` names what gave it: a paper's id, a text, an author or a category.
    """

    kind: str
    label: str
    steps: float
    key: int | str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """A score taken apart: the steps of ``parts`` add up to ``steps``, which make ``score``."""

    parts: tuple[Part, ...]
    steps: float
    score: float


def split(
    candidates: Candidates, profile: SubscriberProfile, topic: TopicProfile, paper: int
) -> Split:
    """The score of candidate ``paper`` in one topic, taken apart, largest parts first."""
    raw = float(candidates.vectors[paper] @ topic.vector) / topic.scale
    given = given_by([topic], candidates, np.array([[paper]]))[0, :, 0]
    parts = [] if topic.evidence is None else _given(topic.evidence, given)
    others = [
        Part("ordinary", "what an ordinary paper scores", -topic.offset / topic.scale),
        Part("rest", "everything else you told", raw - float(given.sum())),
        Part(
            "popularity",
            _upvotes(int(candidates.upvotes[paper])),
            profile.popularity / 100 * POPULARITY * float(popularity(candidates)[paper]),
        ),
        *_follows(candidates, topic, paper),
    ]
    parts += [part for part in others if abs(part.steps) > 1e-6]
    parts.sort(key=lambda part: -abs(part.steps))
    total = sum(part.steps for part in parts)
    return Split(tuple(parts), total, float(points(total)))


def _upvotes(count: int) -> str:
    return ngettext("{count} upvote", "{count} upvotes", count)


def _given(evidence: Evidence, given: Vectors) -> list[Part]:
    keys = [evidence.pool.keys[row] for row in evidence.rows.tolist()]
    kinds = [KINDS[code] for code in evidence.kinds.tolist()]
    return [
        Part(kind, label, float(steps), key)
        for kind, label, steps, key in zip(kinds, evidence.labels, given, keys, strict=True)
    ]


def _follows(candidates: Candidates, topic: TopicProfile, paper: int) -> list[Part]:
    """What the followed author and the followed category gave, named by the first that is there."""
    found = Matches(candidates)
    by_author, by_category = follow_steps(topic, found)[:, paper].tolist()
    category = _first_followed(
        candidates.categories[paper], topic.followed_categories, topic.halved
    )
    parts = [Part("category", short(category), by_category, category.casefold())]
    cited = found.cited_by(topic).get(paper)
    if cited is not None and topic.evidence is not None:
        parts.append(Part("cites", topic.evidence.labels[cited], CITED))
    if known := author_on(topic, found, paper):
        followed, named = known
        label = short(followed)
        if named.fit is not Fit.SURE:
            label = _("{author} (possibly {name})", author=label, name=short(named.name))
        parts.append(Part("author", label, by_author, followed.casefold()))
    return parts


def _first_followed(names: Sequence[str], followed: frozenset[str], halved: frozenset[str]) -> str:
    there = [name for name in names if " ".join(name.casefold().split()) in followed]
    return min(there, key=lambda name: name.casefold() in halved, default="")


def weights(evidence: Evidence | None) -> dict[tuple[str, int | str], int]:
    """How much each piece weighs among all of a topic, in percent, by kind and key in the pool."""
    if evidence is None or not len(evidence.rows):
        return {}
    content = np.abs(evidence.content)
    percent = (100 * content / (content.sum() or 1)).round().astype(int).tolist()
    return {
        (KINDS[kind], evidence.pool.keys[row]): share
        for kind, row, share in zip(
            evidence.kinds.tolist(), evidence.rows.tolist(), percent, strict=True
        )
    }


def bar(kind: str, key: int | str, topic_id: int | None) -> str:
    """The name of what was learned from one interest or rating, in addresses (``#keyword-12-…``).

    Topics of different readers differ, so it names no value that a reader typed.
    """
    named = key if isinstance(key, int) else _hash_of(key)
    return f"{kind}-{topic_id or 0}-{named}"


# Many readers state the same.
@lru_cache(maxsize=20_000)
def _hash_of(value: str) -> str:
    return hash_of_value(value)[:8]


@lru_cache(maxsize=10_000)
def short(text: str) -> str:
    """``text`` in one line, cut at a word where it is long."""
    return shortened(" ".join(text.split()), LONGEST_LABEL)


def highlights(scores: Vectors, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The one or two sentences that matter most, by ``scores`` (k, s) of the first ``counts``.

    (k, 2) places in the order of the text; -1 where there is nothing to choose from.
    """
    chosen = np.full((len(scores), 2), -1)
    if not scores.size:
        return chosen
    scores = np.where(np.arange(scores.shape[1]) < counts[:, None], scores, -np.inf)
    everyone = np.arange(len(scores))
    first = scores.argmax(axis=1)
    most = scores[everyone, first]
    there = (most > 0) & (counts >= FEWEST_SENTENCES)
    scores[everyone, first] = -np.inf
    second = scores.argmax(axis=1)
    both = there & (counts >= SENTENCES_FOR_TWO) & (scores[everyone, second] >= NEARLY * most)
    chosen[:, 0] = np.where(there, np.where(both, np.minimum(first, second), first), -1)
    chosen[:, 1] = np.where(both, np.maximum(first, second), -1)
    return chosen


def in_short(scores: Vectors, worth: Vectors) -> NDArray[np.int64]:
    """(k,) the sentence that stands for each paper, or -1 where none says enough.

    Of those that say what was found nearly as well as the best one does, by ``worth`` (k, s), the
    one that matters most to this reader, by ``scores`` (k, s).
    """
    if not worth.size:
        return np.full(len(worth), -1)
    most = worth.max(axis=1, keepdims=True)
    among = worth >= np.maximum(most * NEARLY_AS_GOOD, LEAST_WORTH)
    # Who follows only authors or categories likes no sentence more than another.
    chosen = np.where(among, scores + np.float32(1e-4) * worth, -np.inf).argmax(axis=1)
    return np.where(among.any(axis=1), chosen, -1)
