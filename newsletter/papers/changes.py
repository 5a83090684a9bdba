"""What became of papers that readers got, liked or saved: noted while sightings are stored."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import insert, select, union
from sqlmodel import Session

from newsletter.core.models import ChangeKind, Signal
from newsletter.papers.identity import ARXIV, DOI, Key, stated_dois
from newsletter.papers.tables import CHANGE, DIGEST_ITEM, FEEDBACK, PAPER
from newsletter.sources import PaperRecord

# Registrants of preprint servers: bioRxiv and medRxiv, arXiv, Research Square, SSRN, ChemRxiv,
# Preprints.org, PsyArXiv and its kin, TechRxiv, Authorea, Zenodo.
_PREPRINTS = tuple(
    f"10.{number}/"
    for number in (1101, 64898, 48550, 21203, 2139, 26434, 20944, 31234, 31219, 36227, 22541, 5281)
)


class Row(Protocol):
    """A paper's row; without an id it is new."""

    id: int | None
    values: dict[str, Any]


@dataclass(slots=True)
class _Seen:
    """A change of one row; a revision's ``after`` is its abstract."""

    row: Row
    kind: ChangeKind
    version: int = 0
    after: str = ""


@dataclass(slots=True)
class Changes:
    """The changes that one group of sightings brings."""

    seen: list[_Seen] = field(default_factory=list)

    def note(self, row: Row, record: PaperRecord) -> None:
        """Note a new standing or version of a known paper, before the record is merged."""
        if row.id is None:
            return
        if record.standing and not row.values["standing"]:
            self.seen.append(_Seen(row, ChangeKind(record.standing)))
        elif record.version > int(row.values["version"]) and record.abstract:
            self.seen.append(_Seen(row, ChangeKind.REVISED, record.version, record.abstract))

    def note_publication(self, row: Row, names: Collection[Key], dois: Iterable[str]) -> None:
        """Note that a paper known by ``names``, a preprint until now, has the ``dois`` as well."""
        doi = next(filter(is_journals, dois), None)
        if row.id is not None and doi and is_preprint(names):
            self.seen.append(_Seen(row, ChangeKind.PUBLISHED, after=doi))

    def moved(self, row: Row, to: Row) -> None:
        """Two rows were found to be one paper."""
        for change in self.seen:
            if change.row is row:
                change.row = to

    def write(self, session: Session, at: datetime) -> None:
        """Store those that some reader may be told of; call before new abstracts are written."""
        write(session, self.seen, at)


def is_journals(doi: str) -> bool:
    """Whether a DOI is not that of a preprint server."""
    return not doi.startswith(_PREPRINTS)


def is_preprint(names: Collection[Key]) -> bool:
    """Whether a paper of these names was known as a preprint only."""
    dois = [name for kind, name in names if kind == DOI]
    known = bool(dois) or any(kind in {ARXIV, "biorxiv", "medrxiv"} for kind, _ in names)
    return known and not any(map(is_journals, dois))


def newly_stated(record: PaperRecord, known: Collection[Key]) -> list[str]:
    """The DOIs that a record states and that no looked-up paper has yet."""
    return [doi for doi in stated_dois(record) if (DOI, doi) not in known]


def write(session: Session, seen: Iterable[_Seen], at: datetime) -> None:
    """Store changes of papers that somebody got, liked or saved; each once."""
    by_paper: dict[int, list[_Seen]] = {}
    for change in seen:
        if change.row.id is not None:
            by_paper.setdefault(change.row.id, []).append(change)
    if not by_paper or not (told := _of_interest(session, by_paper)):
        return
    texts = select(PAPER.c.id, PAPER.c.abstract).where(PAPER.c.id.in_(told))
    abstracts: dict[int, str] = {row[0]: row[1] for row in session.execute(texts)}
    query = select(CHANGE.c.paper_id, CHANGE.c.kind, CHANGE.c.version)
    there = set(map(tuple, session.execute(query.where(CHANGE.c.paper_id.in_(told)))))
    rows: dict[tuple[int, ChangeKind, int], dict[str, Any]] = {}
    for paper_id in told:
        for change in by_paper[paper_id]:
            before = abstracts[paper_id] if change.kind is ChangeKind.REVISED else ""
            if change.kind is ChangeKind.REVISED and _alike(before, change.after):
                continue
            rows[paper_id, change.kind, change.version] = {
                "paper_id": paper_id,
                "kind": change.kind,
                "version": change.version,
                "before": before,
                "after": change.after,
                "at": at,
            }
    if new := [row for key, row in rows.items() if key not in there]:
        session.execute(insert(CHANGE), new)


def note_retracted(session: Session, paper_ids: Collection[int], at: datetime) -> None:
    """Note that a notice retracted these papers, which were in good standing."""
    rows = [_Stored(paper_id) for paper_id in paper_ids]
    write(session, [_Seen(row, ChangeKind.RETRACTED) for row in rows], at)


@dataclass(slots=True)
class _Stored:
    """A row of which nothing but its id is needed."""

    id: int | None
    values: dict[str, Any] = field(default_factory=dict)


def _of_interest(session: Session, paper_ids: Collection[int]) -> list[int]:
    """Those that stand in a digest, or that somebody liked or saved."""
    liked = (Signal.RELEVANT, Signal.SAVED)
    mailed = select(DIGEST_ITEM.c.paper_id).where(DIGEST_ITEM.c.paper_id.in_(paper_ids))
    judged = select(FEEDBACK.c.paper_id).where(
        FEEDBACK.c.paper_id.in_(paper_ids), FEEDBACK.c.signal.in_(liked)
    )
    return sorted(session.execute(union(mailed, judged)).scalars())


def _alike(before: str, after: str) -> bool:
    """Whether two abstracts differ in white space only, or there was none."""
    return not before or before.split() == after.split()
