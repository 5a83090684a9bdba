"""Recipes: the ways in which the papers of a digest can be chosen from those that fit. Pure.

A recipe changes which papers of a topic's shortlist go first. The match of a paper, its label and
a reader's minimum are the same in all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Recipe:
    """How papers on the shortlist are ordered.

    ``spread`` multiplies what a paper pays for being like one that is picked already;
    ``certainty`` is what the log-odds of its match count beside its score in steps.
    """

    name: str
    about: str
    spread: float = 1.0
    certainty: float = 0.0


STANDARD = Recipe("standard", "as installed: by score, keeping papers that are much alike apart")
_OTHERS = (
    Recipe("varied", "papers that are alike move down twice as far", spread=2.0),
    Recipe("focused", "by score alone, even where papers are alike", spread=0.0),
    Recipe("certain", "the match counts as much as the score", certainty=1.0),
)
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {recipe.name: recipe for recipe in (STANDARD, *_OTHERS)}
)


@dataclass(frozen=True, slots=True)
class Ordering:
    """How one digest is ordered: by ``recipe``, or by two whose picks are interleaved.

    ``seed`` decides the coins of the draft between them, see `interleaving`.
    """

    recipe: Recipe = STANDARD
    challenger: Recipe | None = None
    seed: str = ""


AS_INSTALLED = Ordering()


def named(name: str) -> Recipe:
    """The recipe of that name; the standard one for a name of another version of this program."""
    return RECIPES.get(name, STANDARD)
