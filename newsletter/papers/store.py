"""Store sightings as rows: look up, merge, insert; a handful of statements for hundreds.

Better data from a later source is merged; a higher version is a revision, not a new paper.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlmodel import Session

from newsletter.core.batches import batched
from newsletter.core.identifiers import without_version
from newsletter.papers.changes import Changes, newly_stated, note_retracted
from newsletter.papers.details import store_details
from newsletter.papers.identity import (
    ARXIV,
    DOI,
    Key,
    contradict,
    is_another,
    matching_keys,
    strong_keys,
    title_keys,
)
from newsletter.papers.merge import unite
from newsletter.papers.tables import ALIAS, PAPER
from newsletter.sources import PaperRecord
from newsletter.sources.normalise import own_id

# Bound values in one IN list; SQLite allows 32,766 of them.
_MOST_NAMES = 5_000
# Columns that a later sighting may know better, read back to compare.
_MERGED = (
    "version",
    "doi",
    "authors",
    "categories",
    "url",
    "code_url",
    "project_url",
    "published_at",
    "published_precision",
    "announcement",
    "standing",
    "upvotes",
    "venue",
)
# Candidates reach back 30 days; a revision of a paper of unknown age is older than that.
_LONG_AGO = timedelta(days=366)
_FILLED = ("doi", "authors", "url", "code_url", "project_url", "published_at", "venue")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many sightings were new papers, revisions, or known; ``too_old`` is a part of those."""

    new: int = 0
    revised: int = 0
    known: int = 0
    too_old: int = 0


@dataclass(slots=True, eq=False)
class _Row:
    """A paper's row, there or to be; ``text`` holds what must be written of title and abstract."""

    id: int | None
    values: dict[str, Any]
    lacks_abstract: bool
    is_revision: bool = False
    is_old: bool = False
    changed: bool = False
    text: dict[str, str | None] = field(default_factory=dict)
    names: set[Key] = field(default_factory=set)
    sighted: list[PaperRecord] = field(default_factory=list)  # with ORCIDs or references


def store(
    session: Session,
    records: Sequence[PaperRecord],
    *,
    seen_at: datetime,
    max_age: timedelta | None = None,
) -> Tally:
    """Store sightings within the session's transaction.

    Give a few hundred at a time. A paper published longer than ``max_age`` before ``seen_at`` is
    stored, but counts as known: a catalogue's old work that is announced today is not news.

    Raises:
        IntegrityError: another process stored one of them meanwhile; try again.
        PaperGoneError: another process merged two of them meanwhile; try again.
    """
    return _Group(session, seen_at, max_age).store(records)


def retract(session: Session, dois: Sequence[str], seen_at: datetime) -> int:
    """Mark the papers that a notice retracts; returns how many are known here."""
    known = select(ALIAS.c.paper_id).where(
        ALIAS.c.source == DOI, ALIAS.c.external_id.in_([doi.lower() for doi in dois])
    )
    sound = session.scalars(select(PAPER.c.id).where(PAPER.c.id.in_(known), PAPER.c.standing == ""))
    note_retracted(session, sound.all(), seen_at)
    marked = update(PAPER).where(PAPER.c.id.in_(known)).values(standing="retracted")
    return session.connection().execute(marked).rowcount


