"""OAI-PMH: harvest and back-fill from arXiv, and records of any other OAI server in files.

Metadata prefixes arXivRaw (asked for: it knows the versions), arXiv and oai_dc.
(www.openarchives.org/OAI/openarchivesprotocol.html, info.arxiv.org/help/oa)
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from xml.etree.ElementTree import Element

from newsletter.core.errors import ParseError
from newsletter.core.identifiers import split_arxiv_id
from newsletter.sources.base import AnnouncementKind, Page, PaperRecord, Request, Source
from newsletter.sources.normalise import is_withdrawn, make, moment
from newsletter.sources.notices import Standing
from newsletter.sources.parsing.json import read_papers
from newsletter.sources.parsing.xml import child, children, elements, local, text

_URL = "https://oaipmh.arxiv.org/oai"
_PHYSICS = frozenset(
    (
        *("astro-ph", "cond-mat", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph"),
        *("nlin", "nucl-ex", "nucl-th", "physics", "quant-ph"),
    )
)
# A paper waits in moderation for days, and over a long weekend; a record that is older when it
# is listed is a revision, or an old paper with a journal reference added.
_NEW_WITHIN = timedelta(days=8)
_HELD_AT_MOST = timedelta(days=60)
_MOST_RESTARTS = 2
# An answer to any other verb holds no papers.
_LISTS = ("ListRecords", "GetRecord")


class ArxivOai(Source):
    """Everything that changed between two dates, set by set, in pages tied by tokens."""

    name = "arxiv-oai"
    resumable = True

    def __init__(self, categories: Sequence[str] = ()) -> None:
        self.categories = tuple(categories)

    def first_request(self, since: date, until: date) -> Request:
        """The first page of the first category's set."""
        state = {"from": since.isoformat(), "until": until.isoformat()}
        return _harvest({**state, "sets": " ".join(map(set_of, self.categories))})

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read one page.

        Raises:
            ParseError: an OAI error other than "no records match", or no OAI at all.
        """
        answer: dict[str, str] = {}

        def announced() -> Iterator[Element]:
            wanted = frozenset({"record", "error", "resumptionToken", *_LISTS})
            for element in elements(body, wanted, where=where):
                if local(element) == "record":
                    answer["record"] = ""
                    yield element
                elif local(element) == "error":
                    answer["error"] = element.get("code") or "error"
                    answer["message"] = text(element)
                else:
                    answer[local(element)] = text(element)

        page = read_papers(announced(), _paper, where=where)
        error = answer.get("error")
        if error == "badResumptionToken" and request is not None:
            return replace(page, next=_restarted(request, where))
        if error not in {None, "noRecordsMatch"}:
            what = f"the server answered {error}: {answer['message']}".rstrip(": ")
            raise ParseError(what, where=where)
        if not answer:
            raise ParseError("expected OAI-PMH records", where=where)
        if request is None or page.cut_short:
            return page
        return replace(page, next=_following(request, answer.get("resumptionToken", "")))


def set_of(category: str) -> str:
    """The OAI set of a category: ``cs.LG`` → ``cs:cs:LG``, ``hep-th`` → ``physics:hep-th``."""
    archive, _, subject = category.partition(".")
    group = "physics" if archive in _PHYSICS else archive
    parts = [group, archive, subject] if subject else [group, archive]
    return ":".join(parts) if subject or group != archive else archive


def _harvest(state: dict[str, str]) -> Request:
    """The beginning of the first of the sets that are left."""
    params = {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "from": state["from"]}
    params |= {"until": state["until"], "set": state["sets"].split(" ")[0]}
    return Request(_URL, params, state)


def _following(request: Request, token: str) -> Request | None:
    """The next page of this set, or the first of the next one."""
    if token:
        params = {"verb": "ListRecords", "resumptionToken": token}
        return Request(_URL, params, request.state)
    left = request.state["sets"].split(" ")[1:]
    return _harvest({**request.state, "sets": " ".join(left)}) if left else None


def _restarted(request: Request, where: str) -> Request:
    """A token that expired: this set again from its beginning, but not for ever."""
    restarts = int(request.state.get("restarts", "0")) + 1
    if restarts > _MOST_RESTARTS:
        raise ParseError("its resumption tokens do not work", where=where)
    return _harvest({**request.state, "restarts": str(restarts)})


def _paper(record: Element) -> PaperRecord | None:
    header, metadata = child(record, "header"), child(record, "metadata")
    if header is not None and header.get("status") == "deleted":
        return None
    body = next(iter(metadata), None) if metadata is not None else None
    if body is None:
        body = record
    if local(body) in {"arXivRaw", "arXivOld"}:
        return _raw(body, text(header, "datestamp"))
    if local(body) == "arXiv":
        return _arxiv(body, text(header, "datestamp"))
    return _dublin_core(body, text(header, "identifier"))


def _raw(body: Element, datestamp: str) -> PaperRecord:
    versions = list(children(body, "version"))
    first = text(versions[0], "date") if versions else ""
    return make(
        source="arxiv",
        external_id=text(body, "id"),
        arxiv=text(body, "id"),
        version=len(versions) or 1,
        title=text(body, "title"),
        abstract=text(body, "abstract"),
        author_lines=[" ".join(text(body, "authors").split())],
        categories=text(body, "categories").split(),
        doi=text(body, "doi").split(" ")[0],
        published=first,
        announcement=_kind(body, first, datestamp, revised=len(versions) > 1),
        standing=_standing(body),
    )


def _arxiv(body: Element, datestamp: str) -> PaperRecord:
    authors = child(body, "authors")
    names = [_name(author) for author in children(authors, "author")] if authors is not None else []
    created = text(body, "created")
    return make(
        source="arxiv",
        external_id=text(body, "id"),
        arxiv=text(body, "id"),
        title=text(body, "title"),
        abstract=text(body, "abstract"),
        # Collaborations come torn into name parts, with a colon of their own behind them.
        authors=[name for name in names if re.search(r"\w", name)],
        categories=text(body, "categories").split(),
        doi=text(body, "doi").split(" ")[0],
        published=created,
        announcement=_kind(body, created, datestamp, revised=bool(text(body, "updated"))),
        standing=_standing(body),
    )


def _name(author: Element) -> str:
    parts = (text(author, part) for part in ("forenames", "keyname", "suffix"))
    return " ".join(part for part in parts if part)


def _dublin_core(body: Element, identifier: str) -> PaperRecord:
    from_arxiv = identifier.startswith("oai:arXiv.org:")
    arxiv_id = split_arxiv_id(identifier)[0] if from_arxiv else None
    identifiers = [text(element) for element in children(body, "identifier")]
    descriptions = [
        element
        for element in children(body, "description")
        if not text(element).startswith("Comment:")
    ]
    return make(
        source="arxiv" if arxiv_id else "oai",
        external_id=arxiv_id or identifier or next(iter(identifiers), ""),
        arxiv=arxiv_id,
        title=text(_in_english(children(body, "title"))),
        abstract=text(_in_english(descriptions)),
        authors=[text(element) for element in children(body, "creator")],
        categories=[text(element) for element in children(body, "subject")],
        doi=next((i for i in identifiers if re.match(r"(doi:|https?://doi\.org/|10\.)", i)), None),
        url=next((i for i in identifiers if i.startswith("http")), None),
        published=next((text(e) for e in children(body, "date") if moment(text(e))), None),
    )


def _in_english(found: Iterator[Element] | list[Element]) -> Element | None:
    """Of one text in several languages, the English one, else the first."""
    candidates = list(found)
    english = (
        element
        for element in candidates
        if element.get("{http://www.w3.org/XML/1998/namespace}lang", "").startswith("en")
    )
    return next(english, candidates[0] if candidates else None)


def _standing(body: Element) -> Standing:
    return "withdrawn" if is_withdrawn(text(body, "comments"), text(body, "abstract")) else ""


def _kind(body: Element, created: str, datestamp: str, *, revised: bool) -> AnnouncementKind:
    if _standing(body):
        return "replace"
    first, listed = moment(created), moment(datestamp)
    if first is None or listed is None:
        return "replace" if revised else "new"
    age = listed - first
    return "replace" if age > (_NEW_WITHIN if revised else _HELD_AT_MOST) else "new"
