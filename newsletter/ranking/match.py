"""Match: the probability that a paper is about a topic, and what is said of it. Pure.

The score orders the papers of one digest; the match says whether a paper fits at all. It means
the same for every topic, reader and day, so a label and a reader's minimum can rest on it. It
is two logistic regressions for each way of telling an interest: one on `match_features`, the
other on what the first says of the paper and of the whole day. The numbers are in
`match_model.json`, fitted by `scripts/fit-match`, the second on topics that the first had not seen.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newsletter.core.models import Label
from newsletter.ranking.candidates import LIKED, STATED, TopicProfile
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.match_features import NAMES, is_keyword

# Each label is a range of the match, starting here. Below the last nothing is claimed, and the
# paper is not picked.
STRONG, GOOD, WORTH = 0.8, 0.55, 0.05
# The day is judged by so many papers of a topic: the best by score, which picks come from.
SHORTLIST = 32
# Of a day, two numbers: how many papers are expected to be about the topic, and the mean log-odds
# of its ten best. Where many are close, a dense field resembles the topic, or only part of it is
# meant. Places where a day has no paper count as one that has nothing to do with the topic.
BEST_OF_DAY = 10
UNRELATED = -6.0  # log-odds: about one paper in 400
# What follows are worth by themselves. Stated by the reader, not fitted: no data tells.
AUTHOR, CATEGORY, CITES = 0.6, 0.25, 0.3
# How an interest was told; each has a model of its own.
WAYS = ("keywords", "text", "likes", "both")


_STATED, _LIKED = frozenset(range(STATED)), frozenset(range(STATED, LIKED))
_LABELS = (Label.NONE, Label.WORTH, Label.GOOD, Label.STRONG)


def label_of(match: float | None) -> Label:
    """The label of a match from 0 to 1; ``None``, where nothing was compared, has none."""
    if match is None or match < WORTH:
        return Label.NONE
    if match < GOOD:
        return Label.WORTH
    return Label.GOOD if match < STRONG else Label.STRONG


def labels_of(matches: Sequence[float]) -> list[Label]:
    """The labels of many matches."""
    places = np.searchsorted((WORTH, GOOD, STRONG), matches, side="right").tolist()
    return [_LABELS[index] for index in places]


# What the second regression weighs: the logarithms of the first one's p and of 1 / (1 - p) (beta
# calibration, Kull et al. 2017), the number of likes, and the day. ``most`` is no weight: no match
# is higher, for of the highest on topics left out no more were relevant.
OF_DAY = ("yes", "no", "likes", "expected", "best", "intercept", "most")


def _first_alone() -> Vectors:
    """Weights (len(WAYS), len(OF_DAY)) that leave the first regression as it is."""
    return np.array([[1, 1, 0, 0, 0, 0, 1]] * len(WAYS), np.float32)


@dataclass(frozen=True)
class MatchModel:
    """Weights (len(WAYS), len(NAMES)) and intercepts (len(WAYS),) of log-odds.

    ``day`` (len(WAYS), len(OF_DAY)) are the weights of the second regression.
    """

    weights: Vectors
    intercepts: Vectors
    day: Vectors = field(default_factory=_first_alone)

    def as_json(self) -> dict[str, Any]:
        """The weights that are not zero, by way and feature; `model_of` reads it."""
        return {
            way: {
                "intercept": round(float(self.intercepts[row]), 4),
                **_named(NAMES, self.weights[row]),
                "day": _named(OF_DAY, self.day[row]),
            }
            for row, way in enumerate(WAYS)
        }

    def probabilities(
        self,
        ways: NDArray[np.int64],
        features: Vectors,
        *,
        keywords_only: NDArray[np.bool_],
        allowed: NDArray[np.bool_],
    ) -> Vectors:
        """(T, p) from features (T, p, F) of topics told in ``ways`` (T,), -1 where nothing was.

        Papers stand in the order of their scores; those not ``allowed`` (T, p) get 0 and do not
        count for the day. A keyword that stands nowhere in a paper claims nothing for it, however
        close it seems: of a topic of ``keywords_only`` (T,) one has to be there. That its words
        are there apart is not enough: of 800 reader-days of made-up keywords 55 then had a label.
        """
        odds = (
            np.einsum("tpf,tf->tp", features, self.weights[ways]) + self.intercepts[ways][:, None]
        )
        yes, no, likes, expected, best, intercept, most = self.day[ways].T
        number = features[:, :, _LIKES].max(axis=1, initial=0)
        many, close = of_day(np.where(allowed, odds, -np.inf)[:, :SHORTLIST])
        of_topic = likes * number + expected * many + best * close + intercept
        certain, doubtful = logarithms(odds)
        found = probability(yes[:, None] * certain + no[:, None] * doubtful + of_topic[:, None])
        found = np.minimum(found, most[:, None])
        found[ways < 0] = 0
        there = features[:, :, _FOUND] > 0
        found[~allowed | (keywords_only[:, None] & ~there)] = 0
        return np.asarray(found, np.float32)


def of_day(odds: Vectors) -> tuple[Vectors, Vectors]:
    """(T,) each of log-odds (T, p): log of 1 + papers expected, and the mean of the ten best."""
    best = np.sort(np.maximum(odds, UNRELATED), axis=1)[:, -BEST_OF_DAY:]
    missing = BEST_OF_DAY - best.shape[1]
    expected = np.where(odds > UNRELATED, probability(odds), 0).sum(axis=1)
    return np.log1p(expected), (best.sum(axis=1) + missing * UNRELATED) / BEST_OF_DAY


def probability(odds: Vectors) -> Vectors:
    """Log-odds as probabilities."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))))


