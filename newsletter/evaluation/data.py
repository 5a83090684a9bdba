"""Evaluation folders.

Either `papers.tsv` (id, title, abstract where there is one), `candidates.tsv` (the same, of new
papers), `saves.tsv` and `truth.tsv` (subscriber, paper); or systematic reviews, one CSV file
with title, abstract and label a topic, from which ten likes are drawn.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from newsletter.errors import InputError
from newsletter.features import PaperText

REVIEW_LIKES = 10
csv.field_size_limit(1_000_000)  # abstracts are long, but not as long as this


@dataclass(frozen=True, slots=True)
class Library:
    """What is known and what is to be predicted.

    ``likes`` (subscribers, known papers) and ``truth`` (subscribers, candidates) hold ones.
    """

    name: str
    papers: tuple[PaperText, ...]
    candidates: tuple[PaperText, ...]
    likes: csr_matrix
    truth: csr_matrix


def load(folder: Path) -> list[Library]:
    """One library, or one a review: reviews share no candidates.

    Raises:
        InputError: a file is missing or a line cannot be read; names the file and the line.
    """
    if (folder / "papers.tsv").exists():
        return [_load_tsv(folder)]
    reviews = sorted([*folder.glob("*.csv.gz"), *folder.glob("*.csv")])
    reviews = [path for path in reviews if not path.name.startswith("stats")]
    if not reviews:
        raise InputError(
            "holds neither papers.tsv nor reviews (*.csv, *.csv.gz)", where=str(folder)
        )
    return [_load_review(path) for path in reviews]


def _load_tsv(folder: Path) -> Library:
    papers, known = _papers(folder / "papers.tsv")
    candidates, new = _papers(folder / "candidates.tsv")
    if not candidates:
        raise InputError("holds no candidates", where=str(folder / "candidates.tsv"))
    saves = list(_pairs(folder / "saves.tsv", known))
    truth = list(_pairs(folder / "truth.tsv", new))
    if not truth:
        raise InputError("holds nothing to predict", where=str(folder / "truth.tsv"))
    subscribers = sorted({subscriber for subscriber, _ in (*saves, *truth)})
    row_of = {subscriber: row for row, subscriber in enumerate(subscribers)}
    return Library(
        folder.name,
        papers,
        candidates,
        _matrix([(row_of[s], column) for s, column in saves], (len(row_of), len(papers))),
        _matrix([(row_of[s], column) for s, column in truth], (len(row_of), len(candidates))),
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


def _papers(path: Path) -> tuple[tuple[PaperText, ...], dict[str, int]]:
    papers: list[PaperText] = []
    row_of: dict[str, int] = {}
    for number, fields in _lines(path):
        if fields[0] in row_of:
            raise InputError(f"paper {fields[0]!r} stands here twice", where=f"{path}:{number}")
        row_of[fields[0]] = len(papers)
        title, abstract = (*fields[1:3], "", "")[:2]
        papers.append(PaperText(title, abstract))
    return tuple(papers), row_of


def _pairs(path: Path, row_of: dict[str, int]) -> Iterator[tuple[str, int]]:
    for number, fields in _lines(path):
        if len(fields) < 2:
            raise InputError("needs subscriber, tab, paper", where=f"{path}:{number}")
        if fields[1] not in row_of:
            raise InputError(f"paper {fields[1]!r} is not known", where=f"{path}:{number}")
        yield fields[0], row_of[fields[1]]


def _load_review(path: Path) -> Library:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
        papers = [PaperText(row["title"] or "", row["abstract"] or "") for row in rows]
        relevant = np.array([row["label"].strip() == "1" for row in rows], bool)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error
    except (KeyError, AttributeError) as error:
        raise InputError("needs the columns title, abstract, label", where=str(path)) from error
    order = np.random.default_rng(0).permutation(np.flatnonzero(relevant))
    # Of a review with few relevant papers some must stay to be found.
    liked = np.sort(order[: min(REVIEW_LIKES, max(0, len(order) - 5))])
    rest = np.setdiff1d(np.arange(len(papers)), liked)
    return Library(
        path.name.split(".")[0],
        tuple(papers[row] for row in liked),
        tuple(papers[row] for row in rest),
        csr_matrix(np.ones((1, len(liked)), np.float32)),
        csr_matrix(relevant[rest][None, :].astype(np.float32)),
    )
