"""Subscribers, what they asked for and judged, and addresses that get no mail."""

from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from newsletter.core.database import UtcDateTime
from newsletter.core.language import SOURCE
from newsletter.core.models.base import (
    IDS_USED_ONCE,
    foreign_key,
    status_column,
    text_column,
    utc_column,
)


class SubscriberStatus(StrEnum):
    """Pending until confirmed; only an active subscriber gets digests."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"


class Cadence(StrEnum):
    """How often a subscriber wants a digest."""

    DAILY = "daily"
    WEEKDAYS = "weekdays"
    WEEKLY = "weekly"


class DigestLength(StrEnum):
    """How much of each abstract a digest shows: nothing, its first sentences, all."""

    COMPACT = "compact"
    NORMAL = "normal"
    FULL = "full"


class QuietNotes(StrEnum):
    """How often a subscriber is told that there is no paper for them; weekly is at most."""

    DAILY = "daily"
    WEEKLY = "weekly"
    NEVER = "never"


class InterestKind(StrEnum):
    """The kind of a stated interest."""

    KEYWORD = "keyword"
    CATEGORY = "category"
    AUTHOR = "author"
    SEED_PAPER = "seed_paper"
    TEXT = "text"


class Signal(StrEnum):
    """A POSTed rating of a paper. A click is only an event: mail scanners click."""

    RELEVANT = "relevant"
    NOT_RELEVANT = "not_relevant"
    SAVED = "saved"


class SuppressionReason(StrEnum):
    """Why an address gets no mail any more."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    OPERATOR = "operator"


def hash_of_value(value: str) -> str:
    """What stands for an interest's value in the index."""
    return sha256(value.encode()).hexdigest()[:32]


class Subscriber(SQLModel, table=True):
    """A person who asked for digests, and their preferences."""

    __tablename__: ClassVar[str] = "subscriber"
    __table_args__ = (
        CheckConstraint(
            "status NOT IN ('active', 'paused') OR confirmed_at IS NOT NULL",
            name="active_means_confirmed",
        ),
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint("send_hour BETWEEN 0 AND 23", name="send_hour"),
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("max_papers BETWEEN 1 AND 50", name="max_papers"),
        CheckConstraint("min_score BETWEEN 0 AND 100", name="min_score"),
        CheckConstraint("weekly_budget BETWEEN 1 AND 350", name="weekly_budget"),
        CheckConstraint("popularity BETWEEN 0 AND 100", name="popularity"),
        Index("ix_subscriber_status", "status"),
        IDS_USED_ONCE,
    )

    id: int | None = Field(default=None, primary_key=True)
    public_id: str = Field(max_length=32, unique=True)
    email: str = Field(max_length=320, unique=True)
    address_hash: str = Field(max_length=64, index=True)
    name: str = Field(default="", max_length=200)
    status: SubscriberStatus = status_column(SubscriberStatus)
    cadence: Cadence = status_column(Cadence)
    weekday: int = 0  # of a weekly digest; 0 is Monday
    send_hour: int = 7
    time_zone: str = Field(default="UTC", max_length=64)
    max_papers: int = 10
    length: DigestLength = status_column(DigestLength, default=DigestLength.NORMAL)
    min_score: int = 0
    popularity: int = 20  # how much upvotes count: 0 not at all, 100 as much as the topics
    outside_picks: bool = True  # one or two papers from outside the usual
    weekly_budget: int | None = None  # papers a week, over all digests
    # Notes on days without papers.
    tell_when_nothing: QuietNotes = status_column(QuietNotes, default=QuietNotes.WEEKLY)
    # Whether to tell that a new version of a known paper has another abstract.
    tell_revisions: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, default=False)
    )
    fill_list: bool = False  # with popular papers, where matches leave room
    read_here: bool = False  # titles in mails lead to this site's page of the paper
    minimum_changed: bool = False  # min_score was converted; told in the next digest
    # As `newsletter.core.language` names it; what the site sends and shows to them.
    language: str = Field(
        default=SOURCE,
        sa_column=Column(String(16), nullable=False, default=SOURCE, server_default=SOURCE),
    )
    vacation_until: date | None = None
    # Ratings and clicks until then teach the ranking nothing; null where all of them count.
    ratings_reset_at: datetime | None = utc_column(nullable=True)
    created_at: datetime = utc_column()
    # Consent record (bulk-mail rule 27).
    consent_at: datetime | None = utc_column(nullable=True)
    consent_source: str = Field(default="", max_length=200)
    consent_wording: str = Field(default="", max_length=40)
    confirmed_at: datetime | None = utc_column(nullable=True)
    unsubscribed_at: datetime | None = utc_column(nullable=True)
    # Links name the generation they were made in; older ones open nothing but "unsubscribe".
    link_generation: int = Field(
        default=0, sa_column=Column(Integer, nullable=False, server_default="0", default=0)
    )


