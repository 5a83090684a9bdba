"""The sources an operator can name, built from settings."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from newsletter.core.config import Settings, variable_name
from newsletter.core.errors import UsageError
from newsletter.sources.arxiv_api import ArxivApi
from newsletter.sources.arxiv_oai import ArxivOai
from newsletter.sources.arxiv_rss import ArxivFeed
from newsletter.sources.base import Source
from newsletter.sources.biorxiv import Biorxiv
from newsletter.sources.crossref import Crossref
from newsletter.sources.feeds import Feed
from newsletter.sources.hugging_face import HuggingFace
from newsletter.sources.openalex import OpenAlex
from newsletter.sources.openreview import OpenReview
from newsletter.sources.pubmed import PubMed
from newsletter.sources.semantic_scholar import SemanticScholar

_CATALOGUE: dict[str, Callable[[Settings], list[Source]]] = {
    "hf": lambda settings: [HuggingFace()],
    "arxiv": lambda settings: [ArxivApi(settings.arxiv_categories)],
    "arxiv-rss": lambda settings: [ArxivFeed(settings.arxiv_categories)],
    "arxiv-oai": lambda settings: [ArxivOai(settings.arxiv_categories)],
    "biorxiv": lambda settings: [Biorxiv()],
    "medrxiv": lambda settings: [Biorxiv("medrxiv")],
    "semantic-scholar": lambda settings: [SemanticScholar(settings.search_terms)],
    "openalex": lambda settings: [OpenAlex(settings.search_terms)],
    "crossref": lambda settings: [Crossref(settings.search_terms)],
    "pubmed": lambda settings: [PubMed(settings.search_terms)],
    "openreview": lambda settings: [OpenReview(settings.openreview_venues)],
    "feeds": lambda settings: [Feed(url, feed_name(url)) for url in settings.feeds],
}
# Without this setting there is nothing to ask for.
_NEEDS = {
    "arxiv": "arxiv_categories",
    "arxiv-rss": "arxiv_categories",
    "arxiv-oai": "arxiv_categories",
    "semantic-scholar": "search_terms",
    "openalex": "search_terms",
    "crossref": "search_terms",
    "pubmed": "search_terms",
    "openreview": "openreview_venues",
    "feeds": "feeds",
}


def build(settings: Settings, names: Sequence[str] = ()) -> list[Source]:
    """The named sources; those of the setting ``sources`` when none are named.

    Raises:
        UsageError: there is no source of that name, or it lacks a setting.
    """
    found: list[Source] = []
    for name in dict.fromkeys(names or settings.sources):
        if name not in _CATALOGUE:
            raise UsageError(f"unknown source {name!r}; known sources: {', '.join(_CATALOGUE)}")
        needed = _NEEDS.get(name)
        if needed and not getattr(settings, needed):
            if name == "feeds" and not names:
                # Among the usual sources, and most sites have none.
                continue
            raise UsageError(f"the source {name} needs the setting {variable_name(needed)}")
        found += _CATALOGUE[name](settings)
    return found


def feed_name(url: str) -> str:
    """What a feed is called in tables: its host, and a mark that tells two feeds there apart."""
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    # 40 characters is the column's length.
    return f"feed:{host[:28]}/{sha256(url.encode()).hexdigest()[:6]}"
