"""Rankers to compare with: chance, a TF-IDF centroid, and arxiv-sanity-lite's recipe."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from newsletter.ranking.encoders import Vectors
from newsletter.ranking.evaluation import metrics
from newsletter.ranking.evaluation.datasets import Library, Review
from newsletter.ranking.evaluation.measured import Measured
from newsletter.ranking.feature_space import PaperText

# The SVM takes 50 to 200 ms a subscriber; this many give recall@100 to about a point.
MOST_SUBSCRIBERS = 500
FEW = 50  # papers, below which a word that stands in fewer than five still counts

Ranker = Callable[[csr_matrix, csr_matrix, csr_matrix, int], Iterator[Vectors]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was measured of a baseline, and the seconds it took."""

    measured: Measured
    seconds: float


def sample(library: Library) -> NDArray[np.int64]:
    """Places, among subscribers with truth, of those that baselines are asked for."""
    asked = np.count_nonzero(np.diff(library.truth.indptr))
    return np.sort(np.random.default_rng(0).permutation(asked)[:MOST_SUBSCRIBERS])


def run(library: Library) -> list[Baseline]:
    """All baselines on the same sample of subscribers."""
    texts = _features([*library.papers, *library.candidates])
    known, new = texts[: len(library.papers)], texts[len(library.papers) :]
    rows = np.flatnonzero(np.diff(library.truth.indptr))[sample(library)]
    results = []
    for name, ranker in RANKERS.items():
        start = time.perf_counter()
        found = _measure(ranker, library.likes[rows], library.truth[rows], known, new, seed=0)
        measured = Measured(name, found[None], "subscribers")
        results.append(Baseline(measured, time.perf_counter() - start))
    return results


def run_reviews(
    reviews: Sequence[Review],
    draws: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Baseline]:
    """All baselines on the draws that `system.evaluate_reviews` makes."""
    values = {name: np.zeros((draws, len(reviews), metrics.MEASURES)) for name in RANKERS}
    seconds = dict.fromkeys(RANKERS, 0.0)
    for index, review in enumerate(reviews):
        progress(index, len(reviews))
        texts = _features(review.papers)
        for draw in range(draws):
            liked, rest = review.draw(draw)
            library = review.as_library(draw)
            for name, ranker in RANKERS.items():
                start = time.perf_counter()
                [values[name][draw, index]] = _measure(
                    ranker, library.likes, library.truth, texts[liked], texts[rest], seed=draw
                )
                seconds[name] += time.perf_counter() - start
    return [Baseline(Measured(name, values[name], "reviews"), seconds[name]) for name in RANKERS]


def _measure(
    ranker: Ranker,
    likes: csr_matrix,
    truth: csr_matrix,
    known: csr_matrix,
    new: csr_matrix,
    *,
    seed: int,
) -> NDArray[np.float64]:
    return metrics.per_subscriber(
        np.array(list(ranker(likes, known, new, seed)), np.float32), truth
    )


def _features(texts: Sequence[PaperText]) -> csr_matrix:
    """TF-IDF as arxiv-sanity-lite computes it, over known and new papers."""
    vectorizer = TfidfVectorizer(
        strip_accents="unicode",
        stop_words="english",
        token_pattern=r"(?u)\b[a-zA-Z_][a-zA-Z0-9_]+\b",  # noqa: S106 (no password)
        ngram_range=(1, 2),
        max_features=20_000,
        sublinear_tf=True,
        min_df=5 if len(texts) >= FEW else 1,
    )
    return csr_matrix(vectorizer.fit_transform([text.prose() for text in texts]))


def _random(likes: csr_matrix, _known: csr_matrix, new: csr_matrix, seed: int) -> Iterator[Vectors]:
    generator = np.random.default_rng(seed)
    return (generator.random(new.shape[0], np.float32) for _ in range(likes.shape[0]))


def _centroid(
    likes: csr_matrix, known: csr_matrix, new: csr_matrix, _seed: int
) -> Iterator[Vectors]:
    centroids = likes @ known
    return (np.asarray((new @ row.T).toarray(), np.float32).ravel() for row in centroids)


def _support_vectors(
    likes: csr_matrix, known: csr_matrix, new: csr_matrix, _seed: int
) -> Iterator[Vectors]:
    """One linear SVM a subscriber: liked papers against all others, new ones included."""
    everything = csr_matrix(vstack([known, new]))
    for row in likes:
        if not row.nnz:
            yield np.zeros(new.shape[0], np.float32)
            continue
        labels = np.zeros(everything.shape[0])
        labels[row.indices] = 1
        model = LinearSVC(class_weight="balanced", C=0.01, max_iter=10_000, tol=1e-6)
        model.fit(everything, labels)
        yield np.asarray(model.decision_function(new), np.float32)


RANKERS: dict[str, Ranker] = {
    "random": _random,
    "TF-IDF centroid": _centroid,
    "arxiv-sanity-lite's recipe": _support_vectors,
}
