"""arXiv's query API: Atom, newest submissions first (info.arxiv.org/help/api/user-manual.html)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from xml.etree.ElementTree import Element

from newsletter.core.errors import FetchError, ParseError
from newsletter.core.identifiers import split_arxiv_id
from newsletter.sources.base import Page, PaperRecord, Problem, Request, Source
from newsletter.sources.normalise import BadPaperError, is_withdrawn, make
from newsletter.sources.parsing.json import read_papers
from newsletter.sources.parsing.xml import children, elements, local, text

_URL = "https://export.arxiv.org/api/query"
# arXiv allows slices of 2,000 and serves 30,000 in all; two hundred are a quick answer.
_SLICE = 200
_MOST = 30_000
_NUMBERS = ("totalResults", "startIndex")


class ArxivApi(Source):
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
        numbers = dict.fromkeys(_NUMBERS, 0)
        roots: list[str] = []

        def announced() -> Iterator[Element]:
            for element in elements(body, frozenset({"entry", "feed", *_NUMBERS}), where=where):
                if local(element) == "entry":
                    yield element
                elif local(element) == "feed":
                    roots.append("feed")
                elif text(element).isdecimal():
                    numbers[local(element)] = int(text(element)[:9])

        page = read_papers(announced(), lambda entry: _paper(entry, where), where=where)
        if not page.announced and not roots:
            raise ParseError("expected an Atom feed", where=where)
        total, start = numbers["totalResults"], numbers["startIndex"]
        if not page.announced and total > start:
            what = f"an empty page although {total} papers match"
            raise FetchError(what, where=where, transient=True)
        following = start + page.announced
        if request is None or page.cut_short or following >= total:
            return page
        if following >= _MOST:
            what = f"{total:,} papers match and it serves {_MOST:,}: read the rest with arxiv-oai"
            return replace(page, problems=(*page.problems, Problem(where, what)), cut_short=True)
        return replace(page, next=_slice(request.params["search_query"], following))


def _doi_link(entry: Element) -> str | None:
    """Of the related links one is the PDF and one the DOI, told apart by their titles."""
    links = (link for link in children(entry, "link") if link.get("title") == "doi")
    return next((link.get("href") for link in links), None)


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
    address = text(entry, "id")
    if "/api/errors" in address:
        # A malformed id or query is answered by one entry titled "Error".
        raise ParseError(f"arXiv answered: {text(entry, 'summary')}", where=where)
    arxiv_id, version = split_arxiv_id(address)
    if arxiv_id is None:
        raise BadPaperError(f"{address[:80]!r} is not an arXiv id")
    abstract = text(entry, "summary")
    primary = [element.get("term") for element in children(entry, "primary_category")]
    categories = [element.get("term") for element in children(entry, "category")]
    withdrawn = is_withdrawn(text(entry, "comment"), abstract)
    return make(
        source="arxiv",
        external_id=arxiv_id,
        arxiv=arxiv_id,
        version=version or 1,
        title=text(entry, "title"),
        abstract=abstract,
        authors=[text(author, "name") for author in children(entry, "author")],
        categories=[*primary, *categories],
        doi=text(entry, "doi") or _doi_link(entry),
        # `published` is the first version's date, `updated` this one's.
        published=text(entry, "published"),
        announcement="replace" if withdrawn else "new",
        standing="withdrawn" if withdrawn else "",
    )
