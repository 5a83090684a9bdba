"""A site's own correction of the match, learned from what its readers judged. Pure.

The shipped model was calibrated on systematic reviews. Readers of one site may be stricter or
kinder: their judgements stretch and shift the log-odds (Platt 1999), which keeps the order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64] | NDArray[np.float32]

FEWEST = 200  # judgements
FEWEST_OF_A_KIND = 20  # relevant ones, and others
# What no judgement says stays as shipped: as much as a few dozen judgements weigh.
_PRIOR = 10.0
_FLATTEST = 0.2  # the order of matches is never turned round
_EDGE = 1e-4  # matches are rounded to this; their log-odds end there
_PARTS = 5
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Calibration:
    """A match p becomes the probability of ``slope`` · log-odds(p) + ``intercept``."""

    slope: float = 1.0
    intercept: float = 0.0

    def of(self, match: Numbers) -> NDArray[np.float32]:
        """Corrected matches of any shape; 0 and 1 stay."""
        return _moved(match, self.slope, self.intercept)

    def undone(self, match: Numbers) -> NDArray[np.float32]:
        """The matches that `of` had made ``match`` of."""
        return _moved(match, 1 / self.slope, -self.intercept / self.slope)


AS_SHIPPED = Calibration()


@dataclass(frozen=True, slots=True)
class Refit:
    """What came of a refit: the calibration to use from now on, and log losses held out.

    ``judged`` and ``relevant`` count judgements; ``loss`` and ``loss_as_shipped`` are None where
    there were too few.
    """

    calibration: Calibration
    judged: int
    relevant: int
    loss: float | None = None
    loss_as_shipped: float | None = None

    def line(self) -> str:
        """What a training prints."""
        counted = f"{self.judged} judged papers, {self.relevant} of them relevant"
        if self.loss is None or self.loss_as_shipped is None:
            return (
                f"match as shipped: {counted}; too few to refit it "
                f"(it takes {FEWEST}, and {FEWEST_OF_A_KIND} of each kind)"
            )
        losses = (
            f"log loss held out {self.loss_as_shipped:.4f} as shipped, {self.loss:.4f} refitted"
        )
        kept = self.calibration == AS_SHIPPED
        return f"match {'as shipped' if kept else 'refitted'}: {counted}; {losses}"


def refit(match: Sequence[float], relevant: Sequence[bool]) -> Refit:
    """A calibration from matches as shipped and how they were judged.

    Used only where it tells held-out judgements better than the shipped model does.
    """
    odds, answers = _log_odds(np.array(match, np.float64)), np.array(relevant, np.float64)
    judged, liked = len(answers), int(answers.sum())
    if judged < FEWEST or min(liked, judged - liked) < FEWEST_OF_A_KIND:
        return Refit(AS_SHIPPED, judged, liked)
    part = np.arange(judged) % _PARTS
    losses = np.empty(judged)
    for number in range(_PARTS):
        held_out = part == number
        found = _fit(odds[~held_out], answers[~held_out])
        losses[held_out] = _loss(odds[held_out], answers[held_out], found)
    loss, as_shipped = float(losses.mean()), float(_loss(odds, answers, AS_SHIPPED).mean())
    better = _fit(odds, answers) if loss < as_shipped else AS_SHIPPED
    return Refit(better, judged, liked, loss, as_shipped)


def _fit(odds: NDArray[np.float64], answers: NDArray[np.float64]) -> Calibration:
    """Slope and intercept by Newton's method, drawn to 1 and 0."""
    inputs = np.stack([odds, np.ones_like(odds)], axis=1)
    as_shipped = np.array([1.0, 0.0])
    weights = as_shipped.copy()
    for _ in range(_STEPS):
        found = _probability(inputs @ weights)
        slope = inputs.T @ (found - answers) + _PRIOR * (weights - as_shipped)
        bend = (inputs * (found * (1 - found))[:, None]).T @ inputs + _PRIOR * np.eye(2)
        step = np.linalg.solve(bend, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return Calibration(max(_FLATTEST, float(weights[0])), float(weights[1]))


def _loss(
    odds: NDArray[np.float64], answers: NDArray[np.float64], found: Calibration
) -> NDArray[np.float64]:
    turned = np.where(answers > 0, 1, -1) * (found.slope * odds + found.intercept)
    return np.asarray(np.logaddexp(0, -turned))


def _moved(match: Numbers, slope: float, intercept: float) -> NDArray[np.float32]:
    if (slope, intercept) == (1, 0):
        return np.asarray(match, np.float32)
    exact = np.asarray(match, np.float64)
    moved = _probability(slope * _log_odds(exact) + intercept)
    return np.where((exact <= 0) | (exact >= 1), exact, moved).astype(np.float32)


def _log_odds(match: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(match, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _probability(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-odds)))
