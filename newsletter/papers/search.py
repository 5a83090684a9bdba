"""Search over papers: SQLite FTS5 and PostgreSQL tsvector behind one function.

The indexes are made by the migration 0002_search, and follow the table by themselves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, or_, select, table
from sqlalchemy import column as named
from sqlmodel import Session, col
from sqlmodel import select as select_model
from sqlmodel.sql.expression import SelectOfScalar

from newsletter.core.models import Paper
from newsletter.papers.tables import ALIAS, PAPER

_TERM = re.compile(r'(-?)(?:"([^"]+)"|(\S+))')
# A title says more than an abstract: the weights of title, abstract, authors in bm25.
_WEIGHTS = "5.0, 1.0, 2.0"
_MOST_TERMS = 20
# FTS5's own table; the column of its name stands for all its columns in a MATCH.
_INDEX = table("paper_search", named("rowid"), named("paper_search"))


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase that must, or must not, be there."""

    text: str
    excluded: bool = False


def search(
    session: Session,
    text: str = "",
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    category: str | None = None,
    source: str | None = None,
    any_word: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> Sequence[Paper]:
    """Papers with all the words of ``text`` in title, abstract or authors, best first.

    With ``any_word`` one of them is enough. ``"two words"`` is a phrase, ``-word`` must not be
    there; words match in any inflection. Without words, the newest first. ``since`` and ``until``
    bound the publication date (where unknown, when the paper was first seen), inclusive;
    ``category`` is one, or an archive (``cs`` for ``cs.CL``); ``source`` any that listed the paper.
    """
    sqlite = session.get_bind().dialect.name == "sqlite"
    wanted = terms(text)
    newest = func.coalesce(PAPER.c.published_at, PAPER.c.first_seen_at)
    narrowed = any(given is not None for given in (since, until, category, source))
    # Ids alone are sorted: carrying abstracts through the sort costs ten times the search.
    number: ColumnElement[int] = PAPER.c.id
    query = select(number)
    if any(not term.excluded for term in wanted):
        if sqlite and narrowed:
            query = query.join(_INDEX, _INDEX.c.rowid == PAPER.c.id)
        elif sqlite:  # looking each match up in another table costs three times the search
            number = _INDEX.c.rowid
            query = select(number)
        matches, rank = (_fts5 if sqlite else _tsvector)(wanted, " OR " if any_word else " AND ")
        query = query.where(matches).order_by(rank)
    elif wanted or text.strip():
        # Only exclusions, or only punctuation: nothing is asked for.
        return []
    else:
        query = query.order_by(newest.desc())
    if since is not None:
        query = query.where(newest >= since)
    if until is not None:
        query = query.where(newest <= until)
    if category is not None:
        query = query.where(_in_category(category, sqlite=sqlite))
    if source is not None:
        seen = select(ALIAS.c.id).where(ALIAS.c.paper_id == PAPER.c.id, ALIAS.c.source == source)
        query = query.where(seen.exists())
    query = query.order_by(number.desc()).limit(limit).offset(offset)
    ids = session.connection().scalars(query).all()
    found = {paper.id: paper for paper in session.exec(_papers(ids))}
    return [found[number] for number in ids]


def _papers(ids: Sequence[int]) -> SelectOfScalar[Paper]:
    return select_model(Paper).where(col(Paper.id).in_(ids))


def terms(text: str) -> list[Term]:
    """A typed query as words and phrases; accepts any text."""
    found = []
    for minus, phrase, word in _TERM.findall(text.replace("\x00", " ")):
        words = " ".join(re.findall(r"\w+", phrase or word))
        if words:
            found.append(Term(words, excluded=bool(minus)))
    return found[:_MOST_TERMS]


def _fts5(wanted: list[Term], between: str) -> tuple[ColumnElement[bool], Any]:
    """Matching, and the rank, for SQLite (www.sqlite.org/fts5.html)."""
    # A quoted string is a phrase to FTS5, whatever it holds; `terms` left words only.
    expression = between.join(f'"{term.text}"' for term in wanted if not term.excluded)
    for term in wanted:
        expression = f'({expression}) NOT "{term.text}"' if term.excluded else expression
    matched = _INDEX.c.paper_search.op("MATCH")(expression)
    return matched, literal_column(f"bm25(paper_search, {_WEIGHTS})")


def _tsvector(wanted: list[Term], between: str) -> tuple[ColumnElement[bool], Any]:
    """Matching, and the rank, for PostgreSQL."""
    excluded = "".join(f' -"{term.text}"' for term in wanted if term.excluded)
    # In this language what stands side by side must be there together, and `or` parts such groups.
    with_one = (f'"{term.text}"{excluded}' for term in wanted if not term.excluded)
    text = {" OR ": " or ", " AND ": " "}[between].join(with_one)
    query = func.websearch_to_tsquery("english", text)
    document: ColumnElement[Any] = literal_column("paper.search_document")
    return document.op("@@")(query), func.ts_rank_cd(document, query).desc()


def _in_category(category: str, *, sqlite: bool) -> ColumnElement[bool]:
    function = func.json_each if sqlite else func.json_array_elements_text
    value = function(PAPER.c.categories).table_valued("value")
    below = value.c.value.startswith(f"{category}.", autoescape=True)
    return select(value.c.value).where(or_(value.c.value == category, below)).exists()
