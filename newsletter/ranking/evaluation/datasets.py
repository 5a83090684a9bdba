"""Evaluation folders.

Either `papers.tsv` (id, title, abstract and date where there are), `candidates.tsv` (the same,
of new papers), `saves.tsv` and `truth.tsv` (subscriber, paper); or systematic reviews, one table
with title, abstract and label a topic, from which ten likes are drawn, several times.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from newsletter.core.errors import InputError
from newsletter.ranking.feature_space import PaperText

REVIEW_LIKES, FEWEST_LEFT = 10, 5  # likes drawn, and relevant papers that stay to be found
# Names of columns as exports of screening tools have them; the first that is there counts.
TITLES = ("title", "primary_title")
ABSTRACTS = ("abstract", "notes_abstract")
LABELS = (
    *("label_included", "included", "included_label", "included_final", "final_label"),
    *("label", "include", "included_flag", "relevant"),
)
YES, NO = {"1", "1.0", "true", "yes", "y", "included"}, {"0", "0.0", "false", "no", "n", "excluded"}
UNJUDGED = {"", "-1", "-1.0", "nan", "na"}
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
# Files that such folders hold beside reviews: sizes, and parts of a library that lacks papers.
NO_REVIEWS = ("stats", "candidates.", "saves.", "truth.")
DELIMITERS = ",;\t"  # a spreadsheet where the comma is the decimal sign writes semicolons
NEWEST = 5  # by time, the newest fifth of the papers is to be found
LARGEST = 256 * 2**20  # bytes: a hundred thousand abstracts; a few KB of .gz can unpack to any size
csv.field_size_limit(1_000_000)  # abstracts are long, but not as long as this


@dataclass(frozen=True, slots=True)
class Library:
    """What is known and what must be predicted.

    ``likes`` (subscribers, known papers) and ``truth`` (subscribers, candidates) hold ones;
    ``dates`` are those of known papers, then candidates, where all have one.
    """

    name: str
    papers: tuple[PaperText, ...]
    candidates: tuple[PaperText, ...]
    likes: csr_matrix
    truth: csr_matrix
    dates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """A systematic review: papers, and which of them it included (papers,)."""

    name: str
    papers: tuple[PaperText, ...]
    relevant: NDArray[np.bool_]

    def draw(self, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of ten relevant papers as likes, and of the rest.

        Fewer than ten where too few would stay to be found.
        """
        order = np.random.default_rng(seed).permutation(np.flatnonzero(self.relevant))
        liked = np.sort(order[: min(REVIEW_LIKES, max(1, len(order) - FEWEST_LEFT))])
        return liked, np.setdiff1d(np.arange(len(self.papers)), liked)

    def as_library(self, seed: int) -> Library:
        """One reader who likes what was drawn; everything else is to be ranked."""
        liked, rest = self.draw(seed)
        return Library(
            self.name,
            tuple(self.papers[row] for row in liked),
            tuple(self.papers[row] for row in rest),
            csr_matrix(np.ones((1, len(liked)), np.float32)),
            csr_matrix(self.relevant[rest][None, :].astype(np.float32)),
        )


