"""Uploaded bibliographies: what reference managers write, to papers that a reader likes.

The files are strangers': their size is checked here, and a child process with limits reads them.
"""

from dataclasses import dataclass

from newsletter.core.errors import LimitError
from newsletter.core.language import _
from newsletter.core.limited import run_limited

__all__ = [
    "AT_SIGN_UP",
    "IN_PREFERENCES",
    "Bibliography",
    "LeftOut",
    "Limits",
    "Reference",
    "parse",
]

KILOBYTE = 1024
_READER = "newsletter.subscribers.bibliography.reading:read"


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest file, in bytes, and the most entries in it."""

    largest_file: int
    most_entries: int

    @property
    def largest_in_words(self) -> str:
        """The largest file as people write it: "256 KB", "5 MB"."""
        kilobytes = self.largest_file // KILOBYTE
        return f"{kilobytes} KB" if kilobytes < KILOBYTE else f"{kilobytes // KILOBYTE} MB"


# Without an account; some 500 entries.
AT_SIGN_UP = Limits(256 * KILOBYTE, 5000)
# Behind a subscriber's own link; most Zotero libraries are smaller.
IN_PREFERENCES = Limits(5 * KILOBYTE * KILOBYTE, 5000)


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry: the names it is known by, the surest first, its title, and its line.

    A name is an arXiv id, a DOI, or "pmid:…" or "pmc:…" with PubMed's number.
    """

    names: tuple[str, ...]
    title: str
    line: int = 0

    @property
    def identity(self) -> str | None:
        """The surest name, if there is one."""
        return self.names[0] if self.names else None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An entry that is not used: the line that it begins in, and why, in words of ours."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Bibliography:
    """A file that was read: each entry of it is a reference or is left out."""

    references: tuple[Reference, ...]
    left_out: tuple[LeftOut, ...] = ()


def parse(data: bytes, limits: Limits, *, where: str = "bibliography") -> Bibliography:
    """The entries of a file in its order; the format is recognised by what is in it.

    Raises:
        LimitError: it is over ``limits``, or reading it takes too long or too much memory.
        InputError: there is no entry in it that can be read.
    """
    if len(data) > limits.largest_file:
        raise LimitError(_("is larger than {size}", size=limits.largest_in_words), where=where)
    found = run_limited(_READER, data, where=where, most_entries=limits.most_entries)
    return Bibliography(
        tuple(Reference(tuple(names), title, line) for names, title, line in found["references"]),
        tuple(LeftOut(line, why) for line, why in found["left_out"]),
    )
