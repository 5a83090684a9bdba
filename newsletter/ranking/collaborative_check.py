"""Check on held-out feedback whether what others liked helps here. Pure.

Measured elsewhere, it helps from about a thousand subscribers on and hurts below five hundred;
so every training asks again: papers are held out as if they were new, the factors are fitted
without them, and the weight that finds most of the held-out likes is taken, zero included.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from newsletter.ranking import collaborative, topic_vectors
from newsletter.ranking.collaborative import Collaboration
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.feature_space import FeatureSpace

HELD_OUT = 5  # every fifth paper
WEIGHTS = (0.0, 0.3, 1.0)
MOST_SUBSCRIBERS = 2_000  # asked; the answer is a mean, and its error is known
FOUND_IN = 20  # a held-out like counts as found in the first twentieth of the held-out papers
# The gain must be this many standard errors, so that chance does not switch it on.
SURE = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """The weight to use, and recall of held-out likes without and with what others liked."""

    weight: float
    without: float
    with_others: float
    subscribers: int


def check(space: FeatureSpace, vectors: Vectors, likes: csr_matrix) -> Finding:
    """The weight of what others liked, from ``likes`` (subscribers, papers)."""
    order = np.random.default_rng(0).permutation(len(vectors))
    new, old = np.sort(order[::HELD_OUT]), np.sort(np.delete(order, np.s_[::HELD_OUT]))
    known, wanted = likes[:, old], likes[:, new]
    asked = np.flatnonzero((np.diff(known.indptr) > 0) & (np.diff(wanted.indptr) > 0))
    asked = asked[:MOST_SUBSCRIBERS]
    if len(asked) < collaborative.FEWEST_SUBSCRIBERS:
        return Finding(0.0, 0.0, 0.0, len(asked))
    fitted = collaborative.fit(vectors[old], known, old)
    found = {}
    for weight in WEIGHTS:
        basis = topic_vectors.Basis(space, fitted.weighing(weight) if weight else None)
        evidence = basis.as_evidence(vectors[old], old)
        found[weight] = _recall(basis, evidence, known[asked], vectors[new], wanted[asked])
    best = max(WEIGHTS, key=lambda weight: float(found[weight].mean()))
    gain = found[best] - found[0.0]
    error = float(gain.std()) / np.sqrt(len(gain))
    weight = best if float(gain.mean()) > SURE * error else 0.0
    return Finding(weight, float(found[0.0].mean()), float(found[best].mean()), len(asked))


def _recall(
    basis: topic_vectors.Basis, old: Vectors, known: csr_matrix, new: Vectors, wanted: csr_matrix
) -> Vectors:
    """Recall of ``wanted`` (subscribers, new papers) by ``known`` (subscribers, old papers)."""
    likes = topic_vectors.nothing(known.shape[0], basis.dimensions).plus_likes(known, old)
    return recall(topic_vectors.combine(basis, likes).vectors @ basis.extend(new).T, wanted)


def recall(scores: Vectors, wanted: csr_matrix) -> Vectors:
    """(rows,) share of each row's ``wanted`` columns among its best scores."""
    count = max(1, scores.shape[1] // FOUND_IN)
    best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    hit = np.take_along_axis(wanted.toarray() > 0, best, axis=1).sum(axis=1)
    return np.asarray(hit / np.maximum(np.diff(wanted.indptr), 1), np.float32)


def collaborate(
    space: FeatureSpace, vectors: Vectors, likes: csr_matrix, paper_ids: NDArray[np.int64]
) -> tuple[Collaboration | None, Finding]:
    """What others liked, fitted on everything, where the check says that it helps."""
    if likes.shape[0] < collaborative.FEWEST_SUBSCRIBERS or len(vectors) < HELD_OUT * FOUND_IN:
        return None, Finding(0.0, 0.0, 0.0, 0)
    finding = check(space, vectors, likes)
    if not finding.weight:
        return None, finding
    return collaborative.fit(vectors, likes, paper_ids, finding.weight), finding