def logarithms(odds: Vectors) -> tuple[Vectors, Vectors]:
    """The logarithms of p and of 1 / (1 - p), which add up to the log-odds of p."""
    odds = np.clip(odds, -30, 30)
    return -np.log1p(np.exp(-odds)), np.log1p(np.exp(odds))


def _named(names: Sequence[str], weights: Vectors) -> dict[str, float]:
    return {
        name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True) if weight
    }


_FOUND, _LIKES = NAMES.index("found"), NAMES.index("likes")


def model_of(stored: Mapping[str, Mapping[str, Any]]) -> MatchModel:
    """The model that `MatchModel.as_json` wrote."""
    weights = [[stored[way].get(name, 0.0) for name in NAMES] for way in WAYS]
    intercepts = [stored[way]["intercept"] for way in WAYS]
    day = [[stored[way]["day"].get(name, 0.0) for name in OF_DAY] for way in WAYS]
    return MatchModel(
        np.array(weights, np.float32),
        np.array(intercepts, np.float32),
        np.array(day, np.float32),
    )


@cache
def shipped() -> MatchModel:
    """The model that comes with the package."""
    return model_of(_stored()["model"])


def left_out() -> dict[str, MatchModel]:
    """Models by review, each fitted without it: what a review is judged by."""
    return {name: model_of(stored) for name, stored in _stored()["without"].items()}


def _stored() -> Any:
    path = files("newsletter.ranking") / "match_model.json"
    return json.loads(path.read_text(encoding="utf-8"))


def ways_of(topics: Sequence[TopicProfile]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(T,) places in `WAYS`, -1 where nothing was told, and whether keywords are all there is."""
    ways = np.full(len(topics), -1)
    keywords_only = np.zeros(len(topics), bool)
    for index, topic in enumerate(topics):
        kinds = () if topic.evidence is None else topic.evidence.kinds.tolist()
        stated = not _STATED.isdisjoint(kinds)
        if not _LIKED.isdisjoint(kinds):
            ways[index] = 3 if stated else 2
        elif stated:
            keywords = _keywords(topic)
            keywords_only[index] = all(keywords)
            ways[index] = 0 if any(keywords) else 1
    return ways, keywords_only


def _keywords(topic: TopicProfile) -> list[bool]:
    """For each stated interest, whether it is a keyword or a sentence."""
    evidence = topic.evidence
    if evidence is None:
        return []
    return [
        is_keyword(kind, str(evidence.pool.keys[row]))
        for kind, row in zip(evidence.kinds.tolist(), evidence.rows.tolist(), strict=True)
        if kind < STATED
    ]


def with_follows(match: Vectors, author: Vectors, category: Vectors, cites: Vectors) -> Vectors:
    """Matches with what a followed author and category, and citing a liked paper, add.

    The three say how surely each is there, 0 to 1; chances are taken for independent.
    """
    rest = (1 - match) * (1 - AUTHOR * author) * (1 - CATEGORY * category) * (1 - CITES * cites)
    return np.asarray(1 - rest, np.float32)
