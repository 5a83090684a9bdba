"""A CSV file of subscribers, read into checked lines. Pure but for reading the file.

Spreadsheets write CSV in many ways: with a byte order mark, in UTF-16, with semicolons or tabs,
with a `sep=` line. All of these are read; what cannot be read is refused line by line.
"""

import codecs
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.core.csv_cells import plain_cell, records, split_list
from newsletter.core.errors import InputError
from newsletter.core.models import Signal
from newsletter.subscribers.validation import (
    LONGEST_NAME,
    Preferences,
    TopicRequest,
    TypedTopic,
    clean_line,
    normalise_email,
    paper_identity,
)

PREFERENCE_COLUMNS = {
    "cadence": "cadence",
    "weekday": "weekday",
    "timezone": "time_zone",
    "send_hour": "send_hour",
    "max_papers": "max_papers",
    "min_score": "min_score",
    "weekly_budget": "weekly_budget",
    "length": "length",
    "popularity": "popularity",
    "outside_picks": "outside_picks",
    "tell_when_nothing": "tell_when_nothing",
    "tell_revisions": "tell_revisions",
    "fill_list": "fill_list",
    "read_here": "read_here",
    "language": "language",
    "vacation_until": "vacation_until",
}
# Papers judged, by topic: arXiv ids or DOIs.
SIGNAL_COLUMNS = {
    "relevant": Signal.RELEVANT,
    "not_relevant": Signal.NOT_RELEVANT,
    "saved": Signal.SAVED,
}
LIST_COLUMNS = ("keywords", "categories", "authors", "seed_papers", "mutes")
COLUMNS = (
    "email",
    "name",
    *PREFERENCE_COLUMNS,
    "topic",
    "text",
    *LIST_COLUMNS,
    "quota",
    "paused",
    *SIGNAL_COLUMNS,
    "group",
    "status",
)
_ALIASES = {
    "e-mail": "email",
    "email_address": "email",
    "e-mail_address": "email",
    "time_zone": "timezone",
    "seeds": "seed_papers",
}


_ADDRESS = re.compile(r"[^\s@,;\"]{1,64}@[^\s@,;\"]{1,255}")


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file by our names, and as they are written in the file."""

    names: list[str]
    typed: Mapping[str, str]

    def refusal(self, error: InputError) -> str:
        """What is wrong with a line, with its column as the file names it."""
        return f"{self.typed.get(error.where, error.where)}: {error.what}"


@dataclass(frozen=True, slots=True)
class Line:
    """One good line. ``given`` names the preferences that it states."""

    number: int
    address: str
    name: str
    preferences: Preferences
    given: tuple[str, ...]
    topic: TopicRequest
    status: str
    header: Header
    judged: tuple[tuple[Signal, str], ...] = ()  # a signal and a paper's identity
    cells: Mapping[str, str] = field(default_factory=dict)  # those that are not blank, by column


@dataclass(frozen=True, slots=True)
class Remark:
    """What happened to one line that was not simply imported."""

    line: int
    email: str
    reason: str


def read_lines(path: Path) -> Iterator[Line | Remark]:
    """Every line of ``path`` after the header: checked, or a remark why it is refused.

    Raises:
        InputError: the file cannot be read, or has no email column.
    """
    rows = raw_rows(path)
    header = header_of(rows, where=str(path))
    if "email" not in header.names:
        raise InputError(
            f"no column 'email' in the header line ({', '.join(header.names)[:100]})",
            where=str(path),
        )
    for number, cells in rows:
        if isinstance(cells, str):
            yield Remark(number, "", cells)
        else:
            yield _line(number, header, cells)


def raw_rows(path: Path) -> Iterator[tuple[int, list[str] | str]]:
    """Line numbers with the cells of a CSV file, or why a line cannot be read; no blank lines.

    Raises:
        InputError: the file cannot be read as text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=str(path)) from error
    return rows_of(data, where=str(path))


def rows_of(data: bytes, *, where: str) -> Iterator[tuple[int, list[str] | str]]:
    """`raw_rows` of the bytes of a file; ``where`` names it.

    Raises:
        InputError: they are no text.
    """
    text = _decoded(data, where)
    lines = list(io.StringIO(text, newline=""))
    width = 0

    def starts_record(cells: list[str]) -> bool:
        """As many cells as the first line has, one of them nothing but an address."""
        is_whole = len(cells) == width > 1
        return is_whole and any(_ADDRESS.fullmatch(cell.strip()) for cell in cells)

    for number, cells in records(lines, _delimiter(text), starts_record):
        if isinstance(cells, str) or _is_data(cells):
            width = width or len(cells)
            yield number, cells


