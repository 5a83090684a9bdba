"""Papers, the names sources give them, and what each fetch saw."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import JSON, Column, Index, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from newsletter.core.models.base import (
    IDS_USED_ONCE,
    foreign_key,
    status_column,
    strings_column,
    text_column,
    utc_column,
)


class Announcement(StrEnum):
    """How a source listed a paper on a date."""

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"


class FetchStatus(StrEnum):
    """How a fetch ended."""

    OK = "ok"
    FAILED = "failed"


class Paper(SQLModel, table=True):
    """One paper, however many sources, days and versions it was seen in."""

    __tablename__: ClassVar[str] = "paper"
    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        Index("ix_paper_first_seen_at", "first_seen_at"),
        IDS_USED_ONCE,
    )

    id: int | None = Field(default=None, primary_key=True)
    source: str = Field(max_length=40)
    external_id: str = Field(max_length=200)
    version: int = 1
    doi: str | None = Field(default=None, max_length=300)
    title: str = text_column()
    abstract: str = text_column()
    authors: list[str] = strings_column()
    categories: list[str] = strings_column()
    # Journal or conference, as its source writes it; "" where none is told.
    venue: str = Field(
        default="",
        sa_column=Column(String(200), nullable=False, server_default="", default="", index=True),
    )
    url: str = text_column()
    code_url: str | None = Field(default=None, sa_column=Column(Text))
    project_url: str | None = Field(default=None, sa_column=Column(Text))
    published_at: datetime | None = utc_column(nullable=True)
    # How much of the date its source told: "day", "month" or "year"; the rest is the first of it.
    published_precision: str = Field(default="day", max_length=5)
    first_seen_at: datetime = utc_column()
    announcement: Announcement = status_column(Announcement)
    # "retracted" or "withdrawn", as a source or a notice said: such a paper is never picked.
    standing: str = Field(default="", max_length=10)
    upvotes: int = 0


class PaperAlias(SQLModel, table=True):
    """One name of a paper; ``arxiv``, ``doi`` and ``title`` are those that unite sources."""

    __tablename__: ClassVar[str] = "paper_alias"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: int | None = Field(default=None, primary_key=True)
    paper_id: int = foreign_key("paper.id")
    source: str = Field(max_length=40)
    external_id: str = Field(max_length=300)


class AuthorOrcid(SQLModel, table=True):
    """The ORCID of one of a paper's authors, from a source that tells them."""

    __tablename__: ClassVar[str] = "author_orcid"
    __table_args__ = (UniqueConstraint("paper_id", "orcid"),)

    id: int | None = Field(default=None, primary_key=True)
    paper_id: int = foreign_key("paper.id", index=False)
    name: str = Field(max_length=200)  # as this source writes it
    orcid: str = Field(max_length=19, index=True)


class Citation(SQLModel, table=True):
    """One paper here cites another that was known here when it came."""

    __tablename__: ClassVar[str] = "citation"
    __table_args__ = (UniqueConstraint("paper_id", "cited_id"),)

    id: int | None = Field(default=None, primary_key=True)
    paper_id: int = foreign_key("paper.id", index=False)
    cited_id: int = foreign_key("paper.id")


class SourceState(SQLModel, table=True):
    """Where a source was left off."""

    __tablename__: ClassVar[str] = "source_state"

    source: str = Field(primary_key=True, max_length=40)
    cursor: str | None = Field(default=None, sa_column=Column(Text))
    etag: str | None = Field(default=None, sa_column=Column(Text))
    last_modified: str | None = Field(default=None, sa_column=Column(Text))
    next_fetch_at: datetime | None = utc_column(nullable=True)
    failures: int = 0


class FetchLog(SQLModel, table=True):
    """What one fetch saw; the coverage line of an edition adds these up."""

    __tablename__: ClassVar[str] = "fetch_log"
    __table_args__ = (Index("ix_fetch_log_started_at", "started_at"),)

    id: int | None = Field(default=None, primary_key=True)
    source: str = Field(max_length=40)
    started_at: datetime = utc_column()
    finished_at: datetime | None = utc_column(nullable=True)
    status: FetchStatus = status_column(FetchStatus)
    announced: int = 0
    new: int = 0
    revised: int = 0
    known: int = 0
    failed: int = 0
    errors: list[dict[str, str]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, default=list)
    )


class PaperLookup(SQLModel, table=True):
    """How often a source was asked for a paper that a reader named and that is not here."""

    __tablename__: ClassVar[str] = "paper_lookup"

    name: str = Field(primary_key=True, max_length=300)
    asked: int = 0
    asked_at: datetime = utc_column()


class Figure(SQLModel, table=True):
    """The thumbnail of a paper's first figure, or that none was found (``width`` 0).

    The picture itself is a file. Sizes are in pixels; ``caption`` is the paper's own.
    """

    __tablename__: ClassVar[str] = "figure"

    paper_id: int = foreign_key("paper.id", index=False, primary_key=True)
    width: int = 0
    height: int = 0
    caption: str = text_column()
    tried_at: datetime = utc_column()


class OtherWords(SQLModel, table=True):
    """A paper in one sentence that a model wrote, in one language; in others than English its
    title too.

    ``refusal`` says why the sentence was not kept ("" where it was). ``made_from`` is a hash of
    title and abstract.
    """

    __tablename__: ClassVar[str] = "other_words"

    paper_id: int = foreign_key("paper.id", index=False, primary_key=True)
    language: str = Field(max_length=10, primary_key=True)
    made_from: str = Field(max_length=32)
    model: str = Field(max_length=200)
    sentence: str = text_column()
    title: str = text_column()
    refusal: str = text_column()
    made_at: datetime = utc_column()
