"""arXiv's daily feeds, RSS and Atom: one announcement day, with its kind for every paper.

(info.arxiv.org/help/rss_specifications.html, atom_specifications.html)
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from xml.etree.ElementTree import Element

from newsletter.core.errors import ParseError
from newsletter.core.identifiers import split_arxiv_id
from newsletter.core.markup import read_markup
from newsletter.sources.base import AnnouncementKind, Page, PaperRecord, Request, Source
from newsletter.sources.normalise import BadPaperError, is_withdrawn, make
from newsletter.sources.parsing.json import read_papers
from newsletter.sources.parsing.xml import children, elements, local, text

_URL = "https://rss.arxiv.org/rss/"
_KINDS: dict[str, AnnouncementKind] = {
    "new": "new",
    "cross": "cross",
    "replace": "replace",
    "replace-cross": "replace",
}
_OPENING = re.compile(
    r"arXiv:\S+\s+Announce Type:\s*(?P<kind>[a-z-]+)\s*(?:Abstract:\s*)?", re.IGNORECASE
)
# Until 2024 titles ended "(arXiv:1912.12345v2 [cs.LG] UPDATED)", and items had no guid.
_OLD_END = re.compile(
    r"\.?\s*\(arXiv:(?P<id>\S{9,30})\s+\[[^\[\]]{2,30}\]\s*(?P<kind>UPDATED|CROSS LISTED)?\)$"
)
_ROOTS = frozenset({"rss", "feed", "RDF"})
# A bad category is answered by a feed with this title.
_ERROR = re.compile(rb"<title>\s*(Feed error[^<]*)</title>", re.IGNORECASE)
_HEAD = 2_000


class ArxivFeed(Source):
    """The feed of today; what earlier days announced is gone from it."""

    name = "arxiv-rss"
    conditional = True

    def __init__(self, categories: Sequence[str] = ()) -> None:
        self.categories = tuple(categories)

    def first_request(self, since: date, until: date) -> Request:
        """The feed of all categories together; it knows no dates."""
        return Request(_URL + "+".join(self.categories))

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read a feed; one without items is a quiet day.

        Raises:
            ParseError: it is not a feed, or is arXiv's "Feed error for query".
        """
        if error := _ERROR.search(body[:_HEAD]):
            said = error[1].decode("utf-8", "replace")
            raise ParseError(f"arXiv answered: {said}", where=where)
        roots: list[str] = []

        def announced() -> Iterator[Element]:
            for element in elements(body, frozenset({"item", "entry", *_ROOTS}), where=where):
                if local(element) in _ROOTS:
                    roots.append(local(element))
                else:
                    yield element

        page = read_papers(announced(), _paper, where=where)
        if not page.announced and not roots:
            raise ParseError("expected a feed", where=where)
        return page


def _paper(item: Element) -> PaperRecord:
    title, end = text(item, "title"), _OLD_END.search(text(item, "title"))
    names = [text(item, "guid"), text(item, "id"), end["id"] if end else "", text(item, "link")]
    name = next((name for name in names if split_arxiv_id(name)[0]), names[0] or names[1])
    arxiv_id, version = split_arxiv_id(name)
    if arxiv_id is None:
        raise BadPaperError(f"{name[:80]!r} is not an arXiv id")
    abstract = text(item, "description") or text(item, "summary")
    opening = _OPENING.match(abstract)
    kind = text(item, "announce_type") or (opening["kind"] if opening else "new")
    if end and end["kind"]:
        kind = "cross" if end["kind"].startswith("CROSS") else "replace"
    announcement = _KINDS.get(kind.lower(), "new")
    said = abstract[opening.end() :] if opening else abstract
    return make(
        source="arxiv",
        external_id=arxiv_id,
        arxiv=arxiv_id,
        version=version or 1,
        title=title[: end.start()] if end else title,
        abstract=said,
        standing="withdrawn" if is_withdrawn("", said) else "",
        author_lines=[" ".join(read_markup(text(item, "creator")).split())],
        categories=[e.get("term") or text(e) for e in children(item, "category")],
        doi=text(item, "DOI"),
        announcement=announcement,
        # The announcement's day; for anything but a new paper it says nothing of its age.
        published=(text(item, "pubDate") or text(item, "published"))
        if announcement == "new"
        else None,
    )
