"""The share of each piece of a topic's evidence in each pick's score, for many topics. Pure.

A share is three products of the piece with the paper, weighed. Subscribers like the same few
thousand papers: their products with a day's candidates are made once and looked up; what does
not fit is multiplied for the picks alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from newsletter.ranking.candidates import (
    LIKED,
    STATED,
    Candidates,
    Evidence,
    EvidenceMatrix,
    TopicProfile,
)
from newsletter.ranking.encoders import Vectors

# A sentence names at most one stated interest and one paper; a second one only if it gave at
# least this share of what the first did.
WORTH_NAMING = 0.3
# Numbers kept, 160 MB: 26,000 pieces × 500 candidates × 3 products. Making a piece's products
# takes 26 µs and saves 1.5 µs each time it is looked up.
KEPT = 40_000_000
# Topics whose pieces lie side by side: 4 × 20 pieces × 1,408 numbers stay in the cache.
TOGETHER = 4

Number = TypeVar("Number", np.float32, np.int64)
_Known = tuple[int, Evidence, float]  # a topic's place, evidence and scale


@dataclass(frozen=True, slots=True)
class Reasons:
    """Of K picks: places of the stated and of the liked piece worth naming, -1 where none is.

    ``nearest`` is the liked piece that gave most, worth naming beside a stated one or not.
    """

    stated: NDArray[np.int64]
    liked: NDArray[np.int64]
    nearest: NDArray[np.int64]


@dataclass
class ProductCache:
    """Products of evidence with all candidates, kept as long as there is room."""

    candidates: Candidates
    _rows: dict[int | str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        most = KEPT // (3 * max(1, len(self.candidates)))
        d = len(self.candidates.ridge)
        self._kinds = 3 if self.candidates.vectors.shape[1] > d else 2
        # Memory that nobody has written to takes no room.
        self.found = np.empty((most, len(self.candidates), self._kinds), np.float32)

    def rows(self, pool: EvidenceMatrix) -> NDArray[np.int64] | None:
        """Where the pool's pieces stand in ``found``; None when they do not all fit in."""
        missing = [index for index, key in enumerate(pool.keys) if key not in self._rows]
        start, end = len(self._rows), len(self._rows) + len(missing)
        if end > len(self.found):
            return None
        if missing:
            pieces, d = pool.vectors[missing], len(self.candidates.ridge)
            content = self.candidates.content
            self.found[start:end, :, 0] = pieces[:, :d] @ content.T
            self.found[start:end, :, 1] = pieces[:, :d] @ (content * self.candidates.ridge).T
            if self._kinds == 3:
                others = self.candidates.vectors[:, d:]
                self.found[start:end, :, 2] = pieces[:, d:] @ others.T
            self._rows |= {pool.keys[index]: start + n for n, index in enumerate(missing)}
        return np.array([self._rows[key] for key in pool.keys], np.int64)


def strongest(
    topics: Sequence[TopicProfile],
    products: ProductCache,
    homes: NDArray[np.int64],
    papers: NDArray[np.int64],
) -> Reasons:
    """For K picks, each a paper in the topic ``homes`` of ``topics``: what spoke for it most."""
    # Topics have different numbers of picks: a rectangle, filled up with the first paper.
    order = np.argsort(homes, kind="stable")
    counts = np.bincount(homes, minlength=len(topics))
    slot = np.empty(len(homes), np.int64)
    slot[order] = np.arange(len(homes)) - np.repeat(np.cumsum(counts) - counts, counts)
    asked = np.zeros((len(topics), int(counts.max(initial=0))), np.int64)
    asked[homes, slot] = papers
    given = given_by(topics, products.candidates, asked, products).transpose(0, 2, 1)[homes, slot]
    if not given.shape[1]:
        nothing = np.full(len(homes), -1)
        return Reasons(nothing, nothing, nothing)
    kinds = np.full((len(topics), given.shape[1]), LIKED, np.int8)
    for index, topic in enumerate(topics):
        if topic.evidence is not None:
            kinds[index, : len(topic.evidence.kinds)] = topic.evidence.kinds
    mine = kinds[homes]
    stated, by_stated = _greatest(np.where(mine < STATED, given, 0))
    liked, by_liked = _greatest(np.where((mine >= STATED) & (mine < LIKED), given, 0))
    name_stated = (by_stated > 0) & (by_stated >= WORTH_NAMING * by_liked)
    name_liked = (by_liked > 0) & (by_liked >= WORTH_NAMING * by_stated)
    return Reasons(
        np.where(name_stated, stated, -1),
        np.where(name_liked, liked, -1),
        np.where(by_liked > 0, liked, -1),
    )


