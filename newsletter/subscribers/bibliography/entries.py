"""What every reader of a format gives, and where a text's lines are. Pure."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# An abstract and a long list of authors take some 20,000 characters.
LONGEST_ENTRY = 64 * 1024
TOO_LONG = "it is longer than 64 KB"
BREAKS_OFF = "the file breaks off here"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry's fields by name in lower case, or why it cannot be used."""

    line: int
    fields: Mapping[str, str] = field(default_factory=dict)
    unusable: str = ""


class Lines:
    """Which line a place in a text is in, counted from 1."""

    def __init__(self, text: str) -> None:
        self._starts = list(_line_starts(text))

    def at(self, place: int) -> int:
        """The number of the line."""
        return bisect_right(self._starts, place)


def _line_starts(text: str) -> Iterator[int]:
    start = 0
    yield start
    while (start := text.find("\n", start) + 1) > 0:
        yield start
