"""Match: the probability that a paper is about a topic, and what is said of it. Pure.

The score orders the papers of one digest; the match says whether a paper fits at all. It means
the same for every topic, reader and day, so a label and a reader's minimum can rest on it. It is
a logistic regression on `match_features`, one for each way of telling an interest; the numbers
are in `match_model.json`, fitted by `scripts/fit-match` and calibrated on topics left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
STRONG, GOOD, WORTH = 0.8, 0.55, 0.04
# A day rarely brings more papers than this that are about one topic. Where the matches of a day
# add up to more, a dense field resembles the topic, and all of them count for less.
MOST_A_DAY = 8.0
# What follows are worth by themselves. Stated by the reader, not fitted: no data tells.
AUTHOR, CATEGORY, CITES = 0.6, 0.25, 0.3
# How an interest was told; each has a model of its own.
WAYS = ("keywords", "text", "likes", "both")


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
    return [_LABELS[place] for place in places]


@dataclass(frozen=True)
class MatchModel:
    """Weights (len(WAYS), len(NAMES)) and intercepts (len(WAYS),) of log-odds."""

    weights: Vectors
    intercepts: Vectors

    def as_json(self) -> dict[str, Any]:
        """The weights that are not zero, by way and feature; `model_of` reads it."""
        return {
            way: {
                "intercept": round(float(self.intercepts[row]), 4),
                **{
                    name: round(float(weight), 4)
                    for name, weight in zip(NAMES, self.weights[row], strict=True)
                    if weight
                },
            }
            for row, way in enumerate(WAYS)
        }

    def probabilities(
        self, ways: NDArray[np.int64], features: Vectors, *, keywords_only: NDArray[np.bool_]
    ) -> Vectors:
        """(T, p) from features (T, p, F) of topics told in ``ways`` (T,), -1 where nothing was.

        A keyword that stands nowhere in a paper claims nothing for it, however close it seems:
        of a topic of ``keywords_only`` (T,) one has to be there. That its words are there apart
        is not enough: of 800 reader-days of made-up keywords 55 then had a label.
        """
        odds = (
            np.einsum("tpf,tf->tp", features, self.weights[ways]) + self.intercepts[ways][:, None]
        )
        found = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
        found[ways < 0] = 0
        there = features[:, :, _FOUND] > 0
        return np.asarray(np.where(keywords_only[:, None] & ~there, 0, found), np.float32)


_FOUND = NAMES.index("found")


def model_of(stored: Mapping[str, Mapping[str, float]]) -> MatchModel:
    """The model that `MatchModel.as_json` wrote."""
    weights = [[stored[way].get(name, 0.0) for name in NAMES] for way in WAYS]
    intercepts = [stored[way]["intercept"] for way in WAYS]
    return MatchModel(np.array(weights, np.float32), np.array(intercepts, np.float32))


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
    for place, topic in enumerate(topics):
        kinds = () if topic.evidence is None else topic.evidence.kinds.tolist()
        stated = any(kind < STATED for kind in kinds)
        if any(STATED <= kind < LIKED for kind in kinds):
            ways[place] = 3 if stated else 2
        elif stated:
            keywords = _keywords(topic)
            keywords_only[place] = all(keywords)
            ways[place] = 0 if any(keywords) else 1
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


def tempered(match: Vectors) -> Vectors:
    """Matches (T, p) of a topic's papers of one day, their odds cut where they add up to much."""
    expected = match.sum(axis=1, keepdims=True)
    share = np.minimum(1, MOST_A_DAY / np.maximum(expected, 1e-6))
    return np.asarray(match * share / (1 - match + match * share), np.float32)


def with_follows(match: Vectors, author: Vectors, category: Vectors, cites: Vectors) -> Vectors:
    """Matches with what a followed author and category, and citing a liked paper, add.

    The three say how surely each is there, 0 to 1; chances are taken for independent.
    """
    rest = (1 - match) * (1 - AUTHOR * author) * (1 - CATEGORY * category) * (1 - CITES * cites)
    return np.asarray(1 - rest, np.float32)
