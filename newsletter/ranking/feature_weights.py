"""How much each view of a paper counts, for papers with an abstract; chosen by `fit-features`.

The numbers are in `feature_weights.json`, chosen over systematic reviews and over categories of
arXiv as a prior for topics that nobody has seen; beside them the numbers chosen without each
review, which that review is judged by.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

TITLES = "Those for titles alone were chosen among the known papers of citeulike-a."


@dataclass(frozen=True, slots=True)
class FeatureWeights:
    """Beside stemmed words, which count 1: words as they stand, and the title's characters.

    ``lexical`` is what all three together count beside the encoder's view, which counts 1;
    ``pairs`` what two neighbouring words count beside one.
    """

    plain: float
    characters: float
    lexical: float
    pairs: float = 1.0  # of spaces that were stored before there was a choice

    def as_json(self) -> dict[str, float]:
        """What `feature_weights.json` and a stored space hold."""
        return asdict(self)


@cache
def shipped() -> FeatureWeights:
    """The weights that come with the package."""
    return FeatureWeights(**_stored()["weights"])


def for_judging(name: str) -> FeatureWeights:
    """The weights that the review ``name`` had no part in choosing."""
    without = _stored()["without"].get(name)
    return shipped() if without is None else FeatureWeights(**without)


def chosen_on() -> tuple[str, ...]:
    """Names of the reviews that the shipped weights were chosen on."""
    return tuple(_stored()["without"])


def told(judged: Sequence[str]) -> str:
    """On what the weights that these reviews, or none, were judged by have been chosen."""
    known = chosen_on()
    seen = [name for name in judged if name in known]
    text = (
        f"Weights for papers with abstracts were chosen on {len(known)} reviews "
        f"({', '.join(known)}) and {len(_stored()['chosen_on']['categories'])} categories of arXiv"
    )
    if not seen:
        return f"{text}, none of which is judged here. {TITLES}"
    whom = "each review here" if len(seen) == len(judged) else f"each of {', '.join(seen)}"
    return f"{text}; {whom} is judged by weights chosen without it. {TITLES}"


@cache
def _stored() -> Any:
    path = files("newsletter.ranking") / "feature_weights.json"
    return json.loads(path.read_text(encoding="utf-8"))
