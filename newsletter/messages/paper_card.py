"""Papers as templates need them: clean texts and safe links. Pure except for a log line."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from newsletter.core import language
from newsletter.core.language import N_, _, gettext, ngettext
from newsletter.core.models import DigestLength, Signal
from newsletter.core.one_line import shortened
from newsletter.messages import figures, other_words, paper_date, reasons, wording
from newsletter.messages.digest import Digest, DigestPaper, DigestSection, FrozenPaper, Spans
from newsletter.messages.reasons import Kinds, Reasons

logger = logging.getLogger(__name__)

# One press in a mail opens the issue with this paper chosen; the other answers are there.
RATING = (N_("Relevant"), Signal.RELEVANT)
# What the link of a reason is called in plain text; in HTML the reason itself is the link.
CHANGE = N_("Change this reason")
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
LONGEST_IN_SHORT = 400
# For screen readers, in the label of three links: enough to recognise the paper.
LABEL_CHARACTERS = 48


class CardKey(NamedTuple):
    """The part of a card that is equal for all readers with this length and label.

    All that belongs to one subscriber is left out, so equal values give equal cards.
    """

    paper: FrozenPaper
    highlights: Spans
    in_short: Spans
    fit: str
    linked: Kinds  # of its reasons
    length: DigestLength
    is_lead: bool = False
    read_here: bool = False


class Links(NamedTuple):
    """Where the links of a card lead, up to the paper's id.

    ``feedback`` takes answers, ``receipt`` tells scores part by part, ``paper`` is this site's
    page of a paper, ``click`` counts clicks ("" where they are not counted). ``learned`` shows what
    shapes the ranking ("" on pages whose link must not open it). ``figures`` are thumbnails, the
    same for all readers ("" where the site has none); ``in_words``: whether words of a model may
    stand on it.
    """

    feedback: str
    receipt: str
    paper: str
    click: str = ""
    learned: str = ""
    figures: str = ""
    in_words: bool = False


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
    reasons: tuple[tuple[str, str], ...]  # with the address of the bar, or ""
    abstract: tuple[wording.Passage, ...]
    links: tuple[tuple[str, str], ...]
    rating: tuple[str, str]
    receipt_url: str
    is_lead: bool
    figure: figures.Picture | None
    is_machine_made: bool  # the sentence in short, and the translated title
    translated: str  # the title in the reader's language, or ""
    number: str  # of its footnote in plain text

    @property
    def explanation(self) -> str:
        """Why the paper is there, in one line."""
        return " ".join(text for text, _url in self.reasons)


def heading(section: DigestSection) -> str:
    """The name of a section, clean."""
    return _heading(section.name)


# Sections are named after topics, of which many subscribers have the same.
@lru_cache(maxsize=1000)
def _heading(name: str) -> str:
    return _brief(name, LONGEST_NAME)


def shown(
    paper: DigestPaper,
    length: DigestLength,
    linked: Kinds = (),
    is_lead: bool = False,
    read_here: bool = False,
) -> CardKey:
    """The part of ``paper`` that does not depend on who reads it."""
    fit = wording.label(paper.label)
    if length is DigestLength.NORMAL and paper.in_short and not is_lead:
        length = DigestLength.COMPACT  # its one sentence stands for the abstract
    return CardKey(
        paper.frozen,
        paper.highlights,
        paper.in_short,
        fit,
        linked,
        length,
        is_lead,
        read_here,
    )


def card(shown: CardKey, *, why: Reasons, links: Links, number: str = "") -> Card:
    """The card of a paper; its links lead where ``links`` say; ``number`` is its footnote's."""
    paper = shown.paper
    title = _brief(paper.title, LONGEST_TITLE) or _("Untitled")
    known = ((_("Code"), paper.code_url), (_("Project page"), paper.project_url))
    more = [(name, _safe(url, paper.paper_id)) for name, url in known if url]
    words = other_words.spoken(paper.words) if links.in_words else None
    name, signal = RATING
    authors = wording.authors_in_words if shown.is_lead else wording.first_authors
    return Card(
        title=title,
        short_title=shortened(title, LABEL_CHARACTERS),
        url=_title_url(shown, links),
        authors=authors(paper.authors),
        origin=_origin(paper),
        in_short=_brief(
            words.sentence
            if words
            else " ".join(paper.abstract[start:end] for start, end in shown.in_short),
            LONGEST_IN_SHORT,
        ),
        is_machine_made=words is not None,
        translated=_brief(words.title, LONGEST_TITLE) if words else "",
        fit=shown.fit,
        reasons=reasons.linked(why, links.learned),
        abstract=_abstract(shown),
        links=tuple((name, url) for name, url in more if url),
        rating=(gettext(name), f"{links.feedback}/{paper.paper_id}/{signal}"),
        receipt_url=f"{links.receipt}/{paper.paper_id}",
        is_lead=shown.is_lead,
        figure=figures.shown(
            paper.figure, links.figures, paper.paper_id, shortened(title, LABEL_CHARACTERS)
        ),
        number=number,
    )


