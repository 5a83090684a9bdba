"""Cells of CSV files: text in every spreadsheet, lists within a cell, and lines cut into cells."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

# A cell that starts so is a formula to a spreadsheet; an apostrophe in front makes it text. A cell
# that has such an apostrophe of its own gets another, so that taking one off gives it back.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_GUARDED = re.compile(r"'*[=+\-@\t\r]")
# A cell of more lines than this was never meant to be one: its quote is a stray.
MOST_LINES = 200
_ESCAPED = re.compile(r"\\([\\;])")
_SEPARATOR = re.compile(r"(?<!\\)(?:\\\\)*;")


def harmless_cell(cell: str) -> str:
    """A name such as =HYPERLINK(...) must stay text when an operator opens the file."""
    return f"'{cell}" if _GUARDED.match(cell) else cell


def plain_cell(cell: str) -> str:
    """A cell without the apostrophe of `harmless_cell`."""
    return cell[1:] if cell[:1] == "'" and _GUARDED.match(cell) else cell


def join_list(values: Iterable[str]) -> str:
    """Values as one cell, separated by semicolons; those within a value are escaped.

    Each value is guarded like a cell: some spreadsheets split lists into cells.
    """
    return ";".join(
        harmless_cell(value).replace("\\", "\\\\").replace(";", "\\;") for value in values
    )


def split_list(cell: str) -> list[str]:
    """The values of a cell, as `join_list` or a person wrote them."""
    values, start = [], 0
    for found in _SEPARATOR.finditer(cell):
        values.append(cell[start : found.end() - 1])
        start = found.end()
    values.append(cell[start:])
    return [plain_cell(_ESCAPED.sub(r"\1", value.strip())) for value in values]


def records(
    lines: Sequence[str], delimiter: str, starts_record: Callable[[list[str]], bool]
) -> Iterator[tuple[int, list[str] | str]]:
    """Numbers of lines, from 1 on, with their cells, or with why a line cannot be read.

    A quoted cell may hold line breaks. A quote that is never closed costs the line that opens it,
    not those that follow: they are read on their own. ``starts_record`` tells that cells are of a
    record and not of a long text, so that a quote is not closed by the next line's.
    """
    at = 0
    while at < len(lines):
        cells, used = _record(lines, at, delimiter, starts_record)
        yield at + 1, cells
        at += used


def _record(
    lines: Sequence[str], at: int, delimiter: str, starts_record: Callable[[list[str]], bool]
) -> tuple[list[str] | str, int]:
    """Cells, or why there are none, and how many lines they took."""
    cells = _cells(lines[at], delimiter)
    if isinstance(cells, list):
        return cells, 1
    is_open = lines[at].count('"') % 2
    for end in range(at + 1, min(at + MOST_LINES, len(lines))):
        if not is_open:
            break
        alone = _cells(lines[end], delimiter)
        if isinstance(alone, list) and starts_record(alone):
            break
        is_open ^= lines[end].count('"') % 2
        if not is_open:
            together = _cells("".join(lines[at : end + 1]), delimiter)
            if isinstance(together, list):
                return together, end + 1 - at
            return together, 1
    return ("a quote is opened and never closed" if is_open else cells), 1


def _cells(text: str, delimiter: str) -> list[str] | str:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        return f"is not CSV: {error}"
