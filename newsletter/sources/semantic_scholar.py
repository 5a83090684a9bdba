"""Semantic Scholar's Graph API: search, bulk search, batch (api.semanticscholar.org)."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from newsletter.core.errors import ParseError
from newsletter.sources.base import Page, PaperRecord, Request, Source
from newsletter.sources.normalise import make
from newsletter.sources.parsing.json import as_dict, as_list, as_object, load_json, read_papers

_URL = "https://api.semanticscholar.org/graph/v1/paper/search/bulk"
_FIELDS = "title,abstract,authors,externalIds,url,venue,publicationDate,s2FieldsOfStudy"


class SemanticScholar(Source):
    """Papers that match the search terms, by publication date."""

    name = "semantic-scholar"
    # It lists papers weeks after their publication date.
    overlap = timedelta(days=30)

    def __init__(self, terms: Sequence[str] = ()) -> None:
        self.terms = tuple(terms)

    def first_request(self, since: date, until: date) -> Request:
        """The first thousand; the answer's token leads on."""
        return Request(
            _URL,
            {
                "query": " | ".join(f'"{term}"' for term in self.terms),
                "publicationDateOrYear": f"{since.isoformat()}:{until.isoformat()}",
                "fields": _FIELDS,
            },
        )

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read an answer of search, bulk search, batch or a single paper.

        Raises:
            ParseError: it is an error, said under ``error`` or ``message``.
        """
        answer = load_json(body, where=where)
        if isinstance(answer, list):
            return read_papers(answer, _paper, where=where)
        answer = as_dict(answer)
        if "paperId" in answer:
            return read_papers([answer], _paper, where=where)
        # Nothing found is answered without a "data" key.
        listed = answer.get("data") or answer.get("recommendedPapers")
        if listed is None and not answer.keys() & {"data", "total", "recommendedPapers"}:
            said = answer.get("error") or answer.get("message") or "papers were expected"
            raise ParseError(f"the service answered: {said}", where=where)
        return read_papers(
            as_list(listed),
            _paper,
            where=where,
            following=lambda: _following(request, answer),
        )


def _references(cited: Sequence[object]) -> Iterator[tuple[str, object]]:
    """The ids of cited papers; files have them, the search that we ask does not give them."""
    for paper in map(as_dict, cited):
        ids = as_dict(paper.get("externalIds"))
        yield from (("arxiv", ids.get("ArXiv")), ("doi", ids.get("DOI")))
        yield "semantic-scholar", paper.get("paperId")


def _following(request: Request | None, answer: dict[str, Any]) -> Request | None:
    """Bulk search goes on by token, search by offset."""
    if request is None:
        return None
    for key, parameter in (("token", "token"), ("next", "offset")):
        if answer.get(key):
            return Request(request.url, {**request.params, parameter: str(answer[key])})
    return None


def _paper(raw: Any) -> PaperRecord | None:
    if raw is None:
        # A batch answers null in the place of an id it does not know.
        return None
    row = as_object(raw)
    ids = as_dict(row.get("externalIds"))
    fields = [as_dict(field).get("category") for field in as_list(row.get("s2FieldsOfStudy"))]
    return make(
        source="semantic-scholar",
        external_id=row.get("paperId"),
        arxiv=ids.get("ArXiv"),
        doi=ids.get("DOI"),
        title=row.get("title"),
        abstract=row.get("abstract"),
        authors=[as_dict(author).get("name") for author in as_list(row.get("authors"))],
        references=_references(as_list(row.get("references"))),
        categories=[*fields, *as_list(row.get("fieldsOfStudy"))],
        venue=row.get("venue"),
        url=row.get("url"),
        published=row.get("publicationDate"),
    )