def _title_url(shown: CardKey, links: Links) -> str | None:
    paper = shown.paper
    if shown.read_here:
        # With the link to its receipt, so that the page can say why it was mailed.
        return f"{links.paper}/{paper.paper_id}?why={links.receipt.rpartition('/')[2]}"
    url = _safe(paper.url, paper.paper_id)
    return f"{links.click}/{paper.paper_id}" if url and links.click else url


def section_values(
    digest: Digest,
    section: DigestSection,
    papers: Sequence[tuple[DigestPaper, DigestLength]],
    links: Links,
    numbers: Iterator[int],
) -> dict[str, Any]:
    """A section as a template fills it in; its papers are numbered on from ``numbers``."""
    made = []
    for paper, length in papers:
        why = reasons.clean(paper.reasons)
        key = shown(
            paper,
            length,
            linked=reasons.kinds(why),
            is_lead=paper is digest.papers[0],
            read_here=digest.read_here,
        )
        made.append(card(key, why=why, links=links, number=str(next(numbers))))
    note = reasons.linked(reasons.clean(section.reasons), links.learned)
    return {"name": heading(section), "reasons": note, "papers": made}


def section_footnote(name: str, reasons: Sequence[tuple[str, str]]) -> str:
    """The links of what all papers of a section have in common, as lines of plain text."""
    return "".join(f"[{name}] {gettext(CHANGE)}: {url}\n" for _text, url in reasons if url)


def footnote(card: Card) -> str:
    """The links of a card as lines of plain text, under its number."""
    named = (
        (_("Paper"), card.url),
        *card.links,
        card.rating,
        (_("Why this?"), card.receipt_url),
        *((gettext(CHANGE), url) for _text, url in card.reasons),
    )
    first, *rest = [f"{name}: {url}" for name, url in named if url]
    return "\n".join([f"[{card.number}] {first}", *(f"- {line}" for line in rest), ""])


@lru_cache(maxsize=20_000)
def words_in(shown: CardKey) -> int:
    """How many words of the paper itself a card shows."""
    paper = shown.paper
    texts = [paper.title, *(paper.abstract[start:end] for start, end in shown.in_short)]
    texts += [text for text, _ in _abstract(shown)]
    return sum(len(text.split()) for text in texts)


# A card shows them and counts their words, with each label and in both bodies.
_passages = lru_cache(maxsize=2000)(wording.passages)


def _abstract(shown: CardKey) -> tuple[wording.Passage, ...]:
    return _passages(shown.paper.abstract, shown.highlights, shown.length, shown.in_short)


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
        paper_date.in_words(paper.dated) if paper.dated else paper.date,
        # Number and word stay together on a narrow screen.
        ngettext("{count} upvote", "{count} upvotes", paper.upvotes).replace(" ", "\xa0")
        if paper.upvotes
        else "",
    ]
    return " · ".join(language.isolated(piece) for piece in pieces if piece)
