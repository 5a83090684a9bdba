"""Which format a file is in, found out by its content, and how to read it."""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from newsletter.core.errors import InputError, ParseError
from newsletter.core.identifiers import canonical_doi, split_arxiv_id
from newsletter.core.one_line import shortened, tidy
from newsletter.sources.arxiv_api import ArxivApi
from newsletter.sources.arxiv_oai import ArxivOai
from newsletter.sources.arxiv_rss import ArxivFeed
from newsletter.sources.base import Page, Source
from newsletter.sources.biorxiv import Biorxiv
from newsletter.sources.crossref import Crossref
from newsletter.sources.feeds import Feed
from newsletter.sources.hugging_face import HuggingFace
from newsletter.sources.jsonl import Jsonl
from newsletter.sources.openalex import OpenAlex
from newsletter.sources.openreview import OpenReview
from newsletter.sources.parsing.json import beginning
from newsletter.sources.parsing.xml import in_utf8
from newsletter.sources.pubmed import PubMed
from newsletter.sources.semantic_scholar import SemanticScholar

# The largest recording of a page is 250 KB; OAI pages of a thousand records reach 3 MB.
LARGEST_BODY = 64 * 1024 * 1024
_HEAD = 65_536

FORMATS: dict[str, Callable[[], Source]] = {
    "hf": HuggingFace,
    "arxiv-atom": ArxivApi,
    "arxiv-rss": ArxivFeed,
    "arxiv-oai": ArxivOai,
    "biorxiv": Biorxiv,
    "medrxiv": lambda: Biorxiv("medrxiv"),
    "semantic-scholar": SemanticScholar,
    "openalex": OpenAlex,
    "crossref": Crossref,
    "pubmed": PubMed,
    "openreview": OpenReview,
    "feed": Feed,
    "jsonl": Jsonl,
}

# What gives a format away in its first bytes, in the order they are tried.
_MARKS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(mark, re.DOTALL))
    for name, mark in (
        ("hf", rb'"submittedOnDailyAt"|"submittedBy"|^\s*\[\s*\{.{0,9000}?"paper"\s*:\s*\{'),
        ("feed", rb'^\s*\{.{0,2000}?"version"\s*:\s*"https?:\\?/\\?/(?:www\.)?jsonfeed\.org'),
        (
            "pubmed",
            rb'^\s*\{.{0,500}?"esearchresult"\s*:|<(?:PubmedArticleSet|eSearchResult|eFetchResult)\b',
        ),
        (
            "openreview",
            rb'"notes"\s*:\s*\[.*"(?:forum|invitations?)"\s*:|"forum".*"notes"\s*:|^\s*\{\s*"notes"\s*:\s*\[\s*\]',
        ),
        ("crossref", rb'"message-type"\s*:'),
        ("medrxiv", rb'"collection"\s*:.*"server"\s*:\s*"medRxiv"'),
        ("biorxiv", rb'"collection"\s*:\s*\[|"messages"\s*:\s*\[\s*\{\s*"status"'),
        ("openalex", rb'"id"\s*:\s*"https://openalex\.org/W|"results"\s*:\s*\['),
        (
            "semantic-scholar",
            rb'"paperId"\s*:|"recommendedPapers"\s*:\s*\[|^\s*\{\s*"total"\s*:\s*\d+\s*,\s*"offset"',
        ),
        ("arxiv-oai", rb"<OAI-PMH\b|^\s*(?:<\?xml[^>]*>\s*)?<record\b"),
        (
            "arxiv-rss",
            rb"<(?:rss|feed)\b.{0,3000}?\brss\.arxiv\.org/|<guid[^>]*>oai:arXiv\.org:"
            rb'|<rdf:RDF\b.{0,3000}?<channel\s+rdf:about="https?://(?:export\.)?arxiv\.org/"',
        ),
        ("arxiv-atom", rb"<(?:\w+:)?feed\b.{0,3000}?(?://|\.)arxiv\.org/(?:api|abs|schemas)"),
        ("feed", rb"<(?:rss|(?:\w+:)?(?:feed|RDF))\b"),
    )
)


# What readers upload.
_BIBLIOGRAPHY = re.compile(
    rb"^\s{0,20}(?:@[A-Za-z]{1,40}\s{0,9}[{(]|TY {0,2}- |PMID- \d)", re.MULTILINE
)
_LABEL = re.compile(
    r"(?:pmids?|dois?|ids?|arxiv(?:[ _-]?ids?)?|pubmed(?:[ _-]?ids?)?|seed_papers?):?", re.I
)


