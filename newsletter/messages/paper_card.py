"""Papers as templates need them: clean texts and safe links. Pure except for a log line."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from newsletter.core.models import DigestLength, Signal
from newsletter.core.one_line import shortened
from newsletter.messages import wording
from newsletter.messages.digest import DigestPaper, DigestSection, FrozenPaper, NewsItem

logger = logging.getLogger(__name__)

ACTIONS = (
    ("Relevant", Signal.RELEVANT),
    ("Not relevant", Signal.NOT_RELEVANT),
    ("Save", Signal.SAVED),
)
SOURCE_NAMES = {
    "arxiv": "arXiv",
    "biorxiv": "bioRxiv",
    "crossref": "Crossref",
    "hf": "Hugging Face",
    "medrxiv": "medRxiv",
    "openalex": "OpenAlex",
    "openreview": "OpenReview",
    "pubmed": "PubMed",
    "semantic-scholar": "Semantic Scholar",
}
# More categories than this say less than fewer; cross-lists run to ten.
MOST_CATEGORIES = 4
# One hostile paper must not fill a message; real titles end before 300 characters.
LONGEST_TITLE = 400
LONGEST_NAME = 100
LONGEST_EXPLANATION = 400
LONGEST_IN_SHORT = 400
# For screen readers, in the label of three links: enough to recognise the paper.
LABEL_CHARACTERS = 48


class CardKey(NamedTuple):
    """The part of a card that is equal for all readers with this length and label.

    All that belongs to one subscriber is left out, so equal values give equal cards.
    """

    paper: FrozenPaper
    highlights: tuple[tuple[int, int], ...]
    in_short: tuple[tuple[int, int], ...]
    fit: str
    explained: bool
    length: DigestLength


@dataclass(frozen=True, slots=True)
class Card:
    """One paper as a template fills it in; ``links`` and ``actions`` are (name, URL)."""

    title: str
    short_title: str
    url: str | None
    authors: str
    origin: str
    in_short: str
    fit: str
    explanation: str
    abstract: tuple[wording.Passage, ...]
    links: tuple[tuple[str, str], ...]
    actions: tuple[tuple[str, str], ...]
    receipt_url: str


class NewsCard(NamedTuple):
    """What became of a paper that the reader knows, as a template fills it in."""

    title: str
    said: str
    url: str


def news(items: Sequence[NewsItem], base_url: str) -> tuple[NewsCard, ...]:
    """Cards of news; what has no address of its own leads to the paper's page."""
    return tuple(
        NewsCard(
            _brief(item.title, LONGEST_TITLE) or "Untitled",
            _brief(item.said, LONGEST_EXPLANATION),
            (item.url and _safe(item.url, item.paper_id)) or f"{base_url}/paper/{item.paper_id}",
        )
        for item in items
    )


def heading(section: DigestSection) -> tuple[str, str]:
    """Name and note of a section, clean."""
    return _heading(section.name, section.note)


# Sections are named after topics, of which many subscribers have the same.
@lru_cache(maxsize=1000)
def _heading(name: str, note: str) -> tuple[str, str]:
    return _brief(name, LONGEST_NAME), _brief(note, LONGEST_EXPLANATION)


def explanation(text: str) -> str:
    """Why a paper is there, clean."""
    return _brief(text, LONGEST_EXPLANATION)


def shown(paper: DigestPaper, length: DigestLength, *, explained: bool) -> CardKey:
    """The part of ``paper`` that does not depend on who reads it."""
    fit = wording.LABELS[paper.label]
    return CardKey(paper.frozen, paper.highlights, paper.in_short, fit, explained, length)


def card(
    shown: CardKey, *, why: str, feedback_url: str, receipt_url: str, click_url: str = ""
) -> Card:
    """A card; ``feedback_url`` is where answers of this delivery go, without paper and signal.

    ``receipt_url`` is where its papers' scores are told part by part, without the paper.
    ``click_url`` is where its clicks are counted, without the paper; "" where they are not.
    """
    paper = shown.paper
    title = _brief(paper.title, LONGEST_TITLE) or "Untitled"
    base = f"{feedback_url}/{paper.paper_id}"
    known = (("Code", paper.code_url), ("Project page", paper.project_url))
    links = [(name, _safe(url, paper.paper_id)) for name, url in known if url]
    url = _safe(paper.url, paper.paper_id)
    return Card(
        title=title,
        short_title=shortened(title, LABEL_CHARACTERS),
        url=f"{click_url}/{paper.paper_id}" if url and click_url else url,
        authors=wording.authors_in_words(paper.authors),
        origin=_origin(paper),
        in_short=_brief(
            " ".join(paper.abstract[start:end] for start, end in shown.in_short), LONGEST_IN_SHORT
        ),
        fit=shown.fit,
        explanation=why,
        abstract=wording.passages(paper.abstract, shown.highlights, shown.length),
        links=tuple((name, url) for name, url in links if url),
        actions=tuple((name, f"{base}/{signal}") for name, signal in ACTIONS),
        receipt_url=f"{receipt_url}/{paper.paper_id}",
    )


def _brief(text: str, most: int) -> str:
    return shortened(wording.one_line(text), most)


def _safe(url: str, paper_id: int) -> str | None:
    """Drop a bad link, so that one source cannot stop everyone's digest."""
    safe = wording.safe_url(url)
    if safe is None and url.strip():
        logger.warning(
            "paper %d: a link that is not plain http or https was left out: %a", paper_id, url[:80]
        )
    return safe


def _origin(paper: FrozenPaper) -> str:
    """``arXiv · cs.CL, cs.LG · 18 November · 21 upvotes``, as far as known."""
    source = SOURCE_NAMES.get(paper.source, paper.source)
    pieces = [
        _brief(source, LONGEST_NAME),
        ", ".join(
            _brief(category, LONGEST_NAME) for category in paper.categories[:MOST_CATEGORIES]
        ),
        paper.date,
        # Number and word stay together on a narrow screen.
        wording.count_in_words(paper.upvotes, "upvote").replace(" ", "\xa0")
        if paper.upvotes
        else "",
    ]
    return " · ".join(piece for piece in pieces if piece)
