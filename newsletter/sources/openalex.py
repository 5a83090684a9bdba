"""OpenAlex works: JSON, abstracts as inverted indexes (docs.openalex.org)."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from newsletter.core.errors import ParseError
from newsletter.core.identifiers import split_arxiv_id
from newsletter.sources.base import Author, Page, PaperRecord, Request, Source
from newsletter.sources.normalise import NotAPaperError, make
from newsletter.sources.parsing.json import as_dict, as_list, as_object, load_json, read_papers

_URL = "https://api.openalex.org/works"
_PER_PAGE = 100
# An abstract has some hundred words; a position beyond this is a mistake, not a text.
_MOST_WORDS = 5_000


class OpenAlex(Source):
    """Works that match the search terms, by publication date."""

    name = "openalex"
    # It lists works weeks after their publication date.
    overlap = timedelta(days=30)

    def __init__(self, terms: Sequence[str] = ()) -> None:
        self.terms = tuple(terms)

    def first_request(self, since: date, until: date) -> Request:
        """The first page; the answer's cursor leads on."""
        return Request(
            _URL,
            {
                "search": " OR ".join(f'"{term}"' for term in self.terms),
                "filter": f"from_publication_date:{since.isoformat()},"
                f"to_publication_date:{until.isoformat()}",
                "per_page": str(_PER_PAGE),
                "cursor": "*",
            },
        )

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read one page of works.

        Raises:
            ParseError: it is not OpenAlex's JSON, or an error in it.
        """
        answer = as_dict(load_json(body, where=where))
        if str(answer.get("id", "")).startswith("https://openalex.org/W"):
            return read_papers([answer], _paper, where=where)
        if "results" not in answer:
            said = answer.get("message") or answer.get("error") or "results were expected"
            raise ParseError(f"the service answered: {said}", where=where)
        results = as_list(answer["results"])
        cursor = as_dict(answer.get("meta")).get("next_cursor")

        def following() -> Request | None:
            if request is None or not results or not isinstance(cursor, str):
                return None
            return Request(request.url, {**request.params, "cursor": cursor})

        return read_papers(results, _paper, where=where, following=following)


def _paper(raw: Any) -> PaperRecord:
    work = as_object(raw)
    places = [as_dict(work.get("primary_location")), *map(as_dict, as_list(work.get("locations")))]
    addresses = [str(place.get("landing_page_url") or "") for place in places]
    authors = [as_dict(authorship) for authorship in as_list(work.get("authorships"))]
    topics = [work.get("primary_topic"), *as_list(work.get("topics"))]
    if work.get("type") in {"erratum", "retraction", "paratext"}:
        raise NotAPaperError(str(work.get("title")))
    published = str(work.get("publication_date") or "")
    return make(
        source="openalex",
        external_id=str(work.get("id") or "").rpartition("/")[2],
        arxiv=next((address for address in addresses if split_arxiv_id(address)[0]), None),
        doi=work.get("doi"),
        # Preprint and article are places of one work.
        related_dois=[address for address in addresses if "doi.org/" in address],
        standing="retracted" if work.get("is_retracted") is True else "",
        title=work.get("title") or work.get("display_name"),
        abstract=_abstract(work.get("abstract_inverted_index")),
        authors=[_author(authorship) for authorship in authors],
        references=[
            ("openalex", str(cited).rpartition("/")[2])
            for cited in as_list(work.get("referenced_works"))
            if isinstance(cited, str)
        ],
        categories=[as_dict(topic).get("display_name") for topic in topics],
        url=work.get("doi") or next(filter(None, addresses), work.get("id")),
        venue=_venue(as_dict(places[0].get("source"))),
        # The first of January stands for a year of which no day is known.
        published=published.removesuffix("-01-01"),
    )


def _venue(source: dict[str, Any]) -> object:
    """The journal or conference; a repository is where a copy lies."""
    return source.get("display_name") if source.get("type") in {"journal", "conference"} else None


def _author(authorship: dict[str, Any]) -> Author:
    author = as_dict(authorship.get("author"))
    name = author.get("display_name") or authorship.get("raw_author_name")
    return Author(name, author.get("orcid"))


def _abstract(index: object) -> str | None:
    """The words in the order of their positions."""
    words = {
        position: word
        for word, positions in as_dict(index).items()
        for position in as_list(positions)
        if isinstance(position, int) and 0 <= position < _MOST_WORDS
    }
    return " ".join(words[position] for position in sorted(words)) or None
