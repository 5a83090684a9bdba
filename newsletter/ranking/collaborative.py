"""What other subscribers liked, as an extra block of every vector. Pure.

Two papers belong together as often as the same subscribers liked both. The principal axes of this
likeness are the papers' factors. Kernel ridge regresses them on content, so that a paper nobody has
seen yet has factors too. The kernel compares papers by what tells which ones are liked together: a
linear regression of the factors on content says which directions these are. A subscriber is a sum
over liked papers as before, and the score stays one dot product.
"""

import io
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix, diags

from newsletter.ranking.encoders import Vectors, unit

# All of these were chosen on citeulike-a's known papers, every fifth held out as new; recall@100
# stands beside the alternatives that were tried, with the content's score added (by itself: .597).
# Factors of the likes instead (singular vectors of subscribers x papers): .662, item weights as in
# EASE (Steck 2019): .660, how often papers were liked together: .669, with the metric: .682.
FACTORS = 384  # 200: .673, 800: .680
# How much a long library and a popular paper count less; 1: .680, and .4 and .6 for papers: .680.
SUBSCRIBER_POWER, PAPER_POWER = 0.75, 0.5
ITERATIONS = 5
METRIC_RIDGE = 10.0  # 30: the same
DIRECTIONS = 256  # of the metric; 128: the same
LANDMARKS = 10_000  # papers, those liked most; all 8,695: .681, 4,000 of them at random: .675
# With 3,000 landmarks, where these have .674:
WIDTH = 0.33  # of the kernel exp((cos - 1) / width); .2: .667, .5: .674
RIDGE = 0.4  # .3: .675, .7: .674, 1.5: .671
# Fewer libraries than this hold no neighbours worth asking, so the check is not even made.
FEWEST_SUBSCRIBERS = 50


