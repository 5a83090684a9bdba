"""Figures of a ranker over draws and topics, with 95 % intervals and paired differences. Pure."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from newsletter.ranking.evaluation import metrics
from newsletter.ranking.evaluation.metrics import Quality

LEVEL = 0.95
FEWEST = 3  # values, below which an interval would say nothing

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """``values`` (draws, units, 4) of one ranker: columns as `metrics.NAMES`.

    ``units`` says what the second axis is: the reviews, or the subscribers of a library.
    """

    ranker: str
    values: NDArray[np.float64]
    units: str

    @property
    def quality(self) -> Quality:
        """Means over all draws and units."""
        return metrics.mean(self.values.mean(axis=0)[None])

    def intervals(self) -> dict[str, Interval | None]:
        """How far the means may be off by which likes were drawn; 95 % (Student's t).

        Of a library nothing is drawn: then by which subscribers there are.
        """
        return _by_name(self._means() if len(self.values) > 1 else self.values[0])

    def over_units(self) -> dict[str, Interval | None]:
        """How far they may be off for other reviews or subscribers like these."""
        return _by_name(self.values.mean(axis=0))

    def of_units(self, places: NDArray[np.int64]) -> "Measured":
        """The same for some of the units."""
        return replace(self, values=self.values[:, places])

    def minus(self, other: "Measured") -> "Measured":
        """The paired difference: the same draws and units, one less the other."""
        return replace(self, ranker=f"ours less {other.ranker}", values=self.values - other.values)

    def _means(self) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.values.mean(axis=1)
        return found


def _by_name(rows: NDArray[np.float64]) -> dict[str, Interval | None]:
    """An interval of the mean of each column; None where there are too few rows."""
    return {
        name: _interval(column) if len(column) >= FEWEST else None
        for name, column in zip(metrics.NAMES, rows.T, strict=True)
    }


def _interval(values: NDArray[np.float64]) -> Interval:
    middle = float(values.mean())
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    half = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * error
    return middle - half, middle + half
