"""How good the rankings are, on folders of recorded libraries, by the product's own functions."""

from newsletter.ranking.evaluation.datasets import Library, Review, by_time, load
from newsletter.ranking.evaluation.measured import Measured
from newsletter.ranking.evaluation.metrics import Quality
from newsletter.ranking.evaluation.system import Evaluation, evaluate, evaluate_reviews

__all__ = [
    "Evaluation",
    "Library",
    "Measured",
    "Quality",
    "Review",
    "by_time",
    "evaluate",
    "evaluate_reviews",
    "load",
]
