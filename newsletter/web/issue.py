"""A digest as a page: everything that its mail shows, as `view.html` and `rate.html` list it."""

from dataclasses import dataclass, replace
from typing import Any

from newsletter.messages import paper_card, reasons, transactional, wording
from newsletter.messages.digest import Digest
from newsletter.messages.paper_card import Card, Links
from newsletter.web.site import Site


@dataclass(frozen=True, slots=True)
class Item:
    """A paper of the digest: its card, and what the card leaves out."""

    paper_id: int
    position: int
    card: Card
    abstract: str


@dataclass(frozen=True, slots=True)
class Section:
    """Papers under one heading."""

    name: str
    note: str
    items: tuple[Item, ...]


def values(site: Site, digest: Digest, links: Links) -> dict[str, Any]:
    """What the templates need; neither name nor address, because links to it are forwarded."""
    nameless = replace(digest, to_name="", to_address="")
    sections, words = [], 0
    for section in digest.sections:
        items = []
        for paper in section.papers:
            why = reasons.clean(paper.reasons)
            shown = paper_card.shown(paper, digest.length, is_lead=paper is digest.papers[0])
            card = paper_card.card(shown, why=why, links=links)
            words += paper_card.words_in(shown) + len(card.explanation.split())
            items.append(Item(paper.paper_id, paper.position, card, paper.abstract))
        note = " ".join(text for text, _ in reasons.clean(section.reasons))
        sections.append(Section(paper_card.heading(section), note, tuple(items)))
    return {
        "subject": digest.subject,
        "heading": transactional.digest_heading(
            digest.occasion, digest.issue_date, digest.covers_from
        ),
        "lead": transactional.digest_lead(nameless, site.settings.site_name),
        "contents": transactional.digest_contents(digest, words),
        "coverage": wording.one_line(digest.coverage),
        "news": digest.news,
        "sections": sections,
    }
