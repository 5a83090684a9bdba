"""PubMed by E-utilities: a search gives ids (JSON), a fetch the articles (XML).

(www.ncbi.nlm.nih.gov/books/NBK25499)
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from xml.etree.ElementTree import Element

from newsletter.core.author_names import spaced
from newsletter.core.errors import FetchError, ParseError
from newsletter.sources.base import Author, Page, PaperRecord, Request, Source
from newsletter.sources.normalise import NotAPaperError, make
from newsletter.sources.parsing.json import as_dict, as_list, load_json, read_papers
from newsletter.sources.parsing.xml import child, children, elements, local, text

_URL = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/"
_RETMAX = 100
# "2025 Dec-2026 Jan", "1998 Summer": the date of an issue that has no plain one.
_SPAN = re.compile(r"(?P<year>\d{4})(?:\s+(?P<month>[A-Za-z]{3}))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class PubMed(Source):
    """Articles that match the search terms, by the day PubMed first listed them."""

    name = "pubmed"

    def __init__(self, terms: Sequence[str] = ()) -> None:
        self.terms = tuple(terms)

    def first_request(self, since: date, until: date) -> Request:
        """The search; its ids are then fetched, a hundred at a time."""
        params = {
            "db": "pubmed",
            "retmode": "json",
            "term": " OR ".join(f"({term})" for term in self.terms),
            "datetype": "edat",
            "mindate": since.strftime("%Y/%m/%d"),
            "maxdate": until.strftime("%Y/%m/%d"),
            "retmax": str(_RETMAX),
            "retstart": "0",
            "tool": "newsletter",
        }
        return Request(f"{_URL}esearch.fcgi", params)

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read a search (no papers, but the next request) or the articles fetched.

        Raises:
            ParseError: a failure inside a 200, or something else altogether.
            FetchError: too many requests, also inside a 200.
        """
        if body.lstrip()[:1] == b"{":
            return _search(as_dict(load_json(body, where=where)), where, request)
        answer: dict[str, str] = {}
        found: list[str] = []

        def announced() -> Iterator[Element]:
            failures = {"ERROR", "error", "eSearchResult", "PubmedArticleSet"}
            wanted = frozenset({"PubmedArticle", "PubmedBookArticle", *failures})
            for element in elements(body, wanted, where=where):
                if local(element) in failures:
                    answer[local(element).lower()] = text(element)
                    found.extend(text(name) for name in element.iter() if local(name) == "Id")
                else:
                    yield element

        page = read_papers(
            announced(), _paper, where=where, following=lambda: _next_search(request)
        )
        if "error" in answer:
            raise ParseError(f"the service answered: {answer['error'][:200]}", where=where)
        if found and request is None and not page.announced:
            raise _only_ids(found, where)
        if not answer and not page.announced:
            raise ParseError("expected articles", where=where)
        return page


def _search(answer: dict[str, Any], where: str, request: Request | None) -> Page:
    if "rate limit" in str(answer.get("error", "")).lower():
        # Said without the rest of the answer, which names the caller's address.
        raise FetchError("too many requests", where=where, transient=True)
    result = as_dict(answer.get("esearchresult"))
    said = answer.get("error") or result.get("ERROR")
    if said or "idlist" not in result:
        what = said if isinstance(said, str) else "a search result was expected"
        raise ParseError(f"the service answered: {what[:200]}", where=where)
    ids = [str(name) for name in as_list(result["idlist"]) if str(name).isdecimal()]
    if not ids:
        return Page()
    if request is None:
        raise _only_ids(ids, where)
    count = str(result.get("count", ""))
    state = {**request.params, "count": count if count.isdecimal() else "0"}
    params = {"db": "pubmed", "retmode": "xml", "id": ",".join(ids), "tool": "newsletter"}
    return Page(next=Request(f"{_URL}efetch.fcgi", params, state))


def _only_ids(ids: Sequence[str], where: str) -> ParseError:
    """What to say of a search's answer in a file: it has no papers, only where they are."""
    address = f"{_URL}efetch.fcgi?db=pubmed&retmode=xml&id={','.join(ids[:20])}"
    ending = "" if len(ids) == 1 else "s"
    more = ",…" if len(ids) > 20 else ""
    return ParseError(
        f"it holds {len(ids):,} PubMed id{ending} and no papers: save the answer of "
        f"{address}{more} and ingest that, or let `newsletter ingest pubmed` search",
        where=where,
    )


# Publication types of notices about other articles (www.nlm.nih.gov/mesh/pubtypes.html).
_NOTICES = {
    "retraction of publication",
    "retraction notice",
    "published erratum",
    "expression of concern",
}


