"""Fit the match on days with known answers, and calibrate it on topics that were left out. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from newsletter.ranking import scoring
from newsletter.ranking.attribution import ProductCache
from newsletter.ranking.candidates import SubscriberProfile
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.evaluation.mixed_stream import World
from newsletter.ranking.evaluation.system import EPOCH
from newsletter.ranking.match import OF_DAY, SHORTLIST, WAYS, MatchModel, logarithms, of_day
from newsletter.ranking.match_features import NAMES, MatchFeatures, Words

# Relevant and turned-down papers of a day: none, few, a wave of them, and one relevant among
# three that a search found, the hard case that a reader of a narrow field meets.
MIX = ((0, 0), (1, 1), (3, 3), (10, 10), (10, 30))
HARDEST = MIX[-1]
_LIKES, _THREE, _CROWD = map(NAMES.index, ("likes", "three_nearest", "beside_crowd"))
# Papers of a smaller chance, as log-odds, are not shown, and what they are is learned elsewhere.
LEAST = float(np.log(0.02 / 0.98))
# Of so many highest matches on reviews left out, the share that was relevant says how high a match
# can honestly be.
HIGHEST = (50, 100, 200)
# Told by a text alone, the highest log-odds of a new review are too high: of these only the
# logarithm of the probability counts, which is flat there. With all of them the calibration error
# on the days for fitting was .058, so .036; told in other ways .03 and less.
CURVED = ("text",)
# What a day of the hard kind weighs where the others weigh one. Chosen on reviews left out of the
# fit, as `fit-match` prints: at 1 the matches of all other days are too low (their calibration
# error is .051, so .041), at 0 those of hard days too high (with them it is .060, so .022).
HARD = 0.25
HARDNESSES = (1.0, 0.5, HARD, 0.1, 0.0)
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
    """One reader's shortlist of one day: features (n, F), and which papers are relevant (n,).

    ``mix`` says what kind of day it is, as a place in `MIX`.
    """

    review: str
    way: str
    mix: int
    features: Vectors
    relevant: NDArray[np.bool_]


def samples(world: World, generator: np.random.Generator) -> Iterable[Sample]:
    """Days of a world's readers, of each what a digest would be picked from."""
    candidates = world.candidates
    maker = MatchFeatures(ProductCache(candidates), Words(candidates))
    for reader in world.readers:
        profile = SubscriberProfile(
            subscriber_id=1, topics=(reader.topic,), max_papers=1, min_score=0, since=EPOCH
        )
        steps = scoring.steps(candidates, [profile])[0][0][:, reader.rows]
        features = maker.of([reader.topic], reader.rows[None], steps)[0]
        for number, mix in enumerate(MIX):
            day = reader.day(generator, *mix)
            listed = np.argsort(-steps[0, day], kind="stable")[:SHORTLIST]
            crowd = candidates.part(reader.rows[day]).crowding[listed]
            of_day = features[day[listed]]
            of_day[:, _CROWD] = (of_day[:, _THREE] - crowd) * (of_day[:, _LIKES] > 0)
            yield Sample(reader.review, reader.way, number, of_day, reader.relevant[day[listed]])


def held_out(found: Sequence[Sample], hard: float) -> Iterator[tuple[Sample, Vectors]]:
    """Each sample with its matches (n,), by a model that was fitted without its review."""
    for review in sorted({sample.review for sample in found}):
        model = fit([sample for sample in found if sample.review != review], hard)
        for sample in (s for s in found if s.review == review):
            yield (
                sample,
                model.probabilities(
                    np.array([WAYS.index(sample.way)]),
                    sample.features[None],
                    keywords_only=np.array([sample.way == "keywords"]),
                    allowed=np.ones((1, len(sample.relevant)), bool),
                )[0],
            )


def fit(found: Sequence[Sample], hard: float = HARD) -> MatchModel:
    """A model of all samples; the second regression is on reviews that the first had not seen."""
    weights = np.zeros((len(WAYS), len(NAMES)), np.float32)
    intercepts = np.zeros(len(WAYS), np.float32)
    day = np.zeros((len(WAYS), len(OF_DAY)), np.float32)
    for row, way in enumerate(WAYS):
        mine = [sample for sample in found if sample.way == way]
        columns = [NAMES.index(name) for name in USED[way]]
        weights[row], intercepts[row] = _logistic(mine, columns)
        day[row] = _of_days(mine, columns, curved=way in CURVED, hard=hard)
    return MatchModel(weights, intercepts, day)


def _of_days(
    mine: Sequence[Sample], columns: Sequence[int], *, curved: bool, hard: float
) -> Vectors:
    """`OF_DAY`, from papers that may be shown, judged by regressions without their review."""
    rows, answers, counts = [], [], []
    for left_out in sorted({sample.review for sample in mine}):
        weights, intercept = _logistic([s for s in mine if s.review != left_out], columns)
        for sample in (s for s in mine if s.review == left_out):
            odds = sample.features @ weights + intercept
            expected, best = of_day(odds[None])
            there = odds >= LEAST
            some = logarithms(odds[there])[0] if curved else odds[there]
            of_all = (sample.features[0, _LIKES], expected[0], best[0])
            rows.append(np.column_stack([some, np.tile(of_all, (len(some), 1))]))
            answers.append(sample.relevant[there])
            counts.append(np.full(len(some), hard if MIX[sample.mix] == HARDEST else 1.0))
    every, known, counted = np.vstack(rows), np.concatenate(answers), np.concatenate(counts)
    found = LogisticRegression(C=1e3, max_iter=3_000).fit(every, known, sample_weight=counted)
    order = np.argsort(-found.decision_function(every), kind="stable")
    surest, weighed = known[order], counted[order] + 1e-9
    most = max(np.average(surest[:n], weights=weighed[:n]) for n in HIGHEST)
    yes, *rest = found.coef_[0]
    return np.array([yes, 0 if curved else yes, *rest, found.intercept_[0], most], np.float32)


def _logistic(mine: Sequence[Sample], columns: Sequence[int]) -> tuple[Vectors, float]:
    """Weights (F,) and the intercept, of features as they come."""
    rows = np.vstack([sample.features[:, columns] for sample in mine])
    answers = np.concatenate([sample.relevant for sample in mine])
    mean, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-3)
    found = LogisticRegression(C=SMOOTHING, max_iter=1_000)
    found.fit((rows - mean) / spread, answers)
    scaled = found.coef_[0] / spread
    weights = np.zeros(len(NAMES), np.float32)
    weights[list(columns)] = scaled
    return weights, float(found.intercept_[0] - (scaled * mean).sum())