def by_time(library: Library) -> Library | None:
    """The same libraries with the newest papers to be found by the older ones, if there are dates.

    A random split flatters: of papers that came together, some are known.
    """
    if not library.dates:
        return None
    dates = np.array(library.dates)
    new = dates >= np.sort(dates)[-max(1, len(dates) // NEWEST)]
    saved = csr_matrix(hstack([library.likes, library.truth]))
    if new.all() or not saved[:, new].nnz:
        return None
    texts = (*library.papers, *library.candidates)
    return Library(
        library.name,
        tuple(text for text, later in zip(texts, new, strict=True) if not later),
        tuple(text for text, later in zip(texts, new, strict=True) if later),
        saved[:, ~new],
        saved[:, new],
    )


def load(folder: Path) -> list[Library]:
    """One library, or one a review with the first draw of likes: reviews share no candidates.

    Raises:
        InputError: a file is missing or a line cannot be read; names the file and the line.
    """
    if is_library(folder):
        return [load_library(folder)]
    return [review.as_library(0) for review in load_reviews(folder)]


def is_library(folder: Path) -> bool:
    """Whether the folder holds what readers saved, not reviews."""
    return (folder / "papers.tsv").exists()


def load_reviews(folder: Path) -> list[Review]:
    """The reviews of a folder, by the names of their files.

    Raises:
        InputError: there are none, or one cannot be read; names the file and the line.
    """
    paths = sorted(
        path
        for path in folder.glob("*")
        if path.name.casefold().endswith(TABLES) and not path.name.casefold().startswith(NO_REVIEWS)
    )
    if not paths:
        raise InputError(
            f"contains neither papers.tsv nor reviews ({', '.join('*' + end for end in TABLES)})",
            where=str(folder),
        )
    return [_load_review(path) for path in paths]


def load_library(folder: Path) -> Library:
    """What readers saved, and what they are to be shown.

    Raises:
        InputError: a file is missing or a line cannot be read; names the file and the line.
    """
    papers, known, dates = _papers(folder / "papers.tsv")
    candidates, new, later = _papers(folder / "candidates.tsv")
    dated = len(dates) == len(papers) and len(later) == len(candidates)
    if not candidates:
        raise InputError("contains no candidates", where=str(folder / "candidates.tsv"))
    saves = list(_pairs(folder / "saves.tsv", known))
    truth = list(_pairs(folder / "truth.tsv", new))
    if not truth:
        raise InputError("contains nothing to predict", where=str(folder / "truth.tsv"))
    subscribers = sorted({subscriber for subscriber, _ in (*saves, *truth)})
    row_of = {subscriber: row for row, subscriber in enumerate(subscribers)}
    return Library(
        folder.name,
        papers,
        candidates,
        _matrix([(row_of[s], column) for s, column in saves], (len(row_of), len(papers))),
        _matrix([(row_of[s], column) for s, column in truth], (len(row_of), len(candidates))),
        (*dates, *later) if dated else (),
    )


def _matrix(pairs: list[tuple[int, int]], shape: tuple[int, int]) -> csr_matrix:
    rows, columns = np.unique(np.array(pairs, np.int64).reshape(-1, 2), axis=0).T
    return csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line.rstrip("\r\n").split("\t")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8: {error.reason}", where=str(path)) from error


def _papers(path: Path) -> tuple[tuple[PaperText, ...], dict[str, int], list[str]]:
    papers: list[PaperText] = []
    dates: list[str] = []
    row_of: dict[str, int] = {}
    for number, fields in _lines(path):
        if fields[0] in row_of:
            raise InputError(f"paper {fields[0]!r} appears twice", where=f"{path}:{number}")
        row_of[fields[0]] = len(papers)
        title, abstract = (*fields[1:3], "", "")[:2]
        papers.append(PaperText(title, abstract))
        if len(fields) > 3 and fields[3]:
            dates.append(_date(fields[3], f"{path}:{number}"))
    return tuple(papers), row_of, dates


def _date(text: str, where: str) -> str:
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError as error:
        raise InputError(f"{text!r} is not a date like 2026-01-31", where=where) from error


def _pairs(path: Path, row_of: dict[str, int]) -> Iterator[tuple[str, int]]:
    for number, fields in _lines(path):
        if len(fields) < 2:
            raise InputError("each line must be: subscriber, tab, paper", where=f"{path}:{number}")
        if fields[1] not in row_of:
            raise InputError(f"paper {fields[1]!r} is not known", where=f"{path}:{number}")
        yield fields[0], row_of[fields[1]]


def read_file(path: Path) -> bytes:
    """What is in a file, unpacked where its name ends in .gz.

    Raises:
        InputError: it cannot be read, or has more than `LARGEST` bytes.
    """
    try:
        with gzip.open(path) if path.suffix.casefold() == ".gz" else path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error
    if len(data) > LARGEST:
        raise InputError(f"has more than {LARGEST / 2**20:g} MB of text", where=str(path))
    return data


def _load_review(path: Path) -> Review:
    try:
        rows = _rows(read_file(path).decode("utf-8-sig"))
        title, abstract, label = _columns(rows.fieldnames or (), path)
        papers, relevant = [], []
        for row in rows:
            judged = _judged(row[label], f"{path}:{rows.line_num}", label)
            if judged is not None:
                papers.append(PaperText(_cell(row[title]), _cell(row.get(abstract))))
                relevant.append(judged)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error
    count = sum(relevant)
    if not 1 < count < len(papers):
        raise InputError(
            f"has {count} included among {len(papers)} judged papers: it needs at least two "
            "included ones, one to like and one to find, and one that is not",
            where=str(path),
        )
    return Review(path.name.split(".")[0], tuple(papers), np.array(relevant, bool))


def _rows(text: str) -> "csv.DictReader[str]":
    """The rows of a table, with the delimiter by which its header has most columns that we know."""
    # Not the one that is there most often: a quoted name may hold others.
    several = [csv.DictReader(io.StringIO(text, newline=""), delimiter=one) for one in DELIMITERS]
    return max(several, key=lambda rows: 3 - _usual(rows.fieldnames or ()).count(None))


def _usual(names: Sequence[str]) -> list[str | None]:
    """The columns of title, abstract and label, by their usual names in any case."""
    there = {" ".join(name.casefold().split()): name for name in names if name}
    return [
        next((there[name] for name in usual if name in there), None)
        for usual in (TITLES, ABSTRACTS, LABELS)
    ]


def _columns(names: Sequence[str], path: Path) -> tuple[str, str, str]:
    title, abstract, label = _usual(names)
    if title is None or label is None:
        raise InputError(
            f"needs the columns title, abstract (may be left out), and one of {', '.join(LABELS)}",
            where=str(path),
        )
    return title, abstract or "", label


def _cell(text: str | None) -> str:
    return (text or "").strip()


def _judged(text: str | None, where: str, column: str) -> bool | None:
    """Whether a paper was included; None where nobody judged it."""
    value = (text or "").strip().casefold()
    if value in UNJUDGED:
        return None
    if value not in YES | NO:
        raise InputError(f"{column} must be 1 or 0, not {value[:30]!r}", where=where)
    return value in YES
