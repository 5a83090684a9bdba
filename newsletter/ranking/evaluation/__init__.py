"""How good the rankings are, on folders of recorded libraries, by the product's own functions."""

from newsletter.ranking.evaluation.datasets import Library, by_time, holds_reviews, load
from newsletter.ranking.evaluation.metrics import Quality
from newsletter.ranking.evaluation.system import Evaluation, evaluate

__all__ = ["Evaluation", "Library", "Quality", "by_time", "evaluate", "holds_reviews", "load"]
