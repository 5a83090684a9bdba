"""From a source's fields to a checked `PaperRecord`: the one place that validates outside values.

Ids, addresses and dates of all sources come through here, so that no adapter can forget that
they are hostile, and every later layer can rely on their form.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import islice
from urllib.parse import quote, unquote, urljoin, urlsplit

from newsletter.core.author_names import LONGEST_LINE, names_in, one_name
from newsletter.core.identifiers import (
    arxiv_of_doi,
    canonical_doi,
    canonical_orcid,
    split_arxiv_id,
    without_version,
)
from newsletter.core.markup import Plain
from newsletter.core.one_line import shortened, tidy
from newsletter.core.text import clean
from newsletter.sources.base import AnnouncementKind, Author, DatePrecision, PaperRecord
from newsletter.sources.dates import read_date
from newsletter.sources.notices import Standing, is_no_paper, standing_of

_PAPER = r"(?:paper|article|manuscript|submission|work|preprint|version|note|draft|letter)"
# As authors and arXiv's administrators write it, in a comment or in place of an abstract.
_WITHDRAWN = re.compile(
    rf"^\W*(?:{_PAPER}\s+)?(?:has\s+been\s+|is\s+(?:being\s+)?|was\s+)?(?:withdrawn|retracted)"
    r"(?=\W*$|\s*[^\w\s]|\s+(?:by|due|because|for|as|since|pending|until|on|after|owing|per|and|"
    r"while|this|see|at|temporarily)\b|\s+from\s+(?:arxiv|publication|submission|the\s+arxiv))"
    rf"|\b(?:this|the|our|present)\s+(?:\w+\s+){{0,2}}{_PAPER}\s+"
    r"(?:(?:has|have|had)\s+been|is\s+being|is|was|will\s+be|(?:needs\s+to|should|must)\s+be)\s+"
    r"(?:\w+\s+)?(?:withdrawn|retracted)\b"
    r"|\b(?:authors?|i|we)\s+(?:(?:have|has|had|hereby|now|are|am)\s+)*"
    r"(?:decided\s+to\s+|wish\s+to\s+)?"
    r"(?:withdrawn|withdrew|withdraws?|withdrawing|retracted|retracts?)\s+"
    rf"(?:this|the|our)\s+(?:\w+\s+)?{_PAPER}\b"
    r"|\bwithdrawn\s+(?:by|at)\s+(?:the\s+)?(?:authors?|arxiv|request)"
    rf"|\b{_PAPER}\s+(?:has\s+been|was|is)\s+(?:removed|taken\s+down)\s+by\s+(?:the\s+)?"
    r"(?:arxiv|authors?)"
    r"|\bsuperseded\s+by\s+\S{5,60}\s+and\s+(?:is|has\s+been|was)\s+(?:\w+\s+)?withdrawn\b",
    re.I,
)
# Whoever withdraws a paper says so at once; further down it may be about a drug or a claim.
_SAID_WITHIN = 300

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_WITHOUT_SCHEME = re.compile(r"www\.[\w-]+(?:\.[\w-]+)+(?:[/?#]|$)", re.I)

LONGEST_ID = 200  # the column's length; PostgreSQL refuses more
# arXiv allows 1,920 characters of abstract; a feed may carry whole posts.
LONGEST_TITLE = 1_000
LONGEST_ABSTRACT = 10_000
# Text is cut to this many times its final length before it is cleaned.
_RAW = 4
# A collaboration's paper can name thousands; a digest shows a few.
MOST_AUTHORS = 500
MOST_CATEGORIES = 50
MOST_REFERENCES = 1_000
LONGEST_NAME = 200
LONGEST_URL = 2_000
_LARGEST = 2**31 - 1  # PostgreSQL's integer


class BadPaperError(ValueError):
    """An announced item cannot be a paper, and why. Adapters turn it into a `Problem`."""


class NotAPaperError(BadPaperError):
    """What was announced is a notice or a part of an issue; ``retracts`` is a DOI, or None."""

    def __init__(self, title: str, retracts: str | None = None) -> None:
        super().__init__(f"{title[:80]!r} is not a paper")
        self.retracts = retracts


def make(
    *,
    source: str,
    external_id: object,
    title: object,
    abstract: object = None,
    authors: Iterable[object] = (),
    author_lines: Iterable[object] = (),
    categories: Iterable[object] = (),
    url: object = None,
    version: object = 1,
    arxiv: object = None,
    doi: object = None,
    guessed_doi: object = None,
    related_dois: Iterable[object] = (),
    references: Iterable[tuple[str, object]] = (),
    published: object = None,
    announcement: AnnouncementKind = "new",
    standing: Standing = "",
    upvotes: object = None,
    code_url: object = None,
    project_url: object = None,
    venue: object = None,
) -> PaperRecord:
    """Make a record from a source's fields; clean the text, drop invalid optional values.

    ``authors`` are names that the source keeps apart, as text or as `Author` where it tells an
    ORCID; ``author_lines`` hold several names each.

    Raises:
        BadPaperError: the id or the title is missing.
        NotAPaperError: the title is that of a notice, or of a part of an issue.
    """
    key = tidy(external_id[:LONGEST_URL]) if isinstance(external_id, str) else ""
    if not key and not _text(title, LONGEST_TITLE):
        raise BadPaperError("it has no title and no id")
    if not key:
        raise BadPaperError("it has no id")
    if len(key) > LONGEST_ID:
        raise BadPaperError(f"its id is longer than {LONGEST_ID} characters")
    shown = _text(title, LONGEST_TITLE)
    if not shown:
        raise BadPaperError(f"it has no title (id {key})")
    if is_no_paper(shown):
        raise NotAPaperError(shown)
    stated = canonical_doi(doi)
    found_doi = stated or canonical_doi(guessed_doi)
    arxiv_id = split_arxiv_id(arxiv)[0] or arxiv_of_doi(found_doi)
    if arxiv_of_doi(found_doi):
        # The arXiv DOI repeats the id; the journal's DOI, when it comes, says more.
        found_doi = None
    names, orcids = _authors(authors, author_lines)
    others = dict.fromkeys(other for d in related_dois if (other := canonical_doi(d)))
    arxiv_id = arxiv_id or next((found for d in others if (found := arxiv_of_doi(d))), None)
    return PaperRecord(
        source=source,
        external_id=key,
        title=shown,
        abstract=_text(abstract, LONGEST_ABSTRACT),
        authors=names,
        orcids=orcids,
        references=_references(references),
        categories=_names(categories, MOST_CATEGORIES),
        url=web_address(url) or _own_address(arxiv_id, found_doi),
        version=_count(version) or 1,
        arxiv_id=arxiv_id,
        doi=found_doi,
        doi_is_guessed=found_doi is not None and stated is None,
        related_dois=tuple(d for d in others if d != found_doi and not arxiv_of_doi(d)),
        published_at=moment(_whole_date(published)),
        published_precision=_precision(published),
        announcement=announcement,
        standing=standing or standing_of(shown),
        upvotes=_count(upvotes),
        code_url=web_address(code_url) or None,
        project_url=web_address(project_url) or None,
        venue=_text(venue, LONGEST_NAME),
    )


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str):
        return ""
    cut = value[: _RAW * longest]
    return shortened(clean(Plain(cut) if isinstance(value, Plain) else cut), longest)


def raw_abstract(value: object) -> str:
    """The part of an abstract that we keep; empty if it is not text."""
    return value[: _RAW * LONGEST_ABSTRACT] if isinstance(value, str) else ""


def _names(values: Iterable[object], most: int) -> tuple[str, ...]:
    """Cleaned, without repetitions, in order."""
    names: dict[str, None] = {}
    for value in values:
        if isinstance(value, str) and (name := _text(value, LONGEST_NAME).strip(" ,;")):
            names[name] = None
        if len(names) >= most:
            break
    return tuple(names)


def _authors(
    values: Iterable[object], lines: Iterable[object]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Names in order, each once, and (name, ORCID) of those whose source tells one."""
    names: dict[str, str] = {}
    for value in values:
        name, orcid = value if isinstance(value, Author) else (value, None)
        for number, one in enumerate(one_name(_text(name, LONGEST_NAME))):
            known = canonical_orcid(orcid) if not number else ""
            names[one] = names.get(one) or known
        if len(names) >= MOST_AUTHORS:
            break
    for line in lines:
        pieces = line.split("\n") if isinstance(line, str) else ()
        for name in names_in("\n".join(_text(piece, LONGEST_LINE) for piece in pieces)):
            names.setdefault(shortened(name, LONGEST_NAME), "")
    kept = tuple(names)[:MOST_AUTHORS]
    return kept, tuple((name, names[name]) for name in kept if names[name])


