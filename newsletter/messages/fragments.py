"""Encoded pieces of digests: what subscribers have in common is rendered and encoded once.

A fragment is a template's output in quoted-printable with slots left open for what belongs to
one subscriber. Filling slots and joining is all that is left to do for a message; the result
decodes to exactly what the whole template would have given (a test holds that).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, Self

from markupsafe import escape

from newsletter.core.models import DigestLength, Label
from newsletter.messages import mime, paper_card, reasons, templates, wording
from newsletter.messages.digest import DigestPaper, FrozenPaper, Spans
from newsletter.messages.news import NewsItem, news_cards
from newsletter.messages.paper_card import Links
from newsletter.messages.reasons import Kinds, Reason, Reasons

# Control characters cannot come from outside: `wording.one_line` takes them out of every text.
_SLOT = re.compile("\x02([a-z]+)\x03")
_SOFT_BREAK = b"=\r\n"
# A fragment of a paper takes about 6 KB: 12 MB. An edition has some hundred papers in three
# lengths, first or not, most of which never occur.
_MOST_PAPERS = 2000
_UNLABELLED = Label.NONE  # looked up once: on the class that takes .1 µs for each paper


def slot(name: str) -> str:
    """The mark that stands for a slot while a template is rendered."""
    return f"\x02{name}\x03"


@dataclass(frozen=True, slots=True)
class Fragment:
    """Encoded text in pieces: at every other place stands what goes into one of ``slots``.

    ``chosen`` takes that from all values. ``size`` is in octets before encoding, without what
    goes into the slots.
    """

    pieces: list[bytes]
    slots: Sequence[str]
    chosen: Callable[[Mapping[str, bytes]], Sequence[bytes]]
    size: int

    def fill(self, pieces: list[bytes], values: Mapping[str, bytes]) -> None:
        """Append the text to ``pieces``, with ``values`` (from `encoded`) in the slots."""
        filled = self.pieces.copy()
        filled[1::2] = self.chosen(values)
        pieces += filled

    def filled_size(self, sizes: Mapping[str, int]) -> int:
        """Octets before encoding with slots of these sizes."""
        return self.size + sum(sizes[name] for name in self.slots)


class HtmlAndText(NamedTuple):
    """The same thing in HTML and in plain text."""

    html: Fragment
    text: Fragment


class PaperFragments(NamedTuple):
    """A paper's card in HTML and in plain text, and its links as a footnote of the text.

    ``words`` is how many there are to read of the paper itself.
    """

    html: Fragment
    text: Fragment
    footnote: Fragment
    words: int


class Fit(NamedTuple):
    """What is said of a match, encoded; ``size`` is in octets of HTML before that."""

    html: bytes
    text: bytes
    size: int

    @classmethod
    def of(cls, said: str) -> Self:
        """Encode it."""
        return cls(*encoded_both(said), len(escape(said).encode()))


class Said(NamedTuple):
    """Reasons as they stand in slots: whether each leads to its bar, and what fills the slots.

    ``words`` is how many there are to read.
    """

    linked: Kinds
    html: Mapping[str, bytes]
    text: Mapping[str, bytes]
    words: int


class Wrapper(NamedTuple):
    """What stands before, between and after the things that a template loops over."""

    head: HtmlAndText
    between: HtmlAndText | None  # None where nothing stands between, which is usual
    foot: HtmlAndText

    def pairs(self) -> Iterator[HtmlAndText]:
        """Those that are there."""
        return (pair for pair in self if pair)


def encoded(text: str) -> bytes:
    """``text`` in quoted-printable on lines of its own, so that anything can follow."""
    lines = mime.quoted_printable(text)
    return lines if lines.endswith(b"\r\n") or not lines else lines + _SOFT_BREAK


def encoded_both(text: str) -> tuple[bytes, bytes]:
    """``text`` `encoded` for HTML and for plain text; mostly they are the same."""
    if not text:
        return b"", b""
    plain, escaped = encoded(text), escape(text)
    return (plain if len(escaped) == len(text) else encoded(str(escaped))), plain


def _slots(linked: Kinds) -> Reasons:
    """Slots in the place of reasons."""
    return tuple(
        Reason(slot(why), slot(bar) if has_bar else "")
        for (why, bar), has_bar in zip(reasons.SLOTS, linked, strict=False)
    )


def sizes_of(why: Reasons) -> dict[str, int]:
    """Octets in HTML of what reasons put into slots."""
    return sizes_in_html(reasons.filled(reasons.clean(why)))


def sizes_in_html(words: Mapping[str, str]) -> dict[str, int]:
    """Octets in HTML, attributes included, of what goes into slots."""
    return {name: len(escape(said).encode()) for name, said in words.items()}


class Shows(NamedTuple):
    """What a site shows besides, as its operator chose."""

    figures: bool = False
    words: bool = False


def links_of(base_url: str, tokens: Mapping[str, str], shows: Shows) -> Links:
    """Where the links of a delivery's cards lead; ``tokens`` as `Renderer` names them."""
    return Links(
        feedback=f"{base_url}/feedback/{tokens['token']}",
        receipt=f"{base_url}/receipt/{tokens['receipt']}",
        paper=f"{base_url}/paper",
        click=f"{base_url}/click/{tokens['click']}" if "click" in tokens else "",
        learned=f"{base_url}/preferences/{tokens['preferences']}/learned",
        figures=f"{base_url}/figures" if shows.figures else "",
        in_words=shows.words,
    )


