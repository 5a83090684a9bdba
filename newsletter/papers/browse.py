"""Papers as visitors look for them: by day, by words, by likeness."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Select, column, func, literal_column, table, text
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, select

from newsletter.models import Paper, PaperVector

PAGE = 50
# Words beyond these narrow nothing down, and bound what a stranger can make the database do.
MOST_WORDS = 12
# Papers compared for likeness: a few months of one field, ten milliseconds.
COMPARED = 5_000
# What the migration for search made: an index beside the papers, a function behind an index.
_SQLITE_INDEX = table("paper_search", column("rowid"))
_POSTGRESQL_WORDS: ColumnElement[Any] = literal_column(
    "paper_words(paper.title, paper.abstract, paper.authors)"
)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest days before and after that have papers."""

    before: date | None
    after: date | None


@dataclass(frozen=True, slots=True)
class Query:
    """What a visitor searches for; blanks do not narrow. Dates are inclusive."""

    words: str = ""
    category: str = ""
    source: str = ""
    since: date | None = None
    until: date | None = None


def start_of(day: date) -> datetime:
    """The first moment of a day, UTC."""
    return datetime.combine(day, time(), UTC)


def between(
    session: Session, first: date, last: date, *, page: int = 1
) -> tuple[Sequence[Paper], int]:
    """One page of the papers first seen from ``first`` to ``last``, most upvotes first; all."""
    seen = (
        col(Paper.first_seen_at) >= start_of(first),
        col(Paper.first_seen_at) < start_of(last + timedelta(days=1)),
    )
    total = session.exec(select(func.count()).select_from(Paper).where(*seen)).one()
    found = session.exec(
        select(Paper)
        .where(*seen)
        .order_by(col(Paper.upvotes).desc(), col(Paper.published_at).desc(), col(Paper.id))
        .offset((page - 1) * PAGE)
        .limit(PAGE)
    )
    return found.all(), total


def newest_day(session: Session) -> date | None:
    """The last day that has papers."""
    newest = session.exec(select(func.max(Paper.first_seen_at))).one()
    return newest.date() if newest else None


def neighbours(session: Session, first: date, last: date) -> Neighbours:
    """Days with papers before ``first`` and after ``last``."""
    seen = col(Paper.first_seen_at)
    before = session.exec(select(func.max(seen)).where(seen < start_of(first))).one()
    after = session.exec(
        select(func.min(seen)).where(seen >= start_of(last + timedelta(days=1)))
    ).one()
    return Neighbours(before.date() if before else None, after.date() if after else None)


def search(session: Session, query: Query, *, page: int = 1) -> Sequence[Paper]:
    """One page of what matches, the best match first; without words the newest first.

    One more paper than a page holds is given when there is a next page.
    """
    order: ColumnElement[Any]
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    statement = _narrowed(sa_select(col(Paper.id)), query, is_sqlite=is_sqlite)
    words = _words(query.words)
    if words and is_sqlite:
        matched = " ".join(f'"{word}"' for word in words)
        statement = statement.join(_SQLITE_INDEX, _SQLITE_INDEX.c.rowid == col(Paper.id)).where(
            text("paper_search MATCH :matched").bindparams(matched=matched)
        )
        # A word in the title weighs more than one in the abstract.
        order = literal_column("bm25(paper_search, 4.0, 1.0, 2.0)")
    elif words:
        asked = func.websearch_to_tsquery("english", " ".join(map(_plain, words)))
        statement = statement.where(_POSTGRESQL_WORDS.op("@@")(asked))
        order = func.ts_rank(_POSTGRESQL_WORDS, asked).desc()
    else:
        order = col(Paper.first_seen_at).desc()
    ids = session.execute(
        statement.order_by(order, col(Paper.id).desc()).offset((page - 1) * PAGE).limit(PAGE + 1)
    )
    wanted = list(ids.scalars())
    found = {p.id: p for p in session.exec(select(Paper).where(col(Paper.id).in_(wanted)))}
    return [found[number] for number in wanted]


def _words(typed: str) -> list[str]:
    """Words with anything that is syntax to a search engine taken out."""
    kept = "".join(c if c.isalnum() or c in "-'" else " " for c in typed)
    return [word.strip("-'") for word in kept.split() if word.strip("-'")][:MOST_WORDS]


def _plain(word: str) -> str:
    """Without accents, as PostgreSQL's index holds it."""
    parts = unicodedata.normalize("NFKD", word)
    return "".join(c for c in parts if not unicodedata.combining(c))


def _narrowed(
    statement: Select[tuple[int | None]], query: Query, *, is_sqlite: bool
) -> Select[tuple[int | None]]:
    if query.source:
        statement = statement.where(col(Paper.source) == query.source)
    if query.since:
        statement = statement.where(col(Paper.first_seen_at) >= start_of(query.since))
    if query.until:
        statement = statement.where(
            col(Paper.first_seen_at) < start_of(query.until + timedelta(days=1))
        )
    if query.category and is_sqlite:
        holds = text("EXISTS (SELECT 1 FROM json_each(paper.categories) WHERE value = :category)")
        statement = statement.where(holds.bindparams(category=query.category))
    elif query.category:
        holds = text("paper.categories::jsonb @> to_jsonb(CAST(:category AS text))")
        statement = statement.where(holds.bindparams(category=query.category))
    return statement


def similar(session: Session, paper_id: int, *, limit: int = 8) -> Sequence[Paper]:
    """Papers most like this one, of the newest `COMPARED`; none before anything was trained."""
    own = session.get(PaperVector, paper_id)
    if own is None:
        return []
    rows = session.exec(
        select(PaperVector.paper_id, PaperVector.vector)
        .where(PaperVector.feature_space == own.feature_space, PaperVector.paper_id != paper_id)
        .order_by(col(PaperVector.paper_id).desc())
        .limit(COMPARED)
    ).all()
    if not rows:
        return []
    vectors = np.frombuffer(b"".join(vector for _, vector in rows), "<f2").reshape(len(rows), -1)
    likeness = vectors.astype(np.float32) @ np.frombuffer(own.vector, "<f2").astype(np.float32)
    best = [rows[place][0] for place in np.argsort(-likeness)[:limit] if likeness[place] > 0]
    found = {p.id: p for p in session.exec(select(Paper).where(col(Paper.id).in_(best)))}
    return [found[number] for number in best]
