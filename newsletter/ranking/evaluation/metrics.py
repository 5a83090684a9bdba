"""Measures of a ranking against true likes: plain means over subscribers. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from newsletter.ranking.encoders import Vectors

SHORT, LONG = 20, 100
# The names that `newsletter evaluate --json` prints, in the order of `per_subscriber`'s columns.
NAMES = ("recall@20", "recall@100", "ndcg@20", "auc")
MEASURES = len(NAMES)


@dataclass(frozen=True, slots=True)
class Quality:
    """Recall in the first 20 and 100, nDCG in the first 20, area under the ROC curve."""

    recall_20: float
    recall_100: float
    ndcg_20: float
    auc: float
    users: int

    def as_json(self) -> dict[str, float | int]:
        """By `NAMES`, and how many subscribers."""
        figures = (self.recall_20, self.recall_100, self.ndcg_20, self.auc)
        return {
            **{name: round(figure, 4) for name, figure in zip(NAMES, figures, strict=True)},
            "users": self.users,
        }


def per_subscriber(scores: Vectors, truth: csr_matrix) -> NDArray[np.float64]:
    """(rows, 4) recall@20, recall@100, nDCG@20 and AUC of rows that have something to find.

    Ties fall as the columns stand; a ranker whose scores tie should break them itself.
    """
    count = scores.shape[1]
    order = np.argsort(-scores, axis=1, kind="stable")
    wanted = np.take_along_axis(truth.toarray() > 0, order, axis=1)
    found = wanted.sum(axis=1)
    wanted, found = wanted[found > 0], found[found > 0]
    gains = 1 / np.log2(np.arange(2, min(SHORT, count) + 2))
    ideal = np.cumsum(gains)[np.minimum(found, len(gains)) - 1]
    # Of all pairs of a liked and another candidate, those in the right order.
    above = (wanted * np.arange(count)).sum(axis=1) - found * (found - 1) / 2
    pairs = np.maximum(found * (count - found), 1)
    return np.stack(
        [
            wanted[:, :SHORT].sum(axis=1) / found,
            wanted[:, :LONG].sum(axis=1) / found,
            (wanted[:, : len(gains)] * gains).sum(axis=1) / ideal,
            1 - above / pairs,
        ],
        axis=1,
    )


def mean(parts: Iterable[NDArray[np.float64]]) -> Quality:
    """The mean over all rows of `per_subscriber`'s results."""
    rows = np.vstack(list(parts))
    recall_20, recall_100, ndcg, auc = rows.mean(axis=0).tolist() if len(rows) else [0.0] * 4
    return Quality(recall_20, recall_100, ndcg, auc, len(rows))