def header_of(rows: Iterator[tuple[int, list[str] | str]], *, where: str) -> Header:
    """The names of the columns, from the first of ``rows``.

    Raises:
        InputError: it does not name columns that we know, each once.
    """
    _, first = next(rows, (1, "no lines"))
    if isinstance(first, str):
        raise InputError("no header line; the first line must name the columns", where=where)
    header = [_column(cell) for cell in first]
    typed = dict(zip(header, map(str.strip, first), strict=True))
    unknown = [typed[name] for name in header if name and name not in COLUMNS]
    if unknown and "email" in header:
        raise InputError(
            f"unknown column {unknown[0][:60]!r}; known columns: {', '.join(COLUMNS)}", where=where
        )
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        what = f"column {typed[twice[0]][:60]!r} appears twice in the header line"
        raise InputError(what, where=where)
    return Header(header, typed)


def row_of(header: list[str], cells: list[str]) -> dict[str, str]:
    """The cells of a line by column; blank where it has none.

    Raises:
        InputError: there are more cells than columns.
    """
    if any(cell.strip() for cell in cells[len(header) :]):
        raise InputError(
            f"{len(cells)} cells, but the header has {len(header)}; quote cells that hold "
            "the delimiter",
            where="line",
        )
    row = dict.fromkeys(COLUMNS, "")
    return row | dict(zip(header, map(plain_cell, cells), strict=False))


def _decoded(data: bytes, where: str) -> str:
    encoding = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            "is not UTF-8; in a spreadsheet, save it as 'CSV UTF-8'", where=f"{where}, line {line}"
        ) from error


def _is_data(cells: list[str]) -> bool:
    """Neither a blank line nor the ``sep=;`` that a spreadsheet writes first."""
    return any(cell.strip() for cell in cells) and not cells[0].lower().startswith("sep=")


def _delimiter(text: str) -> str:
    lines = (line.split(",") for line in text[:100_000].splitlines())
    header = next((",".join(cells) for cells in lines if _is_data(cells)), "")
    return max(",;\t", key=header.count)


def _column(cell: str) -> str:
    name = "_".join(cell.strip().lower().split())
    return _ALIASES.get(name, name)


def _line(number: int, header: Header, cells: list[str]) -> Line | Remark:
    place = header.names.index("email")
    email = cells[place] if len(cells) > place else ""
    try:
        row = row_of(header.names, cells)
        return Line(
            number=number,
            address=normalise_email(row["email"]),
            name=clean_line(row["name"], where="name", longest=LONGEST_NAME),
            preferences=Preferences.read(stated_preferences(row, PREFERENCE_COLUMNS)),
            given=tuple(PREFERENCE_COLUMNS[c] for c in PREFERENCE_COLUMNS if row[c].strip()),
            topic=stated_topic(row),
            status=row["status"].strip().lower(),
            header=header,
            judged=_judged(row),
            cells={column: cell.strip() for column, cell in row.items() if cell.strip()},
        )
    except InputError as error:
        empty = f"the column {header.typed['email']!r} is empty"
        shown = header.refusal(error) if email.strip() else empty
        return Remark(number, plain_cell(email)[:100], shown)


def stated_preferences(row: dict[str, str], columns: Iterable[str]) -> dict[str, str]:
    """Those ``columns`` of a row that are preferences, for `Preferences.read`."""
    return {
        PREFERENCE_COLUMNS[column]: row[column]
        for column in columns
        if column in PREFERENCE_COLUMNS
    }


def stated_topic(row: dict[str, str]) -> TopicRequest:
    """The topic of a row.

    Raises:
        InputError: names the column and what is wrong with it.
    """
    lists = {column: split_list(row[column]) for column in LIST_COLUMNS}
    typed = {column: row[column] for column in ("text", "quota", "paused")}
    return TypedTopic.read({"name": row["topic"], **typed, **lists})


def _judged(row: dict[str, str]) -> tuple[tuple[Signal, str], ...]:
    return tuple(
        (signal, paper_identity(value, where=column))
        for column, signal in SIGNAL_COLUMNS.items()
        for value in split_list(row[column])
        if value
    )
