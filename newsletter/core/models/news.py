"""What became of papers that readers know, and who was told."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from newsletter.core.models.base import foreign_key, status_column, text_column, utc_column


class ChangeKind(StrEnum):
    """What happened to a paper after somebody had it."""

    RETRACTED = "retracted"
    WITHDRAWN = "withdrawn"
    PUBLISHED = "published"
    REVISED = "revised"


class PaperChange(SQLModel, table=True):
    """One thing that happened to a paper that some reader got, liked or saved.

    Of a publication ``after`` is the journal's DOI; of a revision ``before`` and ``after`` are the
    abstracts, and ``version`` is the new one (0 otherwise).
    """

    __tablename__: ClassVar[str] = "paper_change"
    __table_args__ = (
        UniqueConstraint("paper_id", "kind", "version"),
        Index("ix_paper_change_at", "at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    paper_id: int = foreign_key("paper.id", index=False)
    kind: ChangeKind = status_column(ChangeKind)
    version: int = 0
    before: str = text_column()
    after: str = text_column()
    at: datetime = utc_column()


class DigestNews(SQLModel, table=True):
    """One change as one digest tells it. Nobody is told of a change twice.

    ``item_id`` is the row of the digest that brought the paper, where one did.
    """

    __tablename__: ClassVar[str] = "digest_news"
    __table_args__ = (UniqueConstraint("subscriber_id", "change_id"),)

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = foreign_key("delivery.id")
    subscriber_id: int = foreign_key("subscriber.id", index=False)
    change_id: int = foreign_key("paper_change.id")
    item_id: int | None = foreign_key("digest_item.id", nullable=True)
    paper_id: int = foreign_key("paper.id")
    position: int = 0
    title: str = text_column()
    said: str = text_column()
    url: str = text_column()  # "" where the paper's page says more