def _references(told: Iterable[tuple[str, object]]) -> tuple[tuple[str, str], ...]:
    """Ids of cited papers in the form in which papers are known; others are left out."""
    found: dict[tuple[str, str], None] = {}
    for kind, value in islice(told, MOST_REFERENCES):
        doi = canonical_doi(value) if kind == "doi" else None
        arxiv_id = arxiv_of_doi(doi) or (split_arxiv_id(value)[0] if kind == "arxiv" else None)
        if arxiv_id:
            found["arxiv", arxiv_id] = None
        elif doi:
            found["doi", without_version(doi)] = None
        elif kind not in {"doi", "arxiv"} and isinstance(value, str) and 0 < len(value) < 100:
            found[kind, value] = None
    return tuple(found)


def _own_address(arxiv_id: str | None, doi: str | None) -> str:
    if arxiv_id:
        return f"https://arxiv.org/abs/{arxiv_id}"
    return f"https://doi.org/{doi}" if doi else ""


def _count(value: object) -> int | None:
    """A number from 0 to what the column takes, from a number or digits; None otherwise."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,10}", value.strip(), re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return min(max(value, 0), _LARGEST)


def own_id(record: PaperRecord) -> str:
    """An id of its own for a paper whose feed gives one id to several; by its link and title."""
    letters = re.sub(r"[\W_]+", "", record.title.casefold())
    said = f"{record.url}|{letters}"
    return f"{record.external_id[:150]}#{sha256(said.encode()).hexdigest()[:24]}"


def _precision(value: object) -> DatePrecision:
    """How much of a date its source told: "2026" is a year, "2026-11" a month."""
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"\d{4}", text, re.ASCII):
        return "year"
    return "month" if re.fullmatch(r"\d{4}-\d{2}", text, re.ASCII) else "day"


def _whole_date(value: object) -> object:
    """The first day of a year or month, for the column; other values as they are."""
    missing = {"year": "-01-01", "month": "-01", "day": ""}[_precision(value)]
    return f"{value.strip()}{missing}" if isinstance(value, str) and missing else value


def is_withdrawn(comment: str, abstract: str) -> bool:
    """Whether arXiv lists a paper only to say that its authors took it back."""
    said = (" ".join(text[:_SAID_WITHIN].split()) for text in (comment, abstract))
    return any(_WITHDRAWN.search(text) for text in said)


def web_address(value: object, base: str = "") -> str:
    """An http(s) address as it can be asked for; empty for anything else.

    A relative one is resolved against ``base``; what may not stand in an address is encoded.
    """
    if not isinstance(value, str):
        return ""
    value = re.sub(r"[\t\r\n]+", "", value.strip())
    if not 0 < len(value) <= LONGEST_URL or _CONTROL.search(value):
        return ""
    if _WITHOUT_SCHEME.match(value):
        value = f"https://{value}"
    try:
        # Encoded twice is another address, so what is encoded stays.
        address = quote(urljoin(base, value) if base else value, safe="%/:?#[]@!$&'()*+,;=~-._")
        parts = urlsplit(address)
        host = unquote(parts.netloc)
        named = bool(parts.hostname) and not re.search(r"[\s<>\"`{}|\\^]", host)
        if not host.isascii():
            address = parts._replace(netloc=host.encode("idna").decode()).geturl()
    except ValueError:
        return ""
    return address if parts.scheme in {"http", "https"} and named else ""


def moment(value: object) -> datetime | None:
    """An aware moment from what `read_date` reads, a date, or epoch milliseconds; None for others.

    A value without an offset is taken as UTC. Years before 1500 and after 2200 are mistakes.
    """
    found: datetime | None = None
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, date):
            found = datetime(value.year, value.month, value.day, tzinfo=UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value / 1000, tz=UTC)
        elif isinstance(value, str) and value.isascii() and re.fullmatch(r"\d{11,14}", value):
            found = datetime.fromtimestamp(int(value) / 1000, tz=UTC)
        elif isinstance(value, str):
            found = read_date(value)
        if found is None or not 1500 < found.year < 2200:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return None
