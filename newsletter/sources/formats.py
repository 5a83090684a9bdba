"""Which format a file is in, found out by its content, and how to read it."""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from newsletter.errors import InputError, ParseError
from newsletter.sources.arxiv_api import ArxivApi
from newsletter.sources.base import Page, Source
from newsletter.sources.hf import HuggingFace
from newsletter.sources.jsonl import Jsonl
from newsletter.sources.reading import beginning

# The largest recording of a page is 250 KB; OAI pages of a thousand records reach 3 MB.
LARGEST_BODY = 64 * 1024 * 1024
_HEAD = 65_536

FORMATS: dict[str, Callable[[], Source]] = {
    "hf": HuggingFace,
    "arxiv-atom": ArxivApi,
    "jsonl": Jsonl,
}

# What gives a format away, in the order they are tried.
_MARKS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("hf", re.compile(rb'"submittedOnDailyAt"|"submittedBy"|^\s*\[\s*\{\s*"paper"\s*:')),
    ("arxiv-atom", re.compile(rb"<feed\b[^>]*>.{0,2000}?arxiv\.org/", re.DOTALL)),
)


def detect(head: bytes) -> str | None:
    """The format whose marks are in the first bytes of a file; None for an unknown one."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start in {b"{", b"["} and _has_paper_line(head):
        return "jsonl"
    for name, mark in _MARKS:
        if mark.search(head):
            return name
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
        raise InputError(f"unknown format {format_name!r}; known: auto, {known}", where=str(path))
    try:
        with _opened(path) as stream:
            head = stream.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(_reason(error), where=str(path)) from error
    name = detect(head) if format_name == "auto" else format_name
    if name is None:
        raise InputError(
            f"unknown format ({beginning(head)}); name it with --format, one of "
            f"{', '.join(FORMATS)}",
            where=str(path),
        )
    source = FORMATS[name]()
    return source.name, _pages(source, path)


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
