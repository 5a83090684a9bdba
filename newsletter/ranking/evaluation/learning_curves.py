"""New subscribers: quality with few likes, with and without five stated keywords."""

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from newsletter.core.errors import SettingsError
from newsletter.ranking import topic_vectors
from newsletter.ranking.encoders import DEFAULT, Vectors
from newsletter.ranking.evaluation import metrics
from newsletter.ranking.evaluation.datasets import Library
from newsletter.ranking.evaluation.metrics import Quality
from newsletter.ranking.evaluation.system import as_candidates, fit, score
from newsletter.ranking.feature_space import PaperText, meaningful_words
from newsletter.ranking.topic_vectors import Basis

LIKES = (0, 1, 3, 5, 10, 20)
KEYWORDS = 5
FEWEST_KNOWN = 10  # papers in a library: the first are the likes, keywords come from the rest
MOST_SUBSCRIBERS = 500


@dataclass(frozen=True, slots=True)
class Point:
    """Quality with this many likes, and keywords or not."""

    likes: int
    keywords: bool
    quality: Quality


def curve(library: Library, model: str = DEFAULT) -> list[Point]:
    """Quality for subscribers as if they were new.

    What others liked is fitted without them, so nothing of their libraries but the likes they
    are given is known. Where a library is shorter than the likes asked for, all of it is given.
    """
    known = np.diff(library.likes.indptr)
    able = np.flatnonzero((known >= FEWEST_KNOWN) & (np.diff(library.truth.indptr) > 0))
    generator = np.random.default_rng(0)
    asked = np.sort(generator.permutation(able)[:MOST_SUBSCRIBERS])
    others = np.setdiff1d(np.arange(library.likes.shape[0]), asked)
    basis, content, _ = fit(replace(library, likes=library.likes[others]), model)
    candidates = as_candidates(basis, library.candidates)
    orders = [generator.permutation(library.likes[row].indices) for row in asked]
    evidence = basis.as_evidence(content, np.arange(len(content)))
    rarity = _rarity(library)
    points = []
    for likes in LIKES:
        given = _given(orders, likes, len(library.papers))
        for stated in (False, True):
            if not likes and not stated:
                continue  # nothing is known: papers trend
            sums = topic_vectors.nothing(len(asked), basis.dimensions).plus_likes(given, evidence)
            if stated:
                sums = replace(sums, texts=_texts(basis, library, orders, likes, rarity))
            parts = [
                metrics.per_subscriber(scores, library.truth[asked[rows]])
                for rows, scores in score(basis, candidates, sums)
            ]
            points.append(Point(likes, stated, metrics.mean(parts)))
    return points


def _given(orders: list[NDArray[np.int32]], likes: int, papers: int) -> csr_matrix:
    rows = np.repeat(np.arange(len(orders)), [min(likes, len(order)) for order in orders])
    columns = np.concatenate([order[:likes] for order in orders])
    return csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(orders), papers))


def _rarity(library: Library) -> dict[str, float]:
    counts = Counter(word for paper in library.papers for word in set(meaningful_words(paper)))
    return {word: math.log(len(library.papers) / count) for word, count in counts.items()}


def _texts(
    basis: Basis,
    library: Library,
    orders: list[NDArray[np.int32]],
    likes: int,
    rarity: dict[str, float],
) -> Vectors:
    """The words that stand out in what the subscriber saved besides the likes, as keywords."""
    found = np.zeros((len(orders), basis.dimensions), np.float32)
    for row, order in enumerate(orders):
        rest = order[likes:] if len(order) - likes >= KEYWORDS else order
        counts = Counter(
            word for paper in rest for word in set(meaningful_words(library.papers[paper]))
        )
        ranked = sorted(counts, key=lambda word: (-counts[word] * rarity[word], word))
        words = [PaperText(word) for word in ranked[:KEYWORDS]]
        found[row] = basis.as_evidence(basis.space.transform(words)).sum(axis=0)
    return found


def plot(points: list[Point], path: Path) -> None:
    """Draw recall@100 over likes; the suffix of ``path`` says as what (svg, png, pdf).

    Raises:
        SettingsError: matplotlib is not installed, or cannot write such a file.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 (an optional extra)
    except ImportError as error:
        raise SettingsError("--plot needs the extra: pip install 'newsletter[plot]'") from error
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for stated, name in ((True, "likes and five keywords"), (False, "likes alone")):
        mine = [point for point in points if point.keywords is stated]
        axes.plot(
            [point.likes for point in mine],
            [point.quality.recall_100 for point in mine],
            marker="o",
            label=name,
        )
    axes.set_xlabel("papers liked")
    axes.set_ylabel("recall@100")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    try:
        figure.savefig(path)
    except (ValueError, OSError) as error:
        raise SettingsError(f"--plot {path}: {error}") from error