def detect(head: bytes) -> str | None:
    """The format whose marks are in the first bytes of a file; None for an unknown one."""
    head = in_utf8(head)
    for name, mark in _MARKS:
        if mark.search(head):
            return name
    if _has_paper_line(head):
        return "jsonl"
    # A weekend's list of daily papers.
    return "hf" if head.strip() == b"[]" else None


def _has_paper_line(head: bytes) -> bool:
    """Whether one of the first lines is a whole object with a title: our own format."""
    for line in head.splitlines()[:20]:
        if line.lstrip(b"\xef\xbb\xbf").startswith(b"{"):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict) and isinstance(value.get("title"), str):
                return True
    return False


def open_file(path: Path, format_name: str = "auto") -> tuple[str, Iterator[Page]]:
    """The name of the source in a file, and its pages.

    The file may be compressed with gzip. Reading the pages may raise ParseError.

    Raises:
        InputError: the file cannot be read, or its format is unknown.
    """
    if format_name != "auto" and format_name not in FORMATS:
        known = ", ".join(FORMATS)
        raise InputError(
            f"unknown format {format_name!r}; known formats: auto, {known}", where=str(path)
        )
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            # A pipe gives its beginning once, and it is read twice.
            raise InputError("cannot be read: not a file", where=str(path))
        with _opened(path) as stream:
            head = stream.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(_reason(error), where=str(path)) from error
    name = detect(head) if format_name == "auto" else format_name
    if name is None:
        raise InputError(_unknown(head), where=str(path))
    source = FORMATS[name]()
    return source.name, _pages(source, path)


def _unknown(head: bytes) -> str:
    """The error for a file in an unknown format."""
    if said := _said(head) or _listed(head):
        return said
    if not head.strip(b" \t\r\n\0"):
        return "it is empty"
    if _BIBLIOGRAPHY.search(head):
        return (
            "it is a bibliography and not what a source answers: its reader uploads it at the "
            "sign-up, or in the preferences"
        )
    return f"unknown format: {beginning(head)}; --format names one"


def _listed(head: bytes) -> str | None:
    """What to say of a list of ids, in JSON or as text: it names papers and holds none."""
    try:
        names = list(islice(_plain_values(json.loads(head)), 20))
    except (ValueError, RecursionError):
        words = re.split(r"[\s,;]+", head.decode("utf-8", "replace").removeprefix("\ufeff"))
        names = [word.strip("\"'[]") for word in words[:41]]
        # A column's name, or "PMID:" in front of each number.
        names = [name for name in names if name and not _LABEL.fullmatch(name)][:20]
    if not names or not all(_is_id(name) for name in names):
        return None
    return (
        f"it holds ids and no papers ({names[0]!r} and so on): give them as seed papers, "
        "or ingest what arXiv, Crossref or PubMed answer when asked for them"
    )


def _plain_values(value: object) -> Iterator[str]:
    """The texts and numbers in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value[:20]:
            yield from _plain_values(each)
    elif isinstance(value, str | int):
        yield str(value).strip()


def _is_id(name: str) -> bool:
    if split_arxiv_id(name)[0] or canonical_doi(name):
        return True
    return re.fullmatch(r"PMID:?\s*\d{1,9}|\d{5,9}|W\d{6,11}", name, re.I) is not None


def _said(head: bytes) -> str | None:
    """The words of a service that answered with an error instead of papers."""
    try:
        answer = json.loads(head)
    except (ValueError, RecursionError):
        return None
    said = (answer.get("error") or answer.get("message")) if isinstance(answer, dict) else None
    if not isinstance(said, str):
        return None
    return f"it is an error message, {shortened(tidy(said), 100)!r}"


def _pages(source: Source, path: Path) -> Iterator[Page]:
    where = path.name
    try:
        with _opened(path) as stream:
            if isinstance(source, Jsonl):
                yield from source.pages(stream, where=where)
                return
            body = stream.read(LARGEST_BODY + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ParseError(_reason(error), where=where) from error
    if len(body) > LARGEST_BODY:
        raise ParseError(f"larger than {LARGEST_BODY // 2**20} MB", where=where)
    yield source.parse(body, where=where)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, unpacked where it is compressed."""
    with path.open("rb") as stream:
        if stream.peek(2)[:2] != b"\x1f\x8b":
            yield stream
            return
        with gzip.open(stream) as unpacked:
            yield cast(BinaryIO, unpacked)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    return f"cannot be unpacked: {error}"
