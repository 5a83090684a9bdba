"""One date's issue, and the papers of each digest in it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, Column, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from newsletter.core.models.base import (
    foreign_key,
    optional_status_column,
    status_column,
    text_column,
    utc_column,
)


class EditionStatus(StrEnum):
    """The life of one date's issue."""

    DRAFT = "draft"
    READY = "ready"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"


class Occasion(StrEnum):
    """Why a digest goes out: a cadence, the first of all, a vacation over, or no paper."""

    REGULAR = "regular"
    WELCOME = "welcome"
    BEST_OF = "best_of"
    NOTHING = "nothing"


class Label(StrEnum):
    """The label of a paper's match in a digest; the last one shows nothing."""

    STRONG = "strong"
    GOOD = "good"
    WORTH = "worth a look"
    NONE = "none"


class Team(StrEnum):
    """Whose pick a paper was in a trial: today's recipe's, or its challenger's."""

    CONTROL = "control"
    CHALLENGER = "challenger"


class Edition(SQLModel, table=True):
    """One date's issue. Its recipe, and a trial of another, are settled when it is opened."""

    __tablename__: ClassVar[str] = "edition"

    id: int | None = Field(default=None, primary_key=True)
    issue_date: date = Field(unique=True)
    status: EditionStatus = status_column(EditionStatus)
    coverage: str = text_column()  # what was read for it, in one line for the operator
    note: str = text_column()  # why a send run paused it; "" otherwise
    recipe: str = Field(
        default="standard",
        sa_column=Column(String(40), nullable=False, server_default="standard", default="standard"),
    )
    trial_id: int | None = foreign_key("trial.id", nullable=True)
    opened_at: datetime = utc_column()
    finished_at: datetime | None = utc_column(nullable=True)


class EditionPaper(SQLModel, table=True):
    """A paper as an edition shows it: a later revision or vote must not change a resent digest."""

    __tablename__: ClassVar[str] = "edition_paper"

    edition_id: int = foreign_key("edition.id", index=False, primary_key=True)
    paper_id: int = foreign_key("paper.id", primary_key=True)
    content: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class DigestItem(SQLModel, table=True):
    """One paper in one digest. Never the same paper twice to one subscriber."""

    __tablename__: ClassVar[str] = "digest_item"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "paper_id"),
        UniqueConstraint("delivery_id", "position"),
    )

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = foreign_key("delivery.id", index=False)
    subscriber_id: int = foreign_key("subscriber.id", index=False)
    paper_id: int = foreign_key("paper.id")
    topic_id: int | None = foreign_key("topic.id", nullable=True)
    section: str = Field(default="", max_length=100)
    position: int = 0
    score: float = 0.0
    # Probability that the paper is about the topic; NULL where nothing was compared.
    match: float | None = None
    label: Label = status_column(Label, default=Label.NONE)
    # In an edition of a trial: which recipe chose the paper; NULL where neither did alone.
    team: Team | None = optional_status_column(Team)
    explanation: str = text_column()
    # A line for each line of it: the bar on "What shapes your digest" that it is about, or "".
    bars: str = text_column()
    # (start, end) offsets in characters of the abstract: what matters to this reader.
    highlights: list[list[int]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, default=list)
    )
    # The same of the sentence that says in short what was found: one pair, or none.
    in_short: list[list[int]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, default=list)
    )


class NoDigest(SQLModel, table=True):
    """Why a subscriber who was due got no digest in an edition."""

    __tablename__: ClassVar[str] = "no_digest"
    __table_args__ = (UniqueConstraint("edition_id", "subscriber_id"),)

    id: int | None = Field(default=None, primary_key=True)
    edition_id: int = foreign_key("edition.id", index=False)
    subscriber_id: int = foreign_key("subscriber.id")
    reason: str = text_column()
    # The reason as the reader is told it, where that is not in English.
    told: str = Field(
        default="", sa_column=Column(Text, nullable=False, default="", server_default="")
    )