class _Group:
    """The rows that one group of sightings touches."""

    def __init__(self, session: Session, seen_at: datetime, max_age: timedelta | None) -> None:
        self.session = session
        self.seen_at = seen_at
        self.max_age = max_age
        self.by_key: dict[Key, _Row] = {}
        self.rows: dict[int, _Row] = {}
        self.new: list[_Row] = []
        self.changes = Changes()

    def store(self, records: Sequence[PaperRecord]) -> Tally:
        self._look_up(records)
        revised = sum(self._sight(record) for record in records)
        self._write()
        new = sum(not row.is_revision and not row.is_old for row in self.new)
        revised += sum(row.is_revision for row in self.new)
        known = len(records) - new - revised
        return Tally(new, revised, known, sum(row.is_old for row in self.new))

    def _look_up(self, records: Iterable[PaperRecord]) -> None:
        """Read the rows that any key of any record names."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for record in records:
            for source, name in (*matching_keys(record), *title_keys(record)):
                wanted[source].add(name)
            if record.source.startswith("feed"):
                wanted[record.source].add(own_id(record))
        found: list[tuple[Key, int]] = []
        for source, names in wanted.items():
            for some in batched(sorted(names), _MOST_NAMES):
                query = select(ALIAS.c.external_id, ALIAS.c.paper_id).where(
                    ALIAS.c.source == source, ALIAS.c.external_id.in_(some)
                )
                found += [((source, name), paper) for name, paper in self.session.execute(query)]
        self._load({paper for _, paper in found})
        self.by_key = {key: self.rows[paper] for key, paper in found}

    def _load(self, ids: set[int]) -> None:
        names = (*_MERGED, "title")
        columns = [PAPER.c.id, PAPER.c.abstract == "", *(PAPER.c[name] for name in names)]
        for some in batched(sorted(ids), _MOST_NAMES):
            for row in self.session.execute(select(*columns).where(PAPER.c.id.in_(some))):
                values = dict(zip(names, row[2:], strict=True))
                self.rows[row[0]] = _Row(row[0], values, bool(row[1]))

    def _sight(self, record: PaperRecord) -> bool:
        """Find or make the row of one sighting; says whether it is a revision of a known one."""
        known = self.by_key.get((record.source, record.external_id))
        if known and is_another(record, known.values["title"], known.values["url"]):
            record = replace(record, external_id=own_id(record))
        strong, titles = strong_keys(record), title_keys(record)
        row = self._strong_match(record, matching_keys(record)) or self._title_match(record, titles)
        revised = False
        if row is None:
            row = _new_row(record, self.seen_at, self.max_age)
            self.new.append(row)
        else:
            if self._corrects_doi(record, row):
                row.values["doi"] = None
            self.changes.note(row, record)
            if dois := newly_stated(record, self.by_key):
                self.changes.note_publication(row, self._names(row), dois)
            revised = _merge(row, record)
        if record.orcids or record.references:
            row.sighted.append(record)
        for key in (*strong, *titles):
            if key not in self.by_key:
                self.by_key[key] = row
                row.names.add(key)
        return revised

    def _strong_match(self, record: PaperRecord, keys: list[Key]) -> _Row | None:
        matches = list(dict.fromkeys(self.by_key[key] for key in keys if key in self.by_key))
        if not matches:
            return None
        first, *others = matches
        sure = (record.source, record.external_id) in self.by_key or (
            keys[0][0] == ARXIV and keys[0] in self.by_key
        )
        if not sure and self._contradicted(record, first):
            # The DOI belongs to another arXiv id: a mistake in one of them, not one paper.
            return None
        for other in others:
            if not self._contradicted(record, other):
                first = self._unite(first, other)
        return first

    def _title_match(self, record: PaperRecord, keys: list[Key]) -> _Row | None:
        for key in keys:
            row = self.by_key.get(key)
            if row is None:
                continue
            bare_title = key is not keys[0]
            if bare_title and row.values["authors"]:
                continue
            if not self._contradicted(record, row):
                return row
        return None

    def _contradicted(self, record: PaperRecord, row: _Row) -> bool:
        return contradict(record, self._names(row))

    def _corrects_doi(self, record: PaperRecord, row: _Row) -> bool:
        """Whether the row's DOI was only guessed, and the record states another."""
        guess = row.values["doi"]
        if guess in {None, record.doi} or record.doi is None or record.doi_is_guessed:
            return False
        return (DOI, without_version(guess)) not in self._names(row)

    def _names(self, row: _Row) -> set[Key]:
        names = set(row.names)
        if row.id is not None:
            query = select(ALIAS.c.source, ALIAS.c.external_id).where(ALIAS.c.paper_id == row.id)
            names.update((source, name) for source, name in self.session.execute(query))
        return names

    def _unite(self, first: _Row, other: _Row) -> _Row:
        """Two rows turned out to be one paper; returns the one that stays."""
        if first.id is None and other.id is not None:
            first, other = other, first
        if first.id is not None and other.id is not None:
            for one, two in ((first, other), (other, first)):
                dois = [name for kind, name in self._names(two) if kind == DOI]
                self.changes.note_publication(one, self._names(one), dois)
            if unite(self.session, first.id, other.id) != first.id:
                first, other = other, first
            self.rows = {number: row for number, row in self.rows.items() if row is not other}
        else:
            self.new.remove(other)
            if first.lacks_abstract and not other.lacks_abstract:
                _set_text(first, abstract=other.values["abstract"])
        self.changes.moved(other, first)
        _fill(first, other.values)
        first.names |= other.names
        first.sighted += other.sighted
        for key, row in self.by_key.items():
            if row is other:
                self.by_key[key] = first
        return first

    def _write(self) -> None:
        """Insert, update, name: one statement each."""
        connection = self.session.connection()
        known = update(PAPER).where(PAPER.c.id == bindparam("row_id"))
        self.changes.write(self.session, self.seen_at)
        if self.new:
            # Asking for the ids afterwards is faster than RETURNING, which goes row by row on
            # SQLite.
            connection.execute(insert(PAPER), [row.values for row in self.new])
            self._number()
        if changed := [_bound(row) for row in self.rows.values() if row.changed]:
            columns = {name: bindparam(f"new_{name}", type_=PAPER.c[name].type) for name in _MERGED}
            connection.execute(known.values(columns), changed)
        texts = [
            {"row_id": row.id, "new_title": None, "new_abstract": None, **row.text}
            for row in self.rows.values()
            if row.text
        ]
        if texts:
            # Apart from the rest, since the search index follows these two columns only.
            written = {
                name: func.coalesce(
                    bindparam(f"new_{name}", type_=PAPER.c[name].type), PAPER.c[name]
                )
                for name in ("title", "abstract")
            }
            connection.execute(known.values(written), texts)
        aliases = [
            {"paper_id": row.id, "source": source, "external_id": name}
            for row in (*self.new, *self.rows.values())
            for source, name in row.names
        ]
        if aliases:
            connection.execute(insert(ALIAS), aliases)
        rows = (*self.new, *self.rows.values())
        store_details(self.session, {r.id: r.sighted for r in rows if r.id and r.sighted})

    def _number(self) -> None:
        """Read the ids of the rows that were just inserted."""
        by_source: dict[str, dict[str, _Row]] = defaultdict(dict)
        for row in self.new:
            by_source[row.values["source"]][row.values["external_id"]] = row
        for source, rows in by_source.items():
            for some in batched(sorted(set(rows)), _MOST_NAMES):
                query = select(PAPER.c.external_id, PAPER.c.id).where(
                    PAPER.c.source == source, PAPER.c.external_id.in_(some)
                )
                for name, number in self.session.execute(query):
                    rows[name].id = number


