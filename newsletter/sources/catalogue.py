"""The sources an operator can name, built from settings."""

from collections.abc import Callable, Sequence

from newsletter.config import Settings
from newsletter.errors import UsageError
from newsletter.sources.arxiv_api import ArxivApi
from newsletter.sources.base import Source
from newsletter.sources.hf import HuggingFace

_CATALOGUE: dict[str, Callable[[Settings], list[Source]]] = {
    "hf": lambda settings: [HuggingFace()],
    "arxiv": lambda settings: [ArxivApi(settings.arxiv_categories)],
}


def build(settings: Settings, names: Sequence[str] = ()) -> list[Source]:
    """The named sources; those of the setting ``sources`` when none are named.

    Raises:
        UsageError: there is no source of that name.
    """
    found: list[Source] = []
    for name in dict.fromkeys(names or settings.sources):
        if name not in _CATALOGUE:
            raise UsageError(f"unknown source {name!r}; known: {', '.join(_CATALOGUE)}")
        found += _CATALOGUE[name](settings)
    return found