class Fragments:
    """Makes and keeps the fragments of the digest template."""

    def __init__(self, base_url: str, *, count_clicks: bool, shows: Shows) -> None:
        """Links lead to the site at ``base_url``."""
        self._base_url = base_url
        self._templates = templates.compiled("digest")
        names = ("token", "receipt", "preferences", *(["click"] if count_clicks else []))
        slots = {name: slot(name) for name in names}
        self._links = links_of(base_url, slots, shows)
        # These fill a slot, so that one card serves readers with any label.
        self.fits = {label: Fit.of(wording.label(label)) for label in Label}
        self._paper = lru_cache(maxsize=_MOST_PAPERS)(self._make_paper)
        self.section = lru_cache(maxsize=_MOST_PAPERS)(self._make_section)
        self.section_footnote = lru_cache(maxsize=_MOST_PAPERS)(self._make_section_footnote)
        self.news = lru_cache(maxsize=_MOST_PAPERS)(self._make_news)
        # Reasons repeat, as topics and keywords do.
        self.said = lru_cache(maxsize=_MOST_PAPERS)(_said)

    def frame(self, values: dict[str, Any], *, empty: bool) -> Wrapper:
        """The template around its sections; with ``empty`` it has none, and all is head.

        Not kept here: only the caller knows which values stand for how many digests.
        """
        sections = () if empty else (None, None)
        return _frame(
            templates.render(template, values | {"sections": sections}, closed="section")
            for template in self._templates
        )

    def _make_section(self, name: str, note: Kinds) -> Wrapper:
        """A section around its papers, with the slots of its ``note``'s reasons."""
        said = reasons.linked(_slots(note), self._links.learned)
        section = {"name": name, "reasons": said, "papers": (None, None)}
        return _frame(
            templates.render_block(template, "section", {"section": section}, closed="paper")
            for template in self._templates
        )

    def _make_section_footnote(self, name: str, note: Kinds) -> Fragment:
        said = reasons.linked(_slots(note), self._links.learned)
        return _fragment(paper_card.section_footnote(name, said))

    def _make_news(self, news: tuple[NewsItem, ...]) -> HtmlAndText:
        """What became of papers that the reader knows; many readers know the same."""
        html, text = (
            templates.render_block(template, "told", {"news": news_cards(news, self._base_url)})
            for template in self._templates
        )
        return HtmlAndText(_fragment(html), _fragment(text))

    def paper(
        self,
        paper: DigestPaper,
        length: DigestLength,
        linked: Kinds,
        is_lead: bool,
        read_here: bool,
    ) -> PaperFragments:
        """A card with the slots ``token``, ``receipt``, ``preferences`` and those of its reasons
        (`reasons.SLOTS`), ``fit`` where it has a label, in text also ``number``; ``click`` where
        clicks count.
        """
        # Looked up by its parts: putting a `CardKey` together first takes twice as long.
        return self._paper(
            paper.frozen,
            paper.highlights,
            paper.in_short,
            paper.label is not _UNLABELLED,
            length,
            linked,
            is_lead,
            read_here,
        )

    def _make_paper(
        self,
        frozen: FrozenPaper,
        highlights: Spans,
        in_short: Spans,
        has_fit: bool,
        *others: *tuple[DigestLength, Kinds, bool, bool],
    ) -> PaperFragments:
        shared = DigestPaper(frozen, 0, _UNLABELLED, "", highlights, in_short)
        key = paper_card.shown(shared, *others)._replace(fit=slot("fit") if has_fit else "")
        card = paper_card.card(
            key, why=_slots(key.linked), links=self._links, number=slot("number")
        )
        html, text = (
            templates.render_block(template, "paper", {"paper": card})
            for template in self._templates
        )
        return PaperFragments(
            _fragment(html),
            _fragment(text),
            _fragment(paper_card.footnote(card)),
            paper_card.words_in(key),
        )


def _said(why: Reasons) -> Said:
    clean = reasons.clean(why)
    both = {name: encoded_both(text) for name, text in reasons.filled(clean).items()}
    return Said(
        reasons.kinds(clean),
        {name: html for name, (html, _) in both.items()},
        {name: text for name, (_, text) in both.items()},
        sum(len(each.text.split()) for each in why),
    )


def _frame(rendered: Iterable[str]) -> Wrapper:
    """HTML and text, each closed at none or two places."""
    html, text = ((*page.split(templates.CLOSED), "", "")[:3] for page in rendered)
    head, between, foot = (
        HtmlAndText(_fragment(h), _fragment(t)) for h, t in zip(html, text, strict=True)
    )
    return Wrapper(head, between if html[1] or text[1] else None, foot)


def _fragment(text: str) -> Fragment:
    parts = _SLOT.split(text)
    literals, slots = parts[::2], parts[1::2]
    pieces = [b""] * len(parts)
    pieces[::2] = map(encoded, literals)
    return Fragment(
        pieces, slots, _chooser(slots), sum(len(literal.encode()) for literal in literals)
    )


def _chooser(names: Sequence[str]) -> Callable[[Mapping[str, bytes]], Sequence[bytes]]:
    """Takes the values of ``names`` out of a mapping."""
    if len(names) > 1:
        return itemgetter(*names)
    return (lambda values: (values[names[0]],)) if names else (lambda values: ())
