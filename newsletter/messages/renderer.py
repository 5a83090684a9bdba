"""A digest to the signed bytes of a message: the same rows give the same bytes.

Nothing is read or written after the start, so one renderer serves a whole send run; it keeps
the fragments that the digests of an edition have in common.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

from newsletter.core import language
from newsletter.core.config import Settings
from newsletter.core.models import DigestLength, Occasion
from newsletter.core.one_line import shortened
from newsletter.core.tokens import Purpose, Signer, of_generation
from newsletter.messages import (
    paper_card,
    size_limit,
    templates,
    transactional,
    wording,
)
from newsletter.messages.broadcast_renderer import BroadcastRenderer
from newsletter.messages.builder import Addressed, MessageMaker
from newsletter.messages.digest import Digest, DigestPaper, DigestSection
from newsletter.messages.envelope import Envelope
from newsletter.messages.fragments import (
    Fit,
    Fragments,
    HtmlAndText,
    PaperFragments,
    Said,
    Shows,
    Wrapper,
    encoded_both,
    links_of,
    sizes_in_html,
    sizes_of,
    slot,
)
from newsletter.messages.news import news_cards
from newsletter.messages.note_renderer import NoteRenderer
from newsletter.messages.size_limit import HTML_LIMIT, Shape

# Frames differ by date, occasion and what was read: as many an edition as its readers have dates
# of their last digest.
_MOST_FRAMES = 512
# What in the frame differs from digest to digest.
_WORDS = ("subject", "preheader", "lead", "contents", "reason")
_PAGES = ("view", "preferences", "unsubscribe")
# A hostile name or preheader must not fill a message; nobody reads past this.
_LONGEST_WORDS = 500

# A section with its papers' cards, reasons and what is said of their match.
_SectionCards = tuple[DigestSection, list[tuple[PaperFragments, Said, Fit]]]


class Parts(NamedTuple):
    """The two bodies of a message."""

    html: str
    text: str


class Renderer:
    """Renders every mail of a site. Templates and keys are read once, at the start."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        """Check what every message needs.

        Raises:
            SettingsError: the From address is missing, or a DKIM key cannot be used.
            RenderError: a template cannot be read.
        """
        self._base_url = settings.base_url
        self._site = wording.one_line(settings.site_name)
        self._postal_address = wording.one_line(settings.postal_address or "")
        self._signer = signer
        self._maker = MessageMaker(settings, signer)
        self.broadcast = BroadcastRenderer(settings, signer, self._maker).envelope
        notes = NoteRenderer(settings, signer, self._maker)
        self.confirmation, self.account_link = notes.confirmation, notes.account_link
        self._count_clicks = settings.count_clicks
        self._shows = Shows(bool(settings.figures), words=settings.rephrase_url is not None)
        self._fragments_in: dict[str, Fragments] = {}
        self._frame = lru_cache(maxsize=_MOST_FRAMES)(self._make_frame)

    def digest(self, digest: Digest) -> Envelope:
        """The message of a digest, signed when there is a key.

        What it shares with other digests is rendered and encoded once; `parts` is the plain way
        to the same bodies, and a test holds the two together.

        Raises:
            RenderError: something in this digest cannot be sent; the reason names it.
        """
        with language.speaking(digest.language):
            tokens = self._tokens(digest)
            cards = self._cards(digest, size_limit.unshortened(digest))
            words = self._words(digest, _words_to_read(cards))
            html, text = self._filled(digest, tokens, words, cards, notice="")
            # Encoding only adds, so most digests are known to fit; a tenth is kept for the notice.
            if sum(map(len, html)) > 0.9 * HTML_LIMIT:
                plan = self._plan(digest, tokens, words)
                cards = self._cards(digest, plan)
                html, text = self._filled(digest, tokens, words, cards, notice=plan.notice)
        to = Addressed(
            delivery_id=digest.delivery_id,
            unsubscribe=tokens["unsubscribe"],
            unsubscribe_mailbox=self._mailbox(digest.subscriber_public_id),
            to_address=digest.to_address,
            to_name=digest.to_name,
            message_id=digest.message_id,
            subject=digest.subject,
            created_at=digest.created_at,
        )
        return self._maker.envelope(to, text, html)

    def parts(self, digest: Digest, *, whole: bool = False) -> Parts:
        """The bodies of a digest as they are sent; or, for a browser, ``whole``.

        The page in the browser is as long as it needs to be, and has no link to itself.

        Raises:
            RenderError: a template fails.
        """
        with language.speaking(digest.language):
            return self._parts(digest, whole=whole)

    def _parts(self, digest: Digest, *, whole: bool) -> Parts:
        tokens, words = self._tokens(digest), self._words(digest, _words_in(digest))
        plan = size_limit.unshortened(digest) if whole else self._plan(digest, tokens, words)
        words["notice"] = plan.notice
        values = self._frame_values(words, tokens, _framing(digest))
        if whole:
            values["links"]["view"] = ""
        links = links_of(self._base_url, tokens, self._shows)
        numbers = count(1)
        values["sections"] = [
            paper_card.section_values(digest, section, papers, links, numbers)
            for section, papers in size_limit.placed(digest, plan)
        ]
        values["news"] = news_cards(digest.news, self._base_url)
        values["footnotes"] = "".join(
            paper_card.section_footnote(section["name"], section["reasons"])
            + "".join(map(paper_card.footnote, section["papers"]))
            for section in values["sections"]
        )
        return _rendered("digest", values)

    @property
    def _fragments(self) -> Fragments:
        """Those of the language that is on."""
        name = language.current()
        if name not in self._fragments_in:
            self._fragments_in[name] = Fragments(
                self._base_url, count_clicks=self._count_clicks, shows=self._shows
            )
        return self._fragments_in[name]

    def _cards(self, digest: Digest, plan: Shape) -> list[_SectionCards]:
        """Sections with the cards of their papers, as the plan shows them, and their reasons."""
        fragments, read_here = self._fragments, digest.read_here
        is_lead = True
        made: list[_SectionCards] = []
        for section, papers in size_limit.placed(digest, plan):
            cards = []
            for paper, length in papers:
                said = fragments.said(paper.reasons)
                card = fragments.paper(paper, length, said.linked, is_lead, read_here)
                cards.append((card, said, fragments.fits[paper.label]))
                is_lead = False
            made.append((section, cards))
        return made

    def _filled(
        self,
        digest: Digest,
        tokens: dict[str, str],
        words: dict[str, str],
        sections: Sequence[_SectionCards],
        *,
        notice: str,
    ) -> tuple[list[bytes], list[bytes]]:
        """HTML and text, encoded, in pieces."""
        for_html = {name: f"{token}=\r\n".encode() for name, token in tokens.items()}
        for_text = dict(for_html)
        for name, said in (words | {"notice": notice}).items():
            for_html[name], for_text[name] = encoded_both(said)
        html: list[bytes] = []
        text: list[bytes] = []

        def put(pair: HtmlAndText) -> None:
            pair.html.fill(html, for_html)
            pair.text.fill(text, for_text)

        fragments = self._fragments
        frame = self._frame_of(digest, noticed=bool(notice))
        put(frame.head)
        footnotes: list[bytes] = []
        numbers = count(1)
        for index, (section, cards) in enumerate(sections):
            if index and frame.between:
                put(frame.between)
            shared = fragments.said(section.reasons)
            for_html.update(shared.html)
            for_text.update(shared.text)
            name = paper_card.heading(section)
            around = fragments.section(name, shared.linked)
            put(around.head)
            fragments.section_footnote(name, shared.linked).fill(footnotes, for_text)
            for place, (card, why, fit) in enumerate(cards):
                if place and around.between:
                    put(around.between)
                for_html.update(why.html)
                for_text.update(why.text)
                for_html["fit"], for_text["fit"] = fit.html, fit.text
                for_text["number"] = b"%d=\r\n" % next(numbers)
                card.html.fill(html, for_html)
                card.text.fill(text, for_text)
                card.footnote.fill(footnotes, for_text)
            put(around.foot)
        if digest.news:
            put(fragments.news(digest.news))
        for_text["footnotes"] = b"".join(footnotes)
        put(frame.foot)
        return html, text

    def _plan(self, digest: Digest, tokens: dict[str, str], words: dict[str, str]) -> Shape:
        """The papers and lengths that fit under the size at which mailboxes cut."""
        fragments = self._fragments
        sizes = {name: len(token) for name, token in tokens.items()}
        sizes |= sizes_in_html(words)
        sizes["notice"] = size_limit.LONGEST_NOTICE
        frame = self._frame_of(digest, noticed=True)
        taken = sum(pair.html.filled_size(sizes) for pair in frame.pairs())
        for section in digest.sections:
            shared = fragments.said(section.reasons)
            sizes |= sizes_of(section.reasons)
            around = fragments.section(paper_card.heading(section), shared.linked)
            taken += sum(pair.html.filled_size(sizes) for pair in around.pairs())
        if digest.news:
            taken += fragments.news(digest.news).html.size

        first = digest.papers[0].paper_id if digest.papers else 0

        def size_of(paper: DigestPaper, length: DigestLength) -> int:
            said = fragments.said(paper.reasons)
            sizes.update(sizes_of(paper.reasons))
            sizes["fit"] = fragments.fits[paper.label].size
            is_lead = paper.paper_id == first
            card = fragments.paper(paper, length, said.linked, is_lead, digest.read_here)
            return card.html.filled_size(sizes)

        return size_limit.shape(digest.papers, digest.length, size_of, HTML_LIMIT - taken)

    def _frame_of(self, digest: Digest, *, noticed: bool) -> Wrapper:
        empty = not digest.papers
        return self._frame(_framing(digest), noticed, empty, empty and not digest.news)

    def _make_frame(
        self, framing: "Framing", noticed: bool, no_papers: bool, empty: bool
    ) -> Wrapper:
        words = {name: slot(name) for name in _WORDS} | {"notice": slot("notice") * noticed}
        if no_papers:
            words["contents"] = ""
        tokens = {page: slot(page) for page in _PAGES}
        values = self._frame_values(words, tokens, framing)
        values["footnotes"] = "" if no_papers else slot("footnotes")
        return self._fragments.frame(values, empty=empty)

    def _frame_values(
        self, words: dict[str, str], tokens: dict[str, str], framing: "Framing"
    ) -> dict[str, Any]:
        links = {page: f"{self._base_url}/{page}/{tokens[page]}" for page in _PAGES}
        return words | {
            "news": (),
            "heading": transactional.digest_heading(
                framing.occasion, framing.issue_date, framing.covers_from
            ),
            "coverage": wording.one_line(framing.coverage),
            "site_name": self._site,
            "postal_address": self._postal_address,
            # For those a mail was forwarded to: it carries nothing of the sender's.
            "links": links | {"subscribe": f"{self._base_url}/sign-up"},
        }

    def _words(self, digest: Digest, to_read: int) -> dict[str, str]:
        """What in the frame differs from digest to digest; the notice comes with the plan."""
        said = (
            digest.subject,
            digest.preheader,
            transactional.digest_lead(digest, self._site),
            transactional.digest_contents(digest, to_read),
            transactional.digest_reason(self._site, digest.to_address),
        )
        clean = (shortened(wording.one_line(text), _LONGEST_WORDS) for text in said)
        return dict(zip(_WORDS, clean, strict=True))

    def _mailbox(self, public_id: str) -> str:
        return self._signer.mailbox_token(Purpose.UNSUBSCRIBE, public_id)

    def _tokens(self, digest: Digest) -> dict[str, str]:
        """One HMAC for all answers of a delivery: paper and signal stand beside it in the path."""
        sign = self._signer.sign
        delivery = of_generation(str(digest.delivery_id), digest.link_generation)
        mine = of_generation(digest.subscriber_public_id, digest.link_generation)
        counted = {"click": sign(Purpose.CLICK, delivery)} if self._count_clicks else {}
        return counted | {
            "token": sign(Purpose.FEEDBACK, delivery),
            "receipt": sign(Purpose.RECEIPT, delivery),
            "view": sign(Purpose.VIEW, delivery),
            "preferences": sign(Purpose.PREFERENCES, mine),
            "unsubscribe": sign(Purpose.UNSUBSCRIBE, digest.subscriber_public_id),
        }


class Framing(NamedTuple):
    """What the frame of a digest depends on, but for its words and tokens."""

    occasion: Occasion
    issue_date: date
    covers_from: date | None
    coverage: str
    language: str


def _framing(digest: Digest) -> Framing:
    return Framing(
        digest.occasion, digest.issue_date, digest.covers_from, digest.coverage, digest.language
    )


def _words_in(digest: Digest) -> int:
    """How many words there are to read at the length that was chosen."""
    words = 0
    for index, paper in enumerate(digest.papers):
        key = paper_card.shown(paper, digest.length, (), index == 0)
        words += paper_card.words_in(key) + len(paper.explanation.split())
    return words


def _words_to_read(sections: Sequence[_SectionCards]) -> int:
    """The same from cards of that length."""
    return sum([card.words + why.words for _, cards in sections for card, why, _ in cards])


def _rendered(name: str, values: dict[str, Any]) -> Parts:
    html, text = templates.compiled(name)
    return Parts(templates.render(html, values), templates.render(text, values))
