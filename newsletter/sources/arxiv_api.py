"""arXiv's query API: Atom, newest submissions first (info.arxiv.org/help/api/user-manual.html)."""

from collections.abc import Iterator, Sequence
from datetime import date
from xml.etree.ElementTree import Element

from newsletter.errors import FetchError, ParseError
from newsletter.sources.base import Page, PaperRecord, Request
from newsletter.sources.reading import read_entries
from newsletter.sources.record import BadEntryError, make, split_arxiv_id
from newsletter.sources.xml import ARXIV, ATOM, child, elements

_URL = "https://export.arxiv.org/api/query"
_SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
# arXiv advises slices of at most 2,000 and serves 30,000 in all; a hundred is a quick answer.
_SLICE = 100
_MOST = 30_000


class ArxivApi:
    """Papers submitted between two dates in the categories given."""

    name = "arxiv"

    def __init__(self, categories: Sequence[str] = ()) -> None:
        self.categories = tuple(categories)

    def first_request(self, since: date, until: date) -> Request:
        """The newest slice of what was submitted from ``since`` to ``until``."""
        wanted = " OR ".join(f"cat:{category}" for category in self.categories)
        span = f"submittedDate:[{since:%Y%m%d}0000 TO {until:%Y%m%d}2359]"
        return _slice(f"({wanted}) AND {span}", 0)

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read one slice.

        Raises:
            ParseError: it is not Atom, or arXiv's own error entry.
            FetchError: the page is empty although there is more, as happens; ask again.
        """
        numbers = {"totalResults": 0, "startIndex": 0}
        wanted = frozenset({f"{ATOM}entry", *(_SEARCH + name for name in numbers)})
        seen_feed = b"<feed" in body[:4096]

        def entries() -> Iterator[Element]:
            for element in elements(body, wanted, where=where):
                if element.tag == f"{ATOM}entry":
                    yield element
                elif (text := (element.text or "").strip()).isdecimal():
                    numbers[element.tag.removeprefix(_SEARCH)] = int(text[:9])

        page = read_entries(entries(), lambda entry: _paper(entry, where), where=where)
        if not seen_feed and not page.announced:
            raise ParseError("an Atom feed was expected", where=where)
        total, start = numbers["totalResults"], numbers["startIndex"]
        if not page.announced and total > start:
            raise FetchError(
                f"an empty page although {total} papers match", where=where, transient=True
            )
        following = start + page.announced
        if request is None or page.cut_short or following >= min(total, _MOST):
            return page
        return Page(page.records, page.problems, _slice(request.params["search_query"], following))


def _slice(query: str, start: int) -> Request:
    return Request(
        _URL,
        {
            "search_query": query,
            "sortBy": "submittedDate",
            "sortOrder": "descending",
            "start": str(start),
            "max_results": str(_SLICE),
        },
    )


def _paper(entry: Element, where: str) -> PaperRecord:
    address = child(entry, f"{ATOM}id")
    if "/api/errors" in address:
        # A malformed id or query is answered by one entry titled "Error".
        raise ParseError(f"arXiv answered: {child(entry, f'{ATOM}summary')}", where=where)
    arxiv_id, version = split_arxiv_id(address)
    if arxiv_id is None:
        raise BadEntryError(f"{address[:80]!r} is no arXiv id")
    primary = [e.get("term") for e in entry.iterfind(f"{ARXIV}primary_category")]
    categories = [e.get("term") for e in entry.iterfind(f"{ATOM}category")]
    return make(
        source="arxiv",
        external_id=arxiv_id,
        arxiv=arxiv_id,
        version=version or 1,
        title=child(entry, f"{ATOM}title"),
        abstract=child(entry, f"{ATOM}summary"),
        authors=[child(author, f"{ATOM}name") for author in entry.iterfind(f"{ATOM}author")],
        categories=[*primary, *categories],
        doi=child(entry, f"{ARXIV}doi"),
        published=child(entry, f"{ATOM}published"),
    )
