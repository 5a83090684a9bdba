"""Uploaded bibliographies: BibTeX and RIS to papers that a reader likes.

The files are strangers': their size is checked here, and a child process with limits reads them.
"""

from dataclasses import dataclass

from newsletter.core.errors import LimitError
from newsletter.core.limited import run_limited

__all__ = ["AT_SIGN_UP", "IN_PREFERENCES", "Limits", "Reference", "parse"]

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
    """One entry: its arXiv id or DOI where it has one, and its title."""

    identity: str | None
    title: str


def parse(data: bytes, limits: Limits, *, where: str = "bibliography") -> list[Reference]:
    """The entries of a BibTeX or RIS file in its order; those that cannot be read are left out.

    Raises:
        LimitError: it is over ``limits``, or reading it takes too long or too much memory.
        InputError: there is no entry in it that can be read.
    """
    if len(data) > limits.largest_file:
        raise LimitError(f"is larger than {limits.largest_in_words}", where=where)
    found = run_limited(_READER, data, where=where, most_entries=limits.most_entries)
    return [Reference(identity, title) for identity, title in found]
