"""Merge two rows that turned out to be one paper."""

from datetime import UTC, datetime

from sqlalchemy import Table, delete, func, insert, literal, select, update
from sqlmodel import Session

from newsletter.papers.tables import (
    ALIAS,
    AUTHOR_ORCID,
    CHANGE,
    CITATION,
    DIGEST_ITEM,
    EDITION_PAPER,
    FEEDBACK,
    NEWS,
    PAPER,
)

# Any number that nobody else uses for an advisory lock of this database.
_TURN = 0x756E697465
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class PaperGoneError(Exception):
    """Another ingest united these papers a moment ago: look them up again."""


def unite(session: Session, first: int, second: int) -> int:
    """Move everything that belongs to one of two papers to the other; returns the one that stays.

    The one in digests stays, since links in sent mail name it; else the older one.
    Where both stand in digests, the other row is left behind without its names, as a paper
    of long ago, so it is never a candidate again.

    Raises:
        PaperGoneError: one of them is not there any more.
    """
    if session.get_bind().dialect.name == "postgresql":
        # One ingest unites at a time, or two that meet the same papers in another order wait for
        # each other; SQLite has one writer anyway.
        session.execute(select(func.pg_advisory_xact_lock(_TURN)))
    # Wait for a process that is freezing one of them into a digest: `mailed` must know.
    both = select(PAPER.c.id).where(PAPER.c.id.in_([first, second])).order_by(PAPER.c.id)
    if len(session.execute(both.with_for_update()).all()) < 2:
        raise PaperGoneError
    query = select(DIGEST_ITEM.c.paper_id).where(DIGEST_ITEM.c.paper_id.in_([first, second]))
    mailed = set(session.execute(query.distinct()).scalars())
    keep, drop = sorted((first, second), key=lambda paper: (paper not in mailed, paper))
    session.execute(update(ALIAS).where(ALIAS.c.paper_id == drop).values(paper_id=keep))
    _move(session, FEEDBACK, keep, drop, "subscriber_id", "signal")
    _move(session, AUTHOR_ORCID, keep, drop, "orcid")
    _move(session, CITATION, keep, drop, "cited_id")
    _move(session, CITATION, keep, drop, "paper_id", column="cited_id")
    _move(session, CHANGE, keep, drop, "kind", "version")
    session.execute(update(NEWS).where(NEWS.c.paper_id == drop).values(paper_id=keep))
    kept, dropped = PAPER.c.id == keep, PAPER.c.id == drop
    if drop in mailed:
        _freeze_also(session, keep, drop)
        _move(session, DIGEST_ITEM, keep, drop, "subscriber_id")
        session.execute(update(PAPER).where(dropped).values(first_seen_at=_LONG_AGO))
        return keep
    query = select(PAPER.c.abstract, PAPER.c.first_seen_at).where(dropped)
    abstract, seen = session.execute(query).one()
    session.execute(
        update(PAPER).where(kept, PAPER.c.first_seen_at > seen).values(first_seen_at=seen)
    )
    session.execute(update(PAPER).where(kept, PAPER.c.abstract == "").values(abstract=abstract))
    session.execute(delete(PAPER).where(dropped))
    return keep


def _freeze_also(session: Session, keep: int, drop: int) -> None:
    """In editions that froze ``drop`` alone, ``keep`` looks the same: digests are made of that."""
    frozen = select(EDITION_PAPER.c.edition_id).where(EDITION_PAPER.c.paper_id == keep)
    copies = select(EDITION_PAPER.c.edition_id, literal(keep), EDITION_PAPER.c.content).where(
        EDITION_PAPER.c.paper_id == drop, EDITION_PAPER.c.edition_id.not_in(frozen)
    )
    names = ["edition_id", "paper_id", "content"]
    session.execute(insert(EDITION_PAPER).from_select(names, copies))


def _move(
    session: Session, table: Table, keep: int, drop: int, *same: str, column: str = "paper_id"
) -> None:
    """Repoint rows of ``drop``, except where ``keep`` has a row with the ``same`` values."""
    other = table.alias()
    taken = (
        select(func.count())
        .select_from(other)
        .where(other.c[column] == keep, *(other.c[name] == table.c[name] for name in same))
        .scalar_subquery()
    )
    moved = update(table).where(table.c[column] == drop, taken == 0)
    session.execute(moved.values({column: keep}))