@dataclass(frozen=True)
class Collaboration:
    """Fitted factors. ``weight`` is how much they count, found by `training.train`'s check.

    ``metric`` (d, g) turns content to what the kernel compares; ``landmarks`` (m, g), papers turned
    so, and ``coefficients`` (m, f) give any paper's factors, with
    ``like_coefficients`` (m, f) what liking it would say about a subscriber; ``likes`` (k, f)
    is what liking each of ``paper_ids``, ascending, was found to say. ``variance`` (f,) is that
    of the papers' factors, whose coordinates are uncorrelated.
    """

    metric: Vectors
    landmarks: Vectors
    coefficients: Vectors
    like_coefficients: Vectors
    paper_ids: NDArray[np.int64]
    likes: Vectors
    variance: Vectors
    weight: float

    def factors(self, vectors: Vectors) -> Vectors:
        """(n, f) factors of papers by their content (n, d); a zero row has none."""
        return self._predict(vectors, self.coefficients)

    def likes_of(self, vectors: Vectors, paper_ids: NDArray[np.int64] | None = None) -> Vectors:
        """(n, f) what liking papers, or stating texts, with this content says.

        Known for ``paper_ids`` that somebody liked, predicted from content for the rest: new
        papers, and texts (recall@100 of five keywords alone: .379 without, .425 with).
        """
        if paper_ids is None or not len(paper_ids):
            return self._predict(vectors, self.like_coefficients)
        index = np.minimum(np.searchsorted(self.paper_ids, paper_ids), len(self.paper_ids) - 1)
        known = self.paper_ids[index] == paper_ids
        found = np.empty((len(vectors), self.likes.shape[1]), np.float32)
        found[known] = self.likes[index[known]]
        found[~known] = self._predict(vectors[~known], self.like_coefficients)
        return found

    def _predict(self, vectors: Vectors, coefficients: Vectors) -> Vectors:
        found = _kernel(unit(vectors @ self.metric), self.landmarks) @ coefficients
        found[~vectors.any(axis=1)] = 0
        return found.astype(np.float32)

    def weighing(self, weight: float) -> "Collaboration":
        """The same, counting ``weight``."""
        return replace(self, weight=weight)

    def dump(self) -> bytes:
        """As npz bytes without pickle; `load` reads them."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            metric=self.metric.astype(np.float16),
            landmarks=self.landmarks.astype(np.float16),
            coefficients=self.coefficients.astype(np.float16),
            like_coefficients=self.like_coefficients.astype(np.float16),
            paper_ids=self.paper_ids,
            likes=self.likes.astype(np.float16),
            variance=self.variance,
            weight=np.array(self.weight),
        )
        return buffer.getvalue()


def load(data: bytes) -> Collaboration:
    """What `Collaboration.dump` wrote; before there was a metric, content was compared as it is."""
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        landmarks = stored["landmarks"].astype(np.float32)
        as_it_is = np.eye(landmarks.shape[1], dtype=np.float32)
        return Collaboration(
            stored["metric"].astype(np.float32) if "metric" in stored else as_it_is,
            landmarks,
            stored["coefficients"].astype(np.float32),
            stored["like_coefficients"].astype(np.float32),
            stored["paper_ids"],
            stored["likes"].astype(np.float32),
            stored["variance"],
            float(stored["weight"]),
        )


def fit(
    vectors: Vectors, likes: csr_matrix, paper_ids: NDArray[np.int64], weight: float = 1.0
) -> Collaboration:
    """Factors from ``likes`` (subscribers, papers) of papers with content ``vectors``.

    ``paper_ids``, ascending, names the columns. Deterministic.
    """
    strength, axes = _together(likes)
    factors = axes * strength
    metric = _metric(vectors, factors)
    a_paper = np.asarray(likes.sum(axis=0)).ravel()
    some = np.sort(np.argsort(-a_paper, kind="stable")[:LANDMARKS])
    landmarks = _half(unit(vectors[some] @ metric))
    kernel = _kernel(landmarks, landmarks)
    kernel[np.diag_indices_from(kernel)] += RIDGE
    # Transposed, it is what the solver can overwrite: 400 MB for 10,000 papers are there once.
    factor = cho_factor(kernel.T, lower=True, overwrite_a=True, check_finite=False)
    coefficients, like_coefficients = (
        cho_solve(factor, wanted[some], check_finite=False) for wanted in (factors, axes)
    )
    # Turned to uncorrelated coordinates: then the variance of a score is a sum of f products.
    fitted = factors[some] - RIDGE * coefficients
    variance, turn = np.linalg.eigh(np.cov(fitted, rowvar=False).reshape(2 * (len(strength),)))
    liked = np.flatnonzero(a_paper)
    return Collaboration(
        metric,
        landmarks,
        _half(coefficients @ turn),
        _half(like_coefficients @ turn),
        np.asarray(paper_ids, np.int64)[liked],
        _half(axes[liked] @ turn),
        np.maximum(variance, 0).astype(np.float32),
        weight,
    )


def _together(likes: csr_matrix) -> tuple[Vectors, Vectors]:
    """Principal axes (papers, f) of how often papers were liked together, and their values (f,).

    A paper is not together with itself: its factors say what its readers liked besides, as they
    do for a new paper. By block power iteration (Halko, Martinsson & Tropp 2011), since the
    matrix (papers, papers) would not fit into memory.
    """
    a_subscriber = np.maximum(np.asarray(likes.sum(axis=1)).ravel(), 1)
    a_paper = np.maximum(np.asarray(likes.sum(axis=0)).ravel(), 1)
    weighed = diags(a_subscriber ** (-SUBSCRIBER_POWER / 2)) @ likes @ diags(a_paper**-PAPER_POWER)
    weighed = csr_matrix(weighed, dtype=np.float32)
    itself = np.asarray(weighed.multiply(weighed).sum(axis=0), np.float32).reshape(-1, 1)

    def times(block: Vectors) -> Vectors:
        return np.asarray(weighed.T @ (weighed @ block) - itself * block, np.float32)

    rank = min(FACTORS, min(likes.shape) - 1)
    columns = min(rank + 10, likes.shape[1])
    start = np.random.default_rng(0).standard_normal((likes.shape[1], columns))
    block = start.astype(np.float32)
    for _ in range(ITERATIONS):
        block = np.linalg.qr(times(block))[0]
    values, turn = np.linalg.eigh(block.T @ times(block))
    first = np.argsort(-np.abs(values), kind="stable")[:rank]
    return values[first].astype(np.float32), (block @ turn[:, first]).astype(np.float32)


def _metric(vectors: Vectors, factors: Vectors) -> Vectors:
    """(d, g) directions of content by how much of the factors each tells."""
    gram = vectors.T @ vectors + METRIC_RIDGE * np.eye(vectors.shape[1], dtype=np.float32)
    axes, told, _ = np.linalg.svd(np.linalg.solve(gram, vectors.T @ factors), full_matrices=False)
    return _half(axes[:, :DIRECTIONS] * np.sqrt(told[:DIRECTIONS] / (told[0] or 1)))


def _half(numbers: Vectors) -> Vectors:
    """As they are stored, so that what is fitted and what is loaded give the same factors."""
    return np.asarray(numbers, np.float16).astype(np.float32)


def _kernel(vectors: Vectors, landmarks: Vectors) -> Vectors:
    found = vectors @ landmarks.T
    found -= 1
    found /= WIDTH
    return np.asarray(np.exp(found, out=found))