def _bound(row: _Row) -> dict[str, Any]:
    return {"row_id": row.id, **{f"new_{name}": row.values[name] for name in _MERGED}}


def _new_row(record: PaperRecord, seen_at: datetime, max_age: timedelta | None) -> _Row:
    is_revision = record.announcement == "replace"
    is_old = not is_revision and _is_old(record, seen_at, max_age)
    values = {
        "source": record.source,
        "external_id": record.external_id,
        "version": record.version,
        "doi": record.doi,
        "title": record.title,
        "abstract": record.abstract,
        "authors": list(record.authors),
        "categories": list(record.categories),
        "url": record.url,
        "code_url": record.code_url,
        "project_url": record.project_url,
        "published_at": record.published_at,
        "published_precision": record.published_precision,
        # An old paper, or a revision of one from before our time, must not pass for new.
        "first_seen_at": _first_public(record, seen_at) if is_revision or is_old else seen_at,
        "announcement": record.announcement,
        "standing": record.standing,
        "upvotes": record.upvotes or 0,
        "venue": record.venue,
    }
    return _Row(None, values, not record.abstract, is_revision, is_old)


def _is_old(record: PaperRecord, seen_at: datetime, max_age: timedelta | None) -> bool:
    """Whether the paper is older than the limit, by the latest day that its date can mean."""
    if max_age is None or record.published_at is None:
        return False
    slack = {"day": timedelta(), "month": timedelta(days=31), "year": timedelta(days=366)}
    return record.published_at + slack[record.published_precision] < seen_at - max_age


def _first_public(record: PaperRecord, seen_at: datetime) -> datetime:
    """The publication date, or the month in an arXiv id, or long ago; not after ``seen_at``."""
    month = re.match(r"(\d\d)(0[1-9]|1[0-2])\.", record.arxiv_id or "")
    if record.published_at is not None:
        return min(record.published_at, seen_at)
    if month:
        return min(datetime(2000 + int(month[1]), int(month[2]), 1, tzinfo=UTC), seen_at)
    return seen_at - _LONG_AGO


def _merge(row: _Row, record: PaperRecord) -> bool:
    """Merge better data from the sighting; returns whether it is a revision."""
    values = row.values
    revised = record.version > int(values["version"])
    if revised:
        values.update(version=record.version, announcement="replace")
        if record.authors:
            values["authors"] = list(record.authors)
        row.changed = True
        _set_text(row, title=record.title, abstract=record.abstract or None)
    elif row.lacks_abstract and record.abstract:
        _set_text(row, abstract=record.abstract)
    filled = (*_FILLED, "categories", "published_precision")
    _fill(row, {name: getattr(record, name) for name in filled})
    # Once retracted, a paper stays so, whatever another source still says.
    if record.standing and not values["standing"]:
        values["standing"] = record.standing
        row.changed = True
    if record.upvotes is not None and record.upvotes != values["upvotes"]:
        values["upvotes"] = record.upvotes
        row.changed = True
    return revised


def _fill(row: _Row, other: dict[str, Any]) -> None:
    """Values that were missing, and categories that were not known."""
    values = row.values
    if not values["published_at"] and other["published_at"]:
        values["published_precision"] = other["published_precision"]
    for name in _FILLED:
        if not values[name] and other[name]:
            values[name] = list(other[name]) if name == "authors" else other[name]
            row.changed = True
    if more := [c for c in other["categories"] if c not in values["categories"]]:
        values["categories"] = [*values["categories"], *more]
        row.changed = True


def _set_text(row: _Row, *, abstract: str | None, title: str | None = None) -> None:
    if row.id is None:
        row.values["title"] = title or row.values["title"]
        row.values["abstract"] = abstract or row.values["abstract"]
    else:
        row.text |= {"new_abstract": abstract}
        row.text |= {"new_title": title} if title else {}
    row.lacks_abstract = row.lacks_abstract and not abstract
