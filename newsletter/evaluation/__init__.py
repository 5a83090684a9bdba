"""How good the rankings are, on folders of recorded libraries, by the product's own functions."""

from newsletter.evaluation.data import Library, by_time, load
from newsletter.evaluation.metrics import Quality
from newsletter.evaluation.product import Evaluation, evaluate

__all__ = ["Evaluation", "Library", "Quality", "by_time", "evaluate", "load"]
