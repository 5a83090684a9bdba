"""Rankers to compare with: chance, a TF-IDF centroid, and arxiv-sanity-lite's recipe."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from newsletter.ranking.encoders import Vectors
from newsletter.ranking.evaluation import metrics
from newsletter.ranking.evaluation.datasets import Library
from newsletter.ranking.evaluation.metrics import Quality

# The SVM takes 50 to 200 ms a subscriber; this many give recall@100 to about a point.
MOST_SUBSCRIBERS = 500

Ranker = Callable[[csr_matrix, csr_matrix, csr_matrix], Iterator[Vectors]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The result of a baseline: quality, number of subscribers, seconds."""

    name: str
    quality: Quality
    seconds: float


def sample(library: Library) -> NDArray[np.int64]:
    """Rows of the subscribers that baselines are asked for."""
    asked = np.flatnonzero(np.diff(library.truth.indptr))
    return np.sort(np.random.default_rng(0).permutation(asked)[:MOST_SUBSCRIBERS])


def run(libraries: list[Library]) -> list[Baseline]:
    """All baselines on the same sample of subscribers."""
    results = []
    for name, ranker in (
        ("random", _random),
        ("TF-IDF centroid", _centroid),
        ("arxiv-sanity-lite's recipe", _support_vectors),
    ):
        start, parts = time.perf_counter(), []
        for library in libraries:
            rows = sample(library)
            known, new = _features(library)
            scores = np.array(list(ranker(library.likes[rows], known, new)), np.float32)
            parts.append(metrics.per_subscriber(scores, library.truth[rows]))
        results.append(Baseline(name, metrics.mean(parts), time.perf_counter() - start))
    return results


def _features(library: Library) -> tuple[csr_matrix, csr_matrix]:
    """TF-IDF as arxiv-sanity-lite computes it, over known and new papers."""
    vectorizer = TfidfVectorizer(
        strip_accents="unicode",
        stop_words="english",
        token_pattern=r"(?u)\b[a-zA-Z_][a-zA-Z0-9_]+\b",  # noqa: S106 (no password)
        ngram_range=(1, 2),
        max_features=20_000,
        sublinear_tf=True,
        min_df=min(5, len(library.candidates)),
    )
    texts = [text.prose() for text in (*library.papers, *library.candidates)]
    found = csr_matrix(vectorizer.fit_transform(texts))
    return found[: len(library.papers)], found[len(library.papers) :]


def _random(likes: csr_matrix, _known: csr_matrix, new: csr_matrix) -> Iterator[Vectors]:
    generator = np.random.default_rng(0)
    return (generator.random(new.shape[0], np.float32) for _ in range(likes.shape[0]))


def _centroid(likes: csr_matrix, known: csr_matrix, new: csr_matrix) -> Iterator[Vectors]:
    centroids = likes @ known
    return (np.asarray((new @ row.T).toarray(), np.float32).ravel() for row in centroids)


def _support_vectors(likes: csr_matrix, known: csr_matrix, new: csr_matrix) -> Iterator[Vectors]:
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
