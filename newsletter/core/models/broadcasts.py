"""A broadcast: one message of the operator's to all subscribers, or some."""

from datetime import date, datetime
from typing import ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from newsletter.core.models.base import status_column, text_column, utc_column
from newsletter.core.models.editions import EditionStatus


class Broadcast(SQLModel, table=True):
    """What the operator wrote, and how far its sending has come.

    ``number`` counts the broadcasts of a date, so the database allows a second one only to those
    who ask for it. ``fingerprint`` is a hash of subject and body: the same words are one broadcast.
    """

    __tablename__: ClassVar[str] = "broadcast"
    __table_args__ = (
        UniqueConstraint("issue_date", "number"),
        UniqueConstraint("issue_date", "fingerprint"),
    )

    id: int | None = Field(default=None, primary_key=True)
    issue_date: date
    number: int = 0
    fingerprint: str = Field(max_length=64)
    subject: str = text_column()
    body: str = text_column()  # Markdown
    status: EditionStatus = status_column(EditionStatus)
    note: str = text_column()  # why a send run paused it; "" otherwise
    opened_at: datetime = utc_column()
    finished_at: datetime | None = utc_column(nullable=True)
