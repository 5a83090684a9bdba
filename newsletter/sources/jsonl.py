"""Our own format: one JSON object a line, all keys but ``title`` optional.

Keys: source, id, version, doi, title, abstract, authors, categories, url, published (or date),
announcement, upvotes, code_url, project_url, venue. An author is a name, or an object with
``name`` and ``orcid``; a string holds several.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, BinaryIO, get_args

from newsletter.core.errors import UsageError
from newsletter.core.identifiers import split_arxiv_id
from newsletter.core.text import clean
from newsletter.sources.base import (
    AnnouncementKind,
    Author,
    Page,
    PaperRecord,
    Problem,
    Request,
    Source,
)
from newsletter.sources.normalise import BadPaperError, NotAPaperError, make
from newsletter.sources.parsing.json import as_dict, as_list, as_object

# Read and stored in groups of this many, so that memory stays flat as the file grows.
GROUP = 500
# Far above any paper; a file without line ends must not be read into one string.
LONGEST_LINE = 1_000_000
_ANNOUNCEMENTS: tuple[AnnouncementKind, ...] = get_args(AnnouncementKind)


class Jsonl(Source):
    """Files only: nobody serves this format."""

    name = "jsonl"

    def first_request(self, since: date, until: date) -> Request:
        """Raise: a file has no requests.

        Raises:
            UsageError: always.
        """
        raise UsageError("jsonl is read from a file: newsletter ingest --file PATH")

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read all lines at once."""
        return _page(enumerate(body.splitlines(), 1), where)

    def pages(self, stream: BinaryIO, *, where: str) -> Iterator[Page]:
        """Read a file group by group."""
        group: list[tuple[int, bytes]] = []
        for numbered in enumerate(_lines(stream), 1):
            group.append(numbered)
            if len(group) >= GROUP:
                yield _page(group, where)
                group = []
        yield _page(group, where)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(LONGEST_LINE):
        yield line
        while len(line) >= LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE)


def _page(lines: Iterable[tuple[int, bytes]], where: str) -> Page:
    records: list[PaperRecord] = []
    problems: list[Problem] = []
    left_out = 0
    for number, line in lines:
        if not line.strip(b" \t\r\n\xef\xbb\xbf"):
            continue
        try:
            records.append(_paper(_object(line)))
        except NotAPaperError:
            left_out += 1
        except BadPaperError as error:
            problems.append(Problem(f"{where}, line {number}", str(error)))
    return Page(tuple(records), tuple(problems), left_out=left_out)


def _object(line: bytes) -> dict[str, Any]:
    if len(line) >= LONGEST_LINE:
        raise BadPaperError(f"longer than {LONGEST_LINE:,} bytes")
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadPaperError(f"broken JSON at column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise BadPaperError("broken JSON: bad UTF-8, or too long or too deeply nested") from error
    return as_object(value)


def _paper(row: dict[str, Any]) -> PaperRecord:
    source, given, authors = row.get("source"), row.get("id"), row.get("authors")
    given = str(given) if isinstance(given, int) else given
    arxiv_id, version = split_arxiv_id(given)
    if arxiv_id and source in {None, "arxiv", "hf"}:
        source, given = source or "arxiv", arxiv_id
    else:
        arxiv_id = None
    if source is not None and not (isinstance(source, str) and 0 < len(source.strip()) <= 40):
        raise BadPaperError("source must be a name of 1 to 40 characters")
    if source in {"doi", "doi-guess", "title"}:
        raise BadPaperError(f"source cannot be {source!r}: that name is reserved")
    return make(
        source=source.strip() if source else "jsonl",
        external_id=given or _derived_id(row.get("title")),
        arxiv=arxiv_id,
        version=row.get("version") or version or 1,
        title=row.get("title"),
        abstract=row.get("abstract"),
        authors=[_name(author) for author in as_list(authors)],
        author_lines=[authors] if isinstance(authors, str) else (),
        categories=_names(row.get("categories")),
        doi=row.get("doi"),
        url=row.get("url"),
        published=row.get("published") or row.get("date"),
        announcement=_announcement(row.get("announcement")),
        upvotes=row.get("upvotes"),
        code_url=row.get("code_url"),
        project_url=row.get("project_url"),
        venue=row.get("venue"),
    )


def _announcement(value: object) -> AnnouncementKind:
    for kind in _ANNOUNCEMENTS:
        if value in {None, "", kind}:
            return kind
    raise BadPaperError(f"announcement must be one of {', '.join(_ANNOUNCEMENTS)}")


def _names(value: object) -> list[object]:
    if isinstance(value, str):
        return list(value.split(";"))
    return [as_dict(name).get("name", name) for name in as_list(value)]


def _name(author: object) -> object:
    """A name, or an object with a name and, maybe, an ORCID."""
    if not isinstance(author, dict):
        return author
    return Author(author.get("name"), author.get("orcid"))


def _derived_id(title: object) -> str | None:
    """The same title gives the same id, on every machine and in every run."""
    if not isinstance(title, str):
        return None
    return "title-" + hashlib.sha256(clean(title).casefold().encode()).hexdigest()[:24]
