"""Evidence to a topic's vector: sums over likes, dislikes and stated texts, combined. Pure.

A vector has three parts, each scaled to the same spread over ordinary papers: the centroid of
the evidence; the ridge direction, which a shared matrix (diagonal here, see features.py) makes
of the centroid and which counts more as likes grow; and the factors of what others liked. All
are sums over the evidence, so one more like is one more summand, and any score is a sum of
shares of the evidence.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from newsletter.ranking.collaborative import Collaboration
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.feature_space import FeatureSpace

Part = Literal["likes", "dislikes", "texts"]
# Stated texts together count as this many likes: weight 3 / (3 + n).
TEXT_LIKES = 3.0
DISLIKE = 0.25  # at full weight dislikes wreck a ranking (AUC .84 → .39), up to this they help
RIDGE = 30.0
RIDGE_LIKES = 10.0  # likes at which the ridge direction has half its weight
COLLABORATION = 2.5  # relative to the content's two parts together; 1.5 to 3 differ by .003


@dataclass(frozen=True)
class Basis:
    """What all topics share: a feature space and, where it helps, what others liked."""

    space: FeatureSpace
    collaboration: Collaboration | None = None

    @property
    def dimensions(self) -> int:
        """Of a whole vector: content, then factors."""
        return int(self.background.shape[1])

    @cached_property
    def background(self) -> Vectors:
        """(k, D) some papers as candidates: what ordinary ones look like."""
        return self.extend(self.space.background)

    def extend(self, content: Vectors) -> Vectors:
        """(n, D) candidates from their content (n, d): the factors are predicted from it."""
        if self.collaboration is None:
            return content
        return np.hstack([content, self.collaboration.factors(content)])

    def as_evidence(self, content: Vectors, paper_ids: NDArray[np.int64] | None = None) -> Vectors:
        """(n, D) what liking these papers adds, or, without ids, stating texts like these."""
        if self.collaboration is None:
            return content
        return np.hstack([content, self.collaboration.likes_of(content, paper_ids)])


@dataclass(frozen=True)
class Sums:
    """Evidence of T topics added up: (T, D) each, and the weights (T,) that went in."""

    likes: Vectors
    dislikes: Vectors
    texts: Vectors
    like_weight: Vectors
    dislike_weight: Vectors

    def plus(self, part: Part, vector: Vectors, weight: float = 1.0) -> "Sums":
        """With one more piece of evidence for every topic here: two additions."""
        if part == "texts":
            return replace(self, texts=self.texts + weight * vector)
        if part == "likes":
            return replace(
                self,
                likes=self.likes + weight * vector,
                like_weight=self.like_weight + np.float32(weight),
            )
        return replace(
            self,
            dislikes=self.dislikes + weight * vector,
            dislike_weight=self.dislike_weight + np.float32(weight),
        )

    def plus_likes(self, weights: csr_matrix, papers: Vectors) -> "Sums":
        """With likes of ``papers`` (n, D) at ``weights`` (T, n)."""
        return replace(
            self,
            likes=self.likes + np.asarray(weights @ papers, np.float32),
            like_weight=self.like_weight + np.asarray(weights.sum(axis=1), np.float32).ravel(),
        )

    def faded(self, factor: Vectors) -> "Sums":
        """With what was learned so far counting ``factor`` (T,) as much; texts do not fade."""
        return replace(
            self,
            likes=self.likes * factor[:, None],
            dislikes=self.dislikes * factor[:, None],
            like_weight=self.like_weight * factor,
            dislike_weight=self.dislike_weight * factor,
        )


def nothing(topics: int, dimensions: int) -> Sums:
    """No evidence yet."""
    empty = np.zeros((topics, dimensions), np.float32)
    return Sums(empty, empty, empty, np.zeros(topics, np.float32), np.zeros(topics, np.float32))


@dataclass(frozen=True)
class Learned:
    """T topics' vectors (T, D) and what split their scores: see `shares`.

    ``content`` (T, 2) multiplies evidence's dot product with a paper, and with the paper after
    the ridge; ``factors`` (T,) that of the factors. ``content_of`` and ``factors_of`` are what
    likes, dislikes and texts are multiplied with before, (T,) each.
    """

    vectors: Vectors
    content: Vectors
    factors: Vectors
    content_of: dict[Part, Vectors]
    factors_of: dict[Part, Vectors]


def combine(basis: Basis, sums: Sums) -> Learned:
    """The vectors that the evidence adds up to; topics without any get a zero row."""
    d, space = basis.space.dimensions, basis.space
    stated = sums.texts.any(axis=1)
    share = np.where(stated, TEXT_LIKES / (TEXT_LIKES + sums.like_weight), 0).astype(np.float32)
    sure = (sums.dislike_weight / (TEXT_LIKES + sums.dislike_weight)).astype(np.float32)

    def mixed(block: slice) -> tuple[Vectors, dict[Part, Vectors]]:
        likes, dislikes, texts = sums.likes[:, block], sums.dislikes[:, block], sums.texts[:, block]
        of: dict[Part, Vectors] = {
            "likes": (1 - share) / _length(likes),
            "texts": share / _length(texts),
            "dislikes": np.float32(-DISLIKE) * sure / _length(dislikes),
        }
        rows = of["likes"][:, None] * likes
        rows += of["texts"][:, None] * texts
        rows += of["dislikes"][:, None] * dislikes
        return rows, of

    growth = sums.like_weight / (RIDGE_LIKES + sums.like_weight)
    centroid, content_of = mixed(slice(0, d))
    spread = (space.spectrum / max(1, space.papers)).astype(np.float32)
    straightened = centroid * ridge_of(space)
    content = np.stack(
        [1 / _deviation(centroid, spread), growth / _deviation(straightened, spread)], axis=1
    ).astype(np.float32)
    vectors = content[:, :1] * centroid + content[:, 1:] * straightened
    if basis.collaboration is None:
        return Learned(vectors, content, np.zeros_like(growth), content_of, {})
    factors, factors_of = mixed(slice(d, None))
    strength = COLLABORATION * basis.collaboration.weight * (1 + growth)
    scale = (strength / _deviation(factors, basis.collaboration.variance)).astype(np.float32)
    vectors = np.hstack([vectors, scale[:, None] * factors])
    return Learned(vectors, content, scale, content_of, factors_of)


def calibrate(basis: Basis, vectors: Vectors) -> tuple[Vectors, Vectors]:
    """(T,) each: mean and deviation of the raw scores of ordinary papers."""
    if not len(basis.background):
        return np.zeros(len(vectors), np.float32), np.ones(len(vectors), np.float32)
    scores = vectors @ basis.background.T
    deviation = scores.std(axis=1)
    return scores.mean(axis=1), np.where(deviation > 1e-9, deviation, 1).astype(np.float32)


def ridge_of(space: FeatureSpace) -> Vectors:
    """(d,) what the ridge regression's shared matrix multiplies each coordinate with.

    (XᵀX + λI)⁻¹ λ, diagonal in the papers' principal axes (Hoerl & Kennard 1970).
    """
    return (RIDGE / (space.spectrum + RIDGE)).astype(np.float32)


def _length(rows: Vectors) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1)
    return np.where(lengths > 0, lengths, 1).astype(np.float32)


def _deviation(rows: Vectors, variance: Vectors) -> Vectors:
    """Standard deviation of each row's scores over ordinary papers; 1 for a row of zeros."""
    found = np.sqrt((rows * rows) @ variance)
    return np.where(found > 1e-12, found, 1).astype(np.float32)
