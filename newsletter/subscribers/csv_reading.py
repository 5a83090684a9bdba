"""A CSV file of subscribers, read into checked lines. Pure but for reading the file.

Spreadsheets write CSV in many ways: with a byte order mark, in UTF-16, with semicolons or tabs,
with a `sep=` line. All of these are read; what cannot be read is refused line by line.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from newsletter.core.csv_cells import FORMULA_STARTS
from newsletter.core.errors import InputError
from newsletter.subscribers.validation import (
    LONGEST_NAME,
    Preferences,
    TopicRequest,
    clean_line,
    normalise_email,
    parse_preferences,
    parse_topic,
)

PREFERENCE_COLUMNS = {
    "cadence": "cadence",
    "weekday": "weekday",
    "timezone": "time_zone",
    "send_hour": "send_hour",
    "max_papers": "max_papers",
    "min_score": "min_score",
}
LIST_COLUMNS = ("keywords", "categories", "authors", "seed_papers", "mutes")
COLUMNS = (
    "email",
    "name",
    *PREFERENCE_COLUMNS,
    "topic",
    "text",
    *LIST_COLUMNS,
    "status",
)
_ALIASES = {
    "e-mail": "email",
    "email_address": "email",
    "e-mail_address": "email",
    "time_zone": "timezone",
    "seeds": "seed_papers",
}


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


@dataclass(frozen=True, slots=True)
class Remark:
    """What happened to one line that was not simply imported."""

    line: int
    email: str
    reason: str


class Reader(Protocol):
    """What `csv.reader` returns; the standard library gives the type no public name."""

    line_num: int

    def __next__(self) -> list[str]: ...


def read_lines(path: Path) -> Iterator[Line | Remark]:
    """Every line of ``path`` after the header: checked, or a remark why it is refused.

    Raises:
        InputError: the file cannot be read, or has no email column.
    """
    text = _decoded(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        header = [_column(cell) for cell in next(row for row in reader if _is_data(row))]
    except (StopIteration, csv.Error) as error:
        raise InputError(
            "no header line; the first line must name the columns", where=str(path)
        ) from (error)
    _check_header(header, path)
    yield from _rows(reader, header)


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=str(path)) from error
    encoding = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            "is not UTF-8; in a spreadsheet, save it as 'CSV UTF-8'", where=f"{path}, line {line}"
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


def _check_header(header: list[str], path: Path) -> None:
    if "email" not in header:
        raise InputError(
            f"no column 'email' in the header line ({', '.join(header)[:100]})", where=str(path)
        )
    unknown = [name for name in header if name and name not in COLUMNS]
    if unknown:
        raise InputError(
            f"unknown column {unknown[0]!r}; known columns: {', '.join(COLUMNS)}", where=str(path)
        )
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise InputError(f"column {twice[0]!r} appears twice in the header line", where=str(path))


def _rows(reader: Reader, header: list[str]) -> Iterator[Line | Remark]:
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Remark(number, "", f"is not CSV: {error}")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        yield _line(number, header, cells)


def _line(number: int, header: list[str], cells: list[str]) -> Line | Remark:
    row = dict.fromkeys(COLUMNS, "")
    row |= zip(header, (_plain(cell) for cell in cells), strict=False)
    try:
        if any(cell.strip() for cell in cells[len(header) :]):
            raise InputError(
                f"{len(cells)} cells, but the header has {len(header)}; quote cells that hold "
                "the delimiter",
                where="line",
            )
        return Line(
            number=number,
            address=normalise_email(row["email"]),
            name=clean_line(row["name"], where="name", longest=LONGEST_NAME),
            preferences=_preferences(row),
            given=tuple(PREFERENCE_COLUMNS[c] for c in PREFERENCE_COLUMNS if row[c].strip()),
            topic=_topic(row),
            status=row["status"].strip().lower(),
        )
    except InputError as error:
        shown = str(error) if row["email"].strip() else "the email column is empty"
        return Remark(number, row["email"][:100], shown)


def _preferences(row: dict[str, str]) -> Preferences:
    return parse_preferences(
        cadence=row["cadence"],
        weekday=row["weekday"],
        time_zone=row["timezone"],
        send_hour=row["send_hour"],
        max_papers=row["max_papers"],
        min_score=row["min_score"],
    )


def _topic(row: dict[str, str]) -> TopicRequest:
    return parse_topic(
        name=row["topic"],
        text=row["text"],
        keywords=row["keywords"].split(";"),
        categories=row["categories"].split(";"),
        authors=row["authors"].split(";"),
        seed_papers=row["seed_papers"].split(";"),
        mutes=row["mutes"].split(";"),
    )


def _plain(cell: str) -> str:
    """A cell without the apostrophe that `csv_writing` puts before a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in FORMULA_STARTS else cell
