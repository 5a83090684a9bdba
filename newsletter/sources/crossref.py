"""Crossref works: JSON, abstracts in JATS (www.crossref.org/documentation/retrieve-metadata)."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from newsletter.core.errors import ParseError
from newsletter.sources.base import Author, Page, PaperRecord, Request, Source
from newsletter.sources.normalise import NotAPaperError, make, raw_abstract
from newsletter.sources.parsing.json import as_dict, as_list, as_object, load_json, read_papers

_URL = "https://api.crossref.org/works"
_ROWS = 100
_TYPES = ("journal-article", "proceedings-article", "posted-content")
# "ABSTRACT" as a heading over the abstract says nothing.
_HEADING = re.compile(r"^\s*<jats:title>\s*(?:abstract|summary)\s*</jats:title>", re.IGNORECASE)
_TITLE = re.compile(r"<jats:title>(.*?)</jats:title>", re.DOTALL)
# The other DOIs of one paper.
_SAME_PAPER = ("is-preprint-of", "has-preprint", "is-version-of", "has-version", "is-identical-to")


class Crossref(Source):
    """Works that match the search terms, by the day Crossref first listed them."""

    name = "crossref"

    def __init__(self, terms: Sequence[str] = ()) -> None:
        self.terms = tuple(terms)

    def first_request(self, since: date, until: date) -> Request:
        """The first page of the first search term; the answer's cursor leads on."""
        state = {"since": since.isoformat(), "until": until.isoformat()}
        return _request({**state, "terms": "\n".join(self.terms)}, "*")

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read a list of works, or one work.

        Raises:
            ParseError: it is an error, whose ``message`` is a list, or plain text.
        """
        answer = as_dict(load_json(body, where=where))
        message = answer.get("message")
        if not isinstance(message, dict):
            said = [as_dict(error).get("message") for error in as_list(message)]
            reason = "; ".join(str(text) for text in said) or "works were expected"
            raise ParseError(f"the service answered: {reason}", where=where)
        items = as_list(message["items"]) if "items" in message else [message]

        def following() -> Request | None:
            cursor = message.get("next-cursor")
            if request is None:
                return None
            if len(items) >= _ROWS and isinstance(cursor, str):
                return _request(request.state, cursor)
            left = request.state["terms"].split("\n")[1:]
            return _request({**request.state, "terms": "\n".join(left)}, "*") if left else None

        return read_papers(items, _paper, where=where, following=following)


# What a deposit says of another: www.crossref.org/documentation/crossmark. A "new_version" or a
# "new_edition" is a paper of its own.
_NOTICES = {
    "correction",
    "corrigendum",
    "erratum",
    "addendum",
    "expression_of_concern",
    "clarification",
}


def _request(state: Any, cursor: str) -> Request:
    kinds = ",".join(f"type:{kind}" for kind in _TYPES)
    span = f"from-created-date:{state['since']},until-created-date:{state['until']}"
    params = {"query": state["terms"].split("\n")[0], "filter": f"{span},{kinds}"}
    return Request(_URL, {**params, "rows": str(_ROWS), "cursor": cursor}, state)


def _paper(raw: Any) -> PaperRecord:
    work = as_object(raw)
    relation = as_dict(work.get("relation"))
    related = [as_dict(other) for kind in _SAME_PAPER for other in as_list(relation.get(kind))]
    doi = work.get("DOI")
    updates = [as_dict(update) for update in as_list(work.get("update-to"))]
    retracted = [str(update.get("DOI")) for update in updates if _retracts(update)]
    about = [update for update in updates if update.get("type") in _NOTICES or _retracts(update)]
    if about:
        raise NotAPaperError(str(_first(work.get("title"))), next(iter(retracted), None))
    return make(
        source="crossref",
        external_id=doi.lower() if isinstance(doi, str) else doi,
        doi=doi,
        related_dois=[other.get("id") for other in related if other.get("id-type") == "doi"],
        title=_first(work.get("title")),
        abstract=_abstract(work.get("abstract")),
        authors=[_author(as_dict(author)) for author in as_list(work.get("author"))],
        references=[("doi", as_dict(cited).get("DOI")) for cited in as_list(work.get("reference"))],
        categories=[
            *as_list(work.get("subject")),
            work.get("group-title"),
            *as_list(work.get("container-title")),
        ],
        venue=_first(work.get("container-title")),
        url=work.get("URL"),
        published=_published(work),
    )


def _retracts(update: dict[str, Any]) -> bool:
    return update.get("type") in {"retraction", "withdrawal", "removal"}


def _first(values: object) -> object:
    """Titles are lists; some deposits and exports have a plain one."""
    return next(iter(as_list(values)), None) if not isinstance(values, str) else values


def _abstract(text: object) -> str:
    return _TITLE.sub(r" \1: ", _HEADING.sub("", raw_abstract(text)))


def _author(author: dict[str, Any]) -> Author:
    given, family, suffix = (
        part if isinstance(part := author.get(key), str) else ""
        for key in ("given", "family", "suffix")
    )
    name = " ".join(filter(None, (given, family, suffix))) or author.get("name")
    return Author(name, author.get("ORCID"))


def _published(work: dict[str, Any]) -> str | None:
    """The first date with a year, as much of it as is told; ``date-parts`` may be ``[[null]]``."""
    for key in ("posted", "published-online", "published", "issued", "created"):
        parts = as_list(next(iter(as_list(as_dict(work.get(key)).get("date-parts"))), None))
        numbers = [int(part) for part in parts[:3] if str(part).isdecimal()]
        if not numbers:
            continue
        year, month, day = (*numbers, 1, 1)[:3]
        try:
            whole = date(year, month, day).isoformat()
        except (ValueError, OverflowError):
            continue
        return whole[: {1: 4, 2: 7, 3: 10}[len(numbers)]]
    return None