class ReaderGroup(SQLModel, table=True):
    """A lab, a reading club: its members get digests by the interests of the one who keeps it."""

    __tablename__: ClassVar[str] = "reader_group"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=100, unique=True)
    created_at: datetime = utc_column()


class GroupMember(SQLModel, table=True):
    """A subscriber in a group; nobody is in two. The keeper's topics are the group's."""

    __tablename__: ClassVar[str] = "group_member"

    subscriber_id: int = foreign_key("subscriber.id", index=False, primary_key=True)
    group_id: int = foreign_key("reader_group.id")
    is_keeper: bool = False
    joined_at: datetime = utc_column()


class SignUp(SQLModel, table=True):
    """The request of a sign-up. Anyone may have typed it, so it counts only once confirmed.

    It belongs to the one confirmation mail that it caused: another sign-up has a row of its own.
    """

    __tablename__: ClassVar[str] = "sign_up"

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = foreign_key("subscriber.id")
    delivery_id: int | None = foreign_key("delivery.id", nullable=True)
    asked_at: datetime = utc_column()
    asked: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    # What the confirmation mail says of an uploaded file, in words of ours.
    remark: str = Field(
        default="", sa_column=Column(Text, nullable=False, server_default="", default="")
    )


class Topic(SQLModel, table=True):
    """One named interest of a subscriber: its own profile, its own section of the digest."""

    __tablename__: ClassVar[str] = "topic"
    __table_args__ = (UniqueConstraint("subscriber_id", "name"), IDS_USED_ONCE)

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = foreign_key("subscriber.id", index=False)
    name: str = Field(max_length=100)
    quota: int | None = None
    paused: bool = False


class Interest(SQLModel, table=True):
    """One stated clue in a topic; a negative weight mutes."""

    __tablename__: ClassVar[str] = "interest"
    # By hash: a paragraph of Chinese is longer than PostgreSQL's indexes take (2,704 octets).
    __table_args__ = (
        UniqueConstraint("topic_id", "kind", "value_hash"),
        CheckConstraint("length(value) BETWEEN 1 AND 2000", name="value_length"),
        IDS_USED_ONCE,
    )

    id: int | None = Field(default=None, primary_key=True)
    topic_id: int = foreign_key("topic.id", index=False)
    kind: InterestKind = status_column(InterestKind)
    value: str = text_column()
    value_hash: str = Field(
        default=None,
        sa_column=Column(
            String(32),
            nullable=False,
            default=lambda row: hash_of_value(row.get_current_parameters()["value"]),
        ),
    )
    weight: float = 1.0
    # Of an entry of a bibliography: what its paper is known by, "" where that is nothing. Null for
    # what was typed.
    reference: str | None = Field(default=None, max_length=300)


class Folder(SQLModel, table=True):
    """A folder of a subscriber's saved papers."""

    __tablename__: ClassVar[str] = "folder"
    __table_args__ = (UniqueConstraint("subscriber_id", "name"), IDS_USED_ONCE)

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = foreign_key("subscriber.id", index=False)
    name: str = Field(max_length=60)


class Feedback(SQLModel, table=True):
    """A signal of a subscriber on a paper."""

    __tablename__: ClassVar[str] = "feedback"
    __table_args__ = (UniqueConstraint("subscriber_id", "paper_id", "signal"),)

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = foreign_key("subscriber.id", index=False)
    topic_id: int | None = foreign_key("topic.id", nullable=True)
    paper_id: int = foreign_key("paper.id")
    signal: Signal = status_column(Signal)
    folder_id: int | None = foreign_key("folder.id", nullable=True)  # of a saved paper
    created_at: datetime = utc_column()


class Suppression(SQLModel, table=True):
    """An address that gets no mail, as a keyed hash; it outlives the subscriber."""

    __tablename__: ClassVar[str] = "suppression"

    address_hash: str = Field(primary_key=True, max_length=64)
    reason: SuppressionReason = status_column(SuppressionReason)
    created_at: datetime = utc_column()
    note: str = text_column()  # the operator's own words; never an address


class SuppressionRemoval(SQLModel, table=True):
    """A suppression that the operator lifted, and why."""

    __tablename__: ClassVar[str] = "suppression_removal"

    id: int | None = Field(default=None, primary_key=True)
    address_hash: str = Field(max_length=64, index=True)
    reason: SuppressionReason = status_column(SuppressionReason)
    suppressed_at: datetime = utc_column()
    removed_at: datetime = utc_column()
    note: str = text_column()


class RateLimit(SQLModel, table=True):
    """How often a network did something within an hour; the key is a keyed hash."""

    __tablename__: ClassVar[str] = "rate_limit"

    key: str = Field(primary_key=True, max_length=64)
    until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False, index=True))
    count: int = 0
