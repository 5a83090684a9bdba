"""Inbound messages that match no delivery: count, list and export them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete
from sqlmodel import Session, col, func, select

from newsletter.core.models import KeptMail
from newsletter.core.secrets import write_private

# Strangers write these: as much as an operator may ever read, and no more.
MOST_KEPT = 1000
LONGEST_KEPT = 256 * 1024
KEPT_FOR = timedelta(days=90)


def make_room(session: Session, now: datetime) -> None:
    """Delete kept mail that is too old, and the oldest where there is too much for one more."""
    session.execute(delete(KeptMail).where(col(KeptMail.received_at) < now - KEPT_FOR))
    newest = (
        select(KeptMail.id)
        .order_by(col(KeptMail.id).desc())
        .offset(MOST_KEPT - 1)
        .limit(1)
        .scalar_subquery()
    )
    session.execute(delete(KeptMail).where(col(KeptMail.id) <= newest))


@dataclass(frozen=True, slots=True)
class Kept:
    """One kept mail, without its content; ``size`` in bytes is the whole mail's."""

    id: int
    received_at: datetime
    kind: str
    sender: str
    subject: str
    size: int


def kept_count(session: Session) -> int:
    """How many mails are kept."""
    return session.exec(select(func.count(col(KeptMail.id)))).one()


def kept_mails(session: Session, *, limit: int) -> list[Kept]:
    """Kept mails, the newest first."""
    found = session.exec(select(KeptMail).order_by(col(KeptMail.id).desc()).limit(limit))
    return [
        Kept(row.id or 0, row.received_at, row.kind, row.sender, row.subject, row.size)
        for row in found
    ]


def write_kept(session: Session, folder: Path) -> int:
    """Write every kept mail into ``folder`` as an .eml file; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = session.exec(select(KeptMail.id).order_by(col(KeptMail.id))).all()
    for mail_id in ids:
        row = session.get_one(KeptMail, mail_id)
        name = f"{row.received_at:%Y-%m-%d}-{row.id}-{row.kind}.eml"
        write_private(folder / name, row.content)
        session.expunge(row)
    return len(ids)
