"""Pieces of evidence of many topics over one pool, added up or split for explanations. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from newsletter.ranking.candidates import Evidence, EvidenceMatrix
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.topic_vectors import Learned, Part, Sums

PARTS: tuple[Part, ...] = ("likes", "dislikes", "texts")


class Piece(NamedTuple):
    """One stated interest or signal of a topic; readers who told the same share one."""

    kind: int  # a place in `KINDS`
    label: str  # short
    part: int  # a place in `PARTS`
    row: int  # of the pool
    weight: float
    kept: float  # of what it gives, after "less of this"


@dataclass(frozen=True, slots=True)
class Gathered:
    """Pieces of evidence of some topics, by topic id, over one pool."""

    pool: EvidenceMatrix
    pieces: dict[int, list[Piece]]

    def sums(self, topic_ids: Sequence[int]) -> Sums:
        """What the pieces of these topics add up to, in their order."""
        found: list[csr_matrix] = []
        for part in range(len(PARTS)):
            several = [
                (index, piece.row, piece.weight)
                for index, topic in enumerate(topic_ids)
                for piece in self.pieces[topic]
                if piece.part == part
            ]
            places, rows, weights = zip(*several, strict=True) if several else ((), (), ())
            shape = (len(topic_ids), len(self.pool.keys))
            found.append(csr_matrix((np.array(weights, np.float32), (places, rows)), shape))
        likes, dislikes, texts = (
            np.asarray(weighed @ self.pool.vectors, np.float32) for weighed in found
        )
        weight, against = (
            np.asarray(weighed.sum(axis=1), np.float32).ravel() for weighed in found[:2]
        )
        return Sums(likes, dislikes, texts, weight, against)

    def split(
        self, topic_ids: Sequence[int], learned: Learned, ridge: Vectors
    ) -> tuple[Vectors, list[Evidence | None]]:
        """The topics' vectors (T, D) after "less of this", and for explanations their pieces.

        ``learned`` has a row for each topic. What "less of this" takes is so much of what the
        pieces gave, and taken after all was scaled, so that a score falls by what the explanation
        showed, and the rest stays as it is.
        """
        several = [self.pieces[topic_id] for topic_id in topic_ids]
        pieces = [piece for mine in several for piece in mine]
        if not pieces:
            return learned.vectors, [None] * len(topic_ids)
        kinds, labels, parts, rows, weights, keeps = zip(*pieces, strict=True)
        topic_of = np.repeat(np.arange(len(several)), [len(mine) for mine in several])
        given = _Given(np.array(parts), topic_of, np.array(weights, np.float32))
        content = given.by(learned.content_of)
        factors = given.by(learned.factors_of)
        if len(factors):
            factors *= learned.factors[topic_of]
        kept, places = np.array(keeps, np.float32), np.array(rows, np.int64)
        vectors = learned.vectors
        edges = np.searchsorted(topic_of, np.arange(len(several) + 1)).tolist()
        if (kept < 1).any():
            vectors = vectors.copy()
            less, d = (1 - np.array(keeps)).astype(np.float32), len(ridge)
            for index in np.unique(topic_of[kept < 1]).tolist():
                some = np.arange(*edges[index : index + 2])
                some = some[kept[some] < 1]
                those = self.pool.vectors[places[some]]
                mix = learned.content[index, 0] + learned.content[index, 1] * ridge
                vectors[index, :d] -= ((less[some] * content[some]) @ those[:, :d]) * mix
                if len(factors):
                    vectors[index, d:] -= (less[some] * factors[some]) @ those[:, d:]
        content, codes = kept * content, np.array(kinds, np.int8)
        factors = kept * factors if len(factors) else factors
        return vectors, [
            Evidence(
                codes[start:end],
                labels[start:end],
                self.pool,
                places[start:end],
                content[start:end],
                factors[start:end],
                (mix[0], mix[1]),
            )
            if start < end
            else None
            for (start, end), mix in zip(pairwise(edges), learned.content.tolist(), strict=True)
        ]


class _Given(NamedTuple):
    """Parts, topics and weights of pieces, (m,) each."""

    parts: NDArray[np.int64]
    topics: NDArray[np.int64]
    weights: Vectors

    def by(self, factor_of: Mapping[Part, Vectors]) -> Vectors:
        """What each piece's products are multiplied with; nothing where nothing is known."""
        if not factor_of:
            return np.zeros(0, np.float32)
        return self.weights * np.stack([factor_of[part] for part in PARTS])[self.parts, self.topics]
