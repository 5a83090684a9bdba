"""Give the papers of a prepared edition their thumbnails and other words, before it is sent."""

from datetime import date

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.errors import UsageError
from newsletter.core.models import Edition, EditionPaper, EditionStatus
from newsletter.messages import extras

UNSENT = (EditionStatus.DRAFT, EditionStatus.READY)


def edition_of(engine: Engine, issue_date: date) -> int:
    """The id of a date's edition.

    Raises:
        UsageError: it was not prepared yet.
    """
    with read_scope(engine) as session:
        found = session.exec(select(Edition.id).where(Edition.issue_date == issue_date)).first()
    if found is None:
        raise UsageError(f"there is no edition of {issue_date}: run newsletter prepare first")
    return found


def illustrate(engine: Engine, edition_id: int) -> int | None:
    """Add thumbnails and other words to the papers of the edition; returns how many have a picture.

    None where sending has begun: a message that is sent again must have the same bytes.
    """
    with session_scope(engine) as session:
        # A send run that begins now waits for this row, and reads the papers after it.
        edition = session.exec(
            select(Edition).where(Edition.id == edition_id).with_for_update()
        ).one()
        if edition.status not in UNSENT:
            return None
        return _add(session, edition_id)


def _add(session: Session, edition_id: int) -> int:
    rows = session.exec(
        select(EditionPaper)
        .where(EditionPaper.edition_id == edition_id)
        .order_by(col(EditionPaper.paper_id))
    ).all()
    found = extras.frozen(session, [row.paper_id for row in rows])
    for row in rows:
        # A thumbnail that had to go since is shown no more.
        plain = {name: value for name, value in row.content.items() if name != "figure"}
        content = plain | found.get(row.paper_id, {})
        if content != row.content:
            row.content = content
            session.add(row)
    return sum("figure" in content for content in found.values())
