"""Fit the match on days with known answers, and calibrate it on topics that were left out. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from newsletter.ranking import scoring
from newsletter.ranking.attribution import ProductCache
from newsletter.ranking.candidates import SubscriberProfile
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.evaluation.mixed_stream import STREAM, World, part_of
from newsletter.ranking.evaluation.system import EPOCH
from newsletter.ranking.match import WAYS, MatchModel
from newsletter.ranking.match_features import NAMES, MatchFeatures

# Relevant and turned-down papers of a day. One relevant among three that a search found is the
# hard case, and the one that a reader of a narrow field meets.
MIX = ((0, 0), (1, 1), (3, 3), (10, 10), (10, 30), (10, 30))
_LIKES, _THREE, _CROWD = map(NAMES.index, ("likes", "three_nearest", "beside_crowd"))
DAYS = 6  # of each reader
OF_STREAM = 80  # papers of the stream that stand for all of a day
SMOOTHING = 1.0  # inverse strength of the penalty; .1 to 10 differ by less than topics do
_LIKED = (
    *("steps", "likes", "likes_mean", "three_nearest"),
    *("likes_beside_others", "three_beside_others", "beside_crowd"),
)
_STATED = ("found", "in_title", "mentions", "covered", "covered_mean")
USED = {
    "keywords": ("steps", *_STATED),
    "text": ("steps", "covered", "covered_mean", "stated_mean", "stated_beside_others"),
    "likes": _LIKED,
    "both": (*_LIKED, *_STATED),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One day of one reader: features (n, F), which papers are relevant, what each counts (n,)."""

    review: str
    way: str
    features: Vectors
    relevant: NDArray[np.bool_]
    weight: Vectors


def samples(world: World, generator: np.random.Generator) -> Iterable[Sample]:
    """Days of a world's readers."""
    candidates = world.candidates
    maker = MatchFeatures(ProductCache(candidates))
    for reader in world.readers:
        profile = SubscriberProfile(
            subscriber_id=1, topics=(reader.topic,), max_papers=1, min_score=0, since=EPOCH
        )
        steps = scoring.steps(candidates, [profile])[0][0][:, reader.rows]
        features = maker.of([reader.topic], reader.rows[None], steps)[0]
        for number in range(DAYS):
            day = reader.day(generator, *MIX[number % len(MIX)])
            # The stream's papers are much alike: a few stand for all.
            crowd = part_of(candidates, reader.rows[day]).crowding
            of_day = features[day]
            of_day[:, _CROWD] = of_day[:, _THREE] - crowd * (of_day[:, _LIKES] > 0)
            kept = np.r_[:OF_STREAM, STREAM : len(day)]
            weight = np.where(np.arange(len(kept)) < OF_STREAM, STREAM / OF_STREAM, 1)
            yield Sample(
                reader.review,
                reader.way,
                of_day[kept],
                reader.relevant[day][kept],
                weight.astype(np.float32),
            )


def fit(found: Sequence[Sample]) -> MatchModel:
    """A model of all samples, its log-odds stretched or shrunk to what topics left out showed."""
    weights = np.zeros((len(WAYS), len(NAMES)), np.float32)
    intercepts = np.zeros(len(WAYS), np.float32)
    for row, way in enumerate(WAYS):
        mine = [sample for sample in found if sample.way == way]
        weights[row], intercepts[row] = _fit_way(mine, USED[way])
    return MatchModel(weights, intercepts)


def _fit_way(mine: Sequence[Sample], used: Sequence[str]) -> tuple[Vectors, float]:
    columns = [NAMES.index(name) for name in used]
    reviews = sorted({sample.review for sample in mine})
    odds, answers, likes, weight = [], [], [], []
    for left_out in reviews:
        weights, intercept = _logistic([s for s in mine if s.review != left_out], columns)
        for sample in (s for s in mine if s.review == left_out):
            odds.append(sample.features @ weights + intercept)
            answers.append(sample.relevant)
            weight.append(sample.weight)
            likes.append(sample.features[:, NAMES.index("likes")])
    # Platt scaling (1999) on topics that the weights had not seen, with the number of likes.
    extra = np.stack([np.concatenate(odds), np.concatenate(likes)], axis=1)
    told = int("likes" in used)
    scaling = LogisticRegression(C=1e4, max_iter=1_000)
    scaling.fit(extra[:, : 1 + told], np.concatenate(answers), np.concatenate(weight))
    weights, intercept = _logistic(mine, columns)
    slope = float(scaling.coef_[0, 0])
    weights, intercept = weights * slope, intercept * slope + float(scaling.intercept_[0])
    if told:
        weights[NAMES.index("likes")] += float(scaling.coef_[0, 1])
    return weights.astype(np.float32), intercept


def _logistic(mine: Sequence[Sample], columns: Sequence[int]) -> tuple[Vectors, float]:
    """Weights (F,) and the intercept, of features as they come."""
    rows = np.vstack([sample.features[:, columns] for sample in mine])
    answers = np.concatenate([sample.relevant for sample in mine])
    mean, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-3)
    counted = np.concatenate([sample.weight for sample in mine])
    found = LogisticRegression(C=SMOOTHING, max_iter=1_000)
    found.fit((rows - mean) / spread, answers, counted)
    scaled = found.coef_[0] / spread
    weights = np.zeros(len(NAMES), np.float32)
    weights[list(columns)] = scaled
    return weights, float(found.intercept_[0] - (scaled * mean).sum())