def _next_search(request: Request | None) -> Request | None:
    """After the articles of one page of the search, its next page."""
    if request is None or "retstart" not in request.state:
        return None
    search = dict(request.state)
    start = int(search["retstart"]) + _RETMAX
    if start >= int(search.pop("count")[:9]):
        return None
    return Request(f"{_URL}esearch.fcgi", {**search, "retstart": str(start)})


def _paper(record: Element) -> PaperRecord:
    citation = child(record, "MedlineCitation")
    if citation is None:
        citation = child(record, "BookDocument")
    article = child(citation, "Article") if citation is not None else None
    if citation is None or article is None:
        article = citation if citation is not None else record
    pmid = text(citation, "PMID")
    kinds = {text(kind).lower() for kind in child(article, "PublicationTypeList") or ()}
    if kinds & _NOTICES:
        raise NotAPaperError(_title(article))
    return make(
        source="pubmed",
        external_id=pmid,
        doi=_doi(record, article),
        title=_title(article),
        abstract=_abstract(child(article, "Abstract")),
        authors=_authors(child(article, "AuthorList")),
        references=_references(_path(record, "PubmedData", "ReferenceList")),
        categories=_subjects(citation),
        venue=text(_path(article, "Journal", "Title")),
        url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/",
        published=_published(article),
        standing="retracted" if "retracted publication" in kinds else "",
    )


def _title(article: Element) -> str:
    """The title; of a whole book, the book's."""
    title = text(article, "ArticleTitle").removesuffix(".") or text(article, "VernacularTitle")
    return title or text(_path(article, "Book", "BookTitle"))


def _doi(record: Element, article: Element) -> str | None:
    """The article's own DOI; those in its reference list belong to other papers."""
    for element in children(article, "ELocationID"):
        if element.get("EIdType") == "doi" and element.get("ValidYN", "Y") == "Y":
            return text(element)
    ids = _path(record, "PubmedData", "ArticleIdList")
    own = (name for name in ids or () if name.get("IdType") == "doi")
    return next((text(name) for name in own), None)


def _references(cited: Element | None) -> Iterator[tuple[str, object]]:
    """PubMed ids and DOIs of the papers in the reference list."""
    kinds = {"pubmed": "pubmed", "doi": "doi"}
    for name in cited.iter() if cited is not None else ():
        if local(name) == "ArticleId" and (kind := kinds.get(name.get("IdType", ""))):
            yield kind, text(name)


def _path(element: Element | None, *names: str) -> Element | None:
    """The first child of the first child, by local names."""
    for name in names:
        element = child(element, name) if element is not None else None
    return element


def _abstract(abstract: Element | None) -> str:
    """Sections with their labels; ``OtherAbstract``, in another language, is not among them."""
    if abstract is None:
        return ""
    return " ".join(
        f"{label.capitalize()}: {text(section)}"
        if (label := section.get("Label", "")) and label != "UNLABELLED"
        else text(section)
        for section in children(abstract, "AbstractText")
    )


def _authors(authors: Element | None) -> list[Author]:
    return (
        [_author(author) for author in children(authors, "Author")] if authors is not None else []
    )


def _author(author: Element) -> Author:
    given = text(author, "ForeName") or spaced(text(author, "Initials"))
    parts = (given, text(author, "LastName"), text(author, "Suffix"))
    name = text(author, "CollectiveName") or " ".join(filter(None, parts))
    ids = (each for each in children(author, "Identifier") if each.get("Source") == "ORCID")
    return Author(name, next((text(each) for each in ids), None))


def _subjects(citation: Element | None) -> list[str]:
    if citation is None:
        return []
    headings = child(citation, "MeshHeadingList")
    terms = [text(heading, "DescriptorName") for heading in headings or ()]
    return terms + [text(word) for words in children(citation, "KeywordList") for word in words]


def _published(article: Element) -> str | None:
    """The electronic date, else the issue's, as much as is told; months are numbers or names."""
    issue = _path(article, "Journal", "JournalIssue", "PubDate")
    chapter, book = child(article, "ContributionDate"), _path(article, "Book", "PubDate")
    for found in (child(article, "ArticleDate"), issue, chapter, book):
        year, month, day = (text(found, part) for part in ("Year", "Month", "Day"))
        if span := _SPAN.match(text(found, "MedlineDate")):
            year, month = span["year"], span["month"] or ""
        name = month.lower()[:3]
        if name in _MONTHS:
            month = str(_MONTHS.index(name) + 1)
        told = [int(part) for part in (month, day) if part.isdecimal()]
        if not month.isdecimal():
            told = []
        try:
            whole = date(int(year), *(*told, 1, 1)[:2]).isoformat()
        except ValueError:
            continue
        return whole[: {0: 4, 1: 7, 2: 10}[len(told)]]
    return None
