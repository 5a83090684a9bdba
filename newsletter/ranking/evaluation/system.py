"""Our own ranker on a library, by the functions that `train` and `prepare` call."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from newsletter.ranking import collaborative_check, feature_weights, scoring, topic_vectors
from newsletter.ranking import feature_space as features
from newsletter.ranking.candidates import Candidates, SubscriberProfile, TopicProfile
from newsletter.ranking.collaborative_check import Finding
from newsletter.ranking.encoders import DEFAULT, Vectors
from newsletter.ranking.evaluation import metrics
from newsletter.ranking.evaluation.datasets import Library, Review
from newsletter.ranking.evaluation.measured import Measured
from newsletter.ranking.evaluation.metrics import Quality
from newsletter.ranking.feature_space import PaperText
from newsletter.ranking.topic_vectors import Basis, Sums

CHUNK = 1_000  # subscribers scored at once
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured, how long it took to fit and to score, and what was fitted."""

    measured: Measured
    seconds_fit: float
    seconds_score: float
    feature_space: str
    others: Finding

    @property
    def quality(self) -> Quality:
        """The mean figures."""
        return self.measured.quality


def evaluate(library: Library, model: str = DEFAULT) -> Evaluation:
    """All candidates ranked for every subscriber who has truth.

    Raises:
        SettingsError: the encoder is not installed.
    """
    start = time.perf_counter()
    basis, content, others = fit(library, model)
    middle = time.perf_counter()
    candidates = as_candidates(basis, library.candidates)
    asked = np.flatnonzero(np.diff(library.truth.indptr))
    sums = sums_of(basis, content, library.likes[asked])
    found = [
        metrics.per_subscriber(scores, library.truth[asked[chunk]])
        for chunk, scores in score(basis, candidates, sums)
    ]
    return Evaluation(
        Measured("ours", np.vstack(found)[None], "subscribers"),
        middle - start,
        time.perf_counter() - middle,
        basis.space.id,
        others,
    )


def evaluate_reviews(
    reviews: Sequence[Review],
    draws: int,
    model: str = DEFAULT,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """The rest of each review ranked by ten likes, drawn ``draws`` times.

    A review that the shipped weights were chosen on is judged by weights chosen without it.

    Raises:
        SettingsError: the encoder is not installed.
    """
    found = np.zeros((draws, len(reviews), metrics.MEASURES))
    fitting, scoring_time, space_id = 0.0, 0.0, ""
    for index, review in enumerate(reviews):
        progress(index, len(reviews))
        start = time.perf_counter()
        weights = feature_weights.for_judging(review.name)
        basis = Basis(features.fit(review.papers, model, weights))
        middle = time.perf_counter()
        content = _as_stored(basis, review.papers)
        for draw in range(draws):
            liked, rest = review.draw(draw)
            library = review.as_library(draw)
            candidates = as_candidates(basis, library.candidates, content[rest])
            sums = sums_of(basis, content[liked], library.likes)
            [(_, scores)] = score(basis, candidates, sums)
            found[draw, index] = metrics.per_subscriber(scores, library.truth)[0]
        fitting += middle - start
        scoring_time += time.perf_counter() - middle
        space_id = basis.space.id
    measured = Measured("ours", found, "reviews")
    return Evaluation(measured, fitting, scoring_time, space_id, Finding(0.0, 0.0, 0.0, 0))


def fit(library: Library, model: str) -> tuple[Basis, Vectors, Finding]:
    """What `train` fits: the space, the known papers' content in it, and what others liked.

    On the known papers, unless there are enough candidates for `train` to fit again.
    """
    texts = [*library.papers, *library.candidates]
    grown = len(texts) >= features.GROWTH * len(library.papers)
    space = features.fit(texts if grown else library.papers, model)
    content = _as_stored(Basis(space), library.papers)
    liked = np.flatnonzero(np.asarray(library.likes.sum(axis=0)).ravel())
    given = np.flatnonzero(np.diff(library.likes.indptr))
    others, finding = collaborative_check.collaborate(
        space, content[liked], library.likes[given][:, liked], liked
    )
    return Basis(space, others), content, finding


def _as_stored(basis: Basis, texts: Sequence[PaperText]) -> Vectors:
    """Content (n, d) in half precision, as the database holds it."""
    return basis.space.transform(texts).astype(np.float16).astype(np.float32)


def as_candidates(
    basis: Basis, texts: Sequence[PaperText], content: Vectors | None = None
) -> Candidates:
    """New papers as `load_candidates` gives them; ``content`` (n, d) where it is known."""
    if content is None:
        content = _as_stored(basis, texts)
    return Candidates(
        feature_space=basis.space.id,
        ids=tuple(range(len(texts))),
        titles=tuple(text.title for text in texts),
        abstracts=tuple(text.abstract for text in texts),
        authors=((),) * len(texts),
        categories=((),) * len(texts),
        upvotes=np.zeros(len(texts), np.int64),
        first_seen=np.zeros(len(texts)),
        vectors=basis.extend(content),
        ridge=topic_vectors.ridge_of(basis.space),
    )


def sums_of(basis: Basis, content: Vectors, likes: csr_matrix) -> Sums:
    """Evidence of subscribers who liked known papers (subscribers, known papers)."""
    evidence = basis.as_evidence(content, np.arange(len(content)))
    return topic_vectors.nothing(likes.shape[0], basis.dimensions).plus_likes(likes, evidence)


def score(
    basis: Basis, candidates: Candidates, sums: Sums
) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
    """Rows of ``sums`` and their steps (rows, candidates), a chunk at a time."""
    learned = topic_vectors.combine(basis, sums)
    offsets, scales = topic_vectors.calibrate(basis, learned.vectors)
    for start in range(0, len(learned.vectors), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(learned.vectors)))
        profiles = [
            SubscriberProfile(
                subscriber_id=row,
                topics=(
                    TopicProfile(
                        topic_id=None,
                        name="",
                        vector=learned.vectors[row],
                        offset=float(offsets[row]),
                        scale=float(scales[row]),
                    ),
                ),
                max_papers=metrics.LONG,
                min_score=0,
                since=EPOCH,
            )
            for row in rows.tolist()
        ]
        yield rows, scoring.steps(candidates, profiles)[0][:, 0]