def _greatest(given: Vectors) -> tuple[NDArray[np.int64], Vectors]:
    best = given.argmax(axis=1)
    return best, given[np.arange(len(given)), best]


def given_by(
    topics: Sequence[TopicProfile],
    candidates: Candidates,
    papers: NDArray[np.int64],
    products: ProductCache | None = None,
) -> Vectors:
    """(T, m, p) what each piece of T topics' evidence gives each of its papers (T, p), in steps.

    m is the most pieces that a topic has; of topics with fewer the rest is 0.
    """
    known: list[_Known] = [
        (index, topic.evidence, topic.scale)
        for index, topic in enumerate(topics)
        if topic.evidence is not None and len(topic.evidence.rows)
    ]
    most = max((len(evidence.rows) for _, evidence, _ in known), default=0)
    found = np.zeros((len(topics), most, papers.shape[1]), np.float32)
    pools = {id(evidence.pool): evidence.pool for _, evidence, _ in known}
    for key, pool in pools.items():
        mine = [one for one in known if id(one[1].pool) == key]
        places = [index for index, _, _ in mine]
        rows = None if products is None else products.rows(pool)
        if products is None or rows is None:
            found[places] = _multiplied(mine, candidates, papers[places], most)
        else:
            found[places] = _looked_up(mine, products.found, rows, papers[places], most)
    return found


def _looked_up(
    known: Sequence[_Known],
    products: Vectors,
    rows: NDArray[np.int64],
    papers: NDArray[np.int64],
    most: int,
) -> Vectors:
    """Shares of topics (T, most, p) by products (rows, n, 2 or 3) that are known already."""
    pieces = _filled_up([rows[evidence.rows] for _, evidence, _ in known], most, np.int64)
    weights = np.zeros((*pieces.shape, products.shape[2]), np.float32)
    content = _filled_up([evidence.content for _, evidence, _ in known], most, np.float32)
    mix = np.array([evidence.mix for _, evidence, _ in known], np.float32)
    weights[:, :, :2] = content[:, :, None] * mix[:, None]
    if products.shape[2] == 3:
        others = [evidence.factors for _, evidence, _ in known]
        weights[:, :, 2] = _filled_up(others, most, np.float32)
    weights /= np.array([scale for _, _, scale in known], np.float32)[:, None, None]
    cells = pieces[:, :, None] * products.shape[1] + papers[:, None, :]
    found = products.reshape(-1, products.shape[2]).take(cells, axis=0, mode="clip")
    return np.asarray(np.einsum("tmpk,tmk->tmp", found, weights))


def _multiplied(
    known: Sequence[_Known], candidates: Candidates, papers: NDArray[np.int64], most: int
) -> Vectors:
    """The same by products of each topic's pieces with its papers, and no more than these."""
    found = np.empty((len(known), most, papers.shape[1]), np.float32)
    d, whole = len(candidates.ridge), candidates.vectors.shape[1]
    # Filled up with what was there before, which weighs nothing: it only has to be a number.
    pieces = np.zeros((TOGETHER, most, whole), np.float32)
    for start in range(0, len(known), TOGETHER):
        some = known[start : start + TOGETHER]
        evidence = [one for _, one, _ in some]
        for row, one in zip(pieces, evidence, strict=False):
            one.pool.vectors.take(one.rows, axis=0, out=row[: len(one.rows)], mode="clip")
        vectors = candidates.vectors[papers[start : start + TOGETHER]]
        mix = np.array([one.mix for one in evidence], np.float32)
        vectors[:, :, :d] *= (mix[:, :1] + mix[:, 1:] * candidates.ridge)[:, None]
        mine = pieces[: len(some)]
        given = mine[:, :, :d] @ vectors[:, :, :d].transpose(0, 2, 1)
        given *= _filled_up([one.content for one in evidence], most, np.float32)[:, :, None]
        if whole > d:
            others = mine[:, :, d:] @ vectors[:, :, d:].transpose(0, 2, 1)
            others *= _filled_up([one.factors for one in evidence], most, np.float32)[:, :, None]
            given += others
        given /= np.array([scale for _, _, scale in some], np.float32)[:, None, None]
        found[start : start + TOGETHER] = given
    return found


def _filled_up(rows: Sequence[NDArray[Number]], width: int, kind: type[Number]) -> NDArray[Number]:
    """Rows of different lengths as one rectangle, the rest of each 0."""
    found = np.zeros((len(rows), width), kind)
    for row_slots, row in zip(found, rows, strict=True):
        row_slots[: len(row)] = row
    return found
