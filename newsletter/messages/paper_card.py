"""Papers as templates need them: clean texts and safe links. Pure except for a log line."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from newsletter.core.models import DigestLength, Signal
from newsletter.core.one_line import shortened
from newsletter.messages import wording
from newsletter.messages.digest import DigestPaper, DigestSection, FrozenPaper

logger = logging.getLogger(__name__)

# One press in a mail opens the issue with this paper chosen; the other answers are there.
RATING = ("Relevant", Signal.RELEVANT)
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
    is_lead: bool = False
    read_here: bool = False


class Links(NamedTuple):
    """Where the links of a card lead, up to the paper's id.

    ``feedback`` takes answers, ``receipt`` tells scores part by part, ``paper`` is this site's
    page of a paper, ``click`` counts clicks ("" where they are not counted).
    """

    feedback: str
    receipt: str
    paper: str
    click: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One paper as a template fills it in; ``links`` are (name, URL), ``rating`` is one."""

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
    rating: tuple[str, str]
    receipt_url: str
    is_lead: bool
    number: str  # of its footnote in plain text


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


def shown(
    paper: DigestPaper,
    length: DigestLength,
    *,
    explained: bool,
    is_lead: bool = False,
    read_here: bool = False,
) -> CardKey:
    """The part of ``paper`` that does not depend on who reads it."""
    fit = wording.LABELS[paper.label]
    if length is DigestLength.NORMAL and paper.in_short and not is_lead:
        length = DigestLength.COMPACT  # its one sentence stands for the abstract
    return CardKey(
        paper.frozen,
        paper.highlights,
        paper.in_short,
        fit,
        explained,
        length,
        is_lead,
        read_here,
    )


def card(shown: CardKey, *, why: str, links: Links, number: str = "") -> Card:
    """The card of a paper; its links lead where ``links`` say; ``number`` is its footnote's."""
    paper = shown.paper
    title = _brief(paper.title, LONGEST_TITLE) or "Untitled"
    known = (("Code", paper.code_url), ("Project page", paper.project_url))
    more = [(name, _safe(url, paper.paper_id)) for name, url in known if url]
    name, signal = RATING
    authors = wording.authors_in_words if shown.is_lead else wording.first_authors
    return Card(
        title=title,
        short_title=shortened(title, LABEL_CHARACTERS),
        url=_title_url(shown, links),
        authors=authors(paper.authors),
        origin=_origin(paper),
        in_short=_brief(
            " ".join(paper.abstract[start:end] for start, end in shown.in_short), LONGEST_IN_SHORT
        ),
        fit=shown.fit,
        explanation=why,
        abstract=_abstract(shown),
        links=tuple((name, url) for name, url in more if url),
        rating=(name, f"{links.feedback}/{paper.paper_id}/{signal}"),
        receipt_url=f"{links.receipt}/{paper.paper_id}",
        is_lead=shown.is_lead,
        number=number,
    )


def _title_url(shown: CardKey, links: Links) -> str | None:
    paper = shown.paper
    if shown.read_here:
        # With the link to its receipt, so that the page can say why it was mailed.
        return f"{links.paper}/{paper.paper_id}?why={links.receipt.rpartition('/')[2]}"
    url = _safe(paper.url, paper.paper_id)
    return f"{links.click}/{paper.paper_id}" if url and links.click else url


def footnote(card: Card) -> str:
    """The links of a card as lines of plain text, under its number."""
    named = (("Paper", card.url), *card.links, card.rating, ("Why this?", card.receipt_url))
    first, *rest = [f"{name}: {url}" for name, url in named if url]
    return "\n".join([f"[{card.number}] {first}", *(f"- {line}" for line in rest), ""])


@lru_cache(maxsize=20_000)
def words_in(shown: CardKey) -> int:
    """How many words of the paper itself a card shows."""
    paper = shown.paper
    texts = [paper.title, *(paper.abstract[start:end] for start, end in shown.in_short)]
    texts += [text for text, _ in _abstract(shown)]
    return sum(len(text.split()) for text in texts)


def _abstract(shown: CardKey) -> tuple[wording.Passage, ...]:
    return wording.passages(shown.paper.abstract, shown.highlights, shown.length, shown.in_short)


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
