"""Every table and status, without behaviour. The database refuses what must never happen.

Times are UTC, keys are integers, rows that belong to a subscriber go with the subscriber.
"""

from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from newsletter.db import UtcDateTime, utc_now

# Named constraints: a migration can only drop what has a name.
SQLModel.metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Announcement(StrEnum):
    """How a source listed a paper on a date."""

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"


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


class Occasion(StrEnum):
    """Why a digest goes out: a cadence, the first of all, a vacation over, or no paper."""

    REGULAR = "regular"
    WELCOME = "welcome"
    BEST_OF = "best_of"
    NOTHING = "nothing"


class InterestKind(StrEnum):
    """What a stated interest is made of."""

    KEYWORD = "keyword"
    CATEGORY = "category"
    AUTHOR = "author"
    SEED_PAPER = "seed_paper"
    TEXT = "text"


class Signal(StrEnum):
    """A POSTed judgement on a paper. A click is only an event: mail scanners click."""

    RELEVANT = "relevant"
    NOT_RELEVANT = "not_relevant"
    SAVED = "saved"


class EditionStatus(StrEnum):
    """The life of one date's issue."""

    DRAFT = "draft"
    READY = "ready"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"


class DeliveryKind(StrEnum):
    """What a message is for."""

    DIGEST = "digest"
    CONFIRMATION = "confirmation"
    ACCOUNT_LINK = "account_link"


class DeliveryStatus(StrEnum):
    """Where a message is; the ledger in ARCHITECTURE.md draws the ways between these."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    UNCERTAIN = "uncertain"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


class EventKind(StrEnum):
    """What happened to a delivery after, or beside, the relay's answer."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"


class ClickBy(StrEnum):
    """Who clicked: the detail of a clicked event from the pages. Only a person's means anything."""

    PERSON = "person"
    MACHINE = "machine"


class SuppressionReason(StrEnum):
    """Why an address gets no mail any more."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    OPERATOR = "operator"


class FetchStatus(StrEnum):
    """How a fetch ended."""

    OK = "ok"
    FAILED = "failed"


def _status(kind: type[StrEnum], *, default: Any = ..., **options: Any) -> Any:
    """A text column that holds one of ``kind``'s values, and nothing else (CHECK)."""
    column = Column(
        Enum(
            kind,
            native_enum=False,
            create_constraint=True,
            length=16,
            name=kind.__name__.lower(),
            values_callable=lambda members: [member.value for member in members],
        ),
        nullable=False,
        # Statements that insert many rows at once know the column only.
        default=None if default is ... else default,
        **options,
    )
    return Field(default, sa_column=column)


def _key(target: str, *, nullable: bool = False, index: bool = True, **options: Any) -> Any:
    """A foreign key; rows go with what they belong to."""
    ondelete = "SET NULL" if nullable else "CASCADE"
    return Field(
        default=None,
        sa_column=Column(
            Integer,
            ForeignKey(target, ondelete=ondelete),
            nullable=nullable,
            index=index,
            **options,
        ),
    )


def _moment(*, nullable: bool = False) -> Any:
    """A UTC moment; now unless given, or empty where that has a meaning."""
    if nullable:
        return Field(default=None, sa_column=Column(UtcDateTime, nullable=True))
    column = Column(UtcDateTime, nullable=False, default=utc_now)
    return Field(default_factory=utc_now, sa_column=column)


def _strings() -> Any:
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False, default=list))


def _text(default: str = "") -> Any:
    return Field(default=default, sa_column=Column(Text, nullable=False, default=default))


def hash_of_value(value: str) -> str:
    """What stands for an interest's value in the index."""
    return sha256(value.encode()).hexdigest()[:32]


class Paper(SQLModel, table=True):
    """One paper, however many sources, days and versions it was seen in."""

    __tablename__: ClassVar[str] = "paper"
    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        Index("ix_paper_first_seen_at", "first_seen_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    source: str = Field(max_length=40)
    external_id: str = Field(max_length=200)
    version: int = 1
    doi: str | None = Field(default=None, max_length=300)
    title: str = _text()
    abstract: str = _text()
    authors: list[str] = _strings()
    categories: list[str] = _strings()
    url: str = _text()
    code_url: str | None = Field(default=None, sa_column=Column(Text))
    project_url: str | None = Field(default=None, sa_column=Column(Text))
    published_at: datetime | None = _moment(nullable=True)
    first_seen_at: datetime = _moment()
    announcement: Announcement = _status(Announcement)
    upvotes: int = 0


class PaperAlias(SQLModel, table=True):
    """One name of a paper; ``arxiv``, ``doi`` and ``title`` are those that unite sources."""

    __tablename__: ClassVar[str] = "paper_alias"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: int | None = Field(default=None, primary_key=True)
    paper_id: int = _key("paper.id")
    source: str = Field(max_length=40)
    external_id: str = Field(max_length=300)


class SourceState(SQLModel, table=True):
    """Where a source was left off."""

    __tablename__: ClassVar[str] = "source_state"

    source: str = Field(primary_key=True, max_length=40)
    cursor: str | None = Field(default=None, sa_column=Column(Text))
    etag: str | None = Field(default=None, sa_column=Column(Text))
    last_modified: str | None = Field(default=None, sa_column=Column(Text))
    next_fetch_at: datetime | None = _moment(nullable=True)
    failures: int = 0


class FetchLog(SQLModel, table=True):
    """What one fetch saw; the coverage line of an edition adds these up."""

    __tablename__: ClassVar[str] = "fetch_log"
    __table_args__ = (Index("ix_fetch_log_started_at", "started_at"),)

    id: int | None = Field(default=None, primary_key=True)
    source: str = Field(max_length=40)
    started_at: datetime = _moment()
    finished_at: datetime | None = _moment(nullable=True)
    status: FetchStatus = _status(FetchStatus)
    announced: int = 0
    new: int = 0
    revised: int = 0
    known: int = 0
    failed: int = 0
    errors: list[dict[str, str]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, default=list)
    )


class Subscriber(SQLModel, table=True):
    """Somebody who asked for digests, and their preferences."""

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
    )

    id: int | None = Field(default=None, primary_key=True)
    public_id: str = Field(max_length=32, unique=True)
    email: str = Field(max_length=320, unique=True)
    address_hash: str = Field(max_length=64, index=True)
    name: str = Field(default="", max_length=200)
    status: SubscriberStatus = _status(SubscriberStatus)
    cadence: Cadence = _status(Cadence)
    weekday: int = 0  # of a weekly digest; 0 is Monday
    send_hour: int = 7
    time_zone: str = Field(default="UTC", max_length=64)
    max_papers: int = 10
    length: DigestLength = _status(DigestLength, default=DigestLength.NORMAL)
    min_score: int = 0
    popularity: int = 20  # how much upvotes count: 0 not at all, 100 as much as the topics
    outside_picks: bool = True  # one or two papers from outside the usual
    weekly_budget: int | None = None  # papers a week, over all digests
    tell_when_nothing: bool = False  # a short mail on a day without papers
    vacation_until: date | None = None
    created_at: datetime = _moment()
    # Consent record (bulk-mail law 27).
    consent_at: datetime | None = _moment(nullable=True)
    consent_source: str = Field(default="", max_length=200)
    consent_wording: str = Field(default="", max_length=40)
    confirmed_at: datetime | None = _moment(nullable=True)
    unsubscribed_at: datetime | None = _moment(nullable=True)


class SignUp(SQLModel, table=True):
    """What a sign-up asked for. Anybody may have typed it: it counts once it is confirmed."""

    __tablename__: ClassVar[str] = "sign_up"

    subscriber_id: int = _key("subscriber.id", index=False, primary_key=True)
    asked_at: datetime = _moment()
    asked: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class Topic(SQLModel, table=True):
    """One named interest of a subscriber: its own profile, its own section of the digest."""

    __tablename__: ClassVar[str] = "topic"
    __table_args__ = (UniqueConstraint("subscriber_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = _key("subscriber.id", index=False)
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
    )

    id: int | None = Field(default=None, primary_key=True)
    topic_id: int = _key("topic.id", index=False)
    kind: InterestKind = _status(InterestKind)
    value: str = _text()
    value_hash: str = Field(
        default=None,
        sa_column=Column(
            String(32),
            nullable=False,
            default=lambda row: hash_of_value(row.get_current_parameters()["value"]),
        ),
    )
    weight: float = 1.0


class Feedback(SQLModel, table=True):
    """A signal of a subscriber on a paper."""

    __tablename__: ClassVar[str] = "feedback"
    __table_args__ = (UniqueConstraint("subscriber_id", "paper_id", "signal"),)

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = _key("subscriber.id", index=False)
    topic_id: int | None = _key("topic.id", nullable=True)
    paper_id: int = _key("paper.id")
    signal: Signal = _status(Signal)
    created_at: datetime = _moment()


class Space(SQLModel, table=True):
    """What all topics share, as npz bytes; the newest row is the current one.

    ``parameters`` are the feature space's; ``collaboration`` is what others liked, where a
    check on held-out feedback said that it helps. The ids are digests of the content.
    """

    __tablename__: ClassVar[str] = "feature_space"

    id: str = Field(primary_key=True, max_length=64)
    model: str = Field(max_length=200)
    papers: int = 0  # how many it was fitted on
    parameters: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    collaboration_id: str = Field(default="", max_length=16)
    collaboration: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    created_at: datetime = _moment()


class PaperVector(SQLModel, table=True):
    """A paper in one feature space: little-endian float16 numbers."""

    __tablename__: ClassVar[str] = "paper_vector"

    paper_id: int = _key("paper.id", index=False, primary_key=True)
    feature_space: str = Field(max_length=64)
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Profile(SQLModel, table=True):
    """The learned state of one topic: its evidence added up, in one feature space.

    ``coefficients`` are three rows of little-endian float32: the sums over likes, dislikes and
    stated texts, faded to ``trained_at``; the weights are what went into the first two.
    """

    __tablename__: ClassVar[str] = "profile"

    topic_id: int = _key("topic.id", index=False, primary_key=True)
    version: int = 1
    feature_space: str = Field(max_length=80)  # with the id of what others liked
    coefficients: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    like_weight: float = 0.0
    dislike_weight: float = 0.0
    trained_at: datetime = _moment()


class Edition(SQLModel, table=True):
    """One date's issue."""

    __tablename__: ClassVar[str] = "edition"

    id: int | None = Field(default=None, primary_key=True)
    issue_date: date = Field(unique=True)
    status: EditionStatus = _status(EditionStatus)
    coverage: str = _text()  # what was read for it, in one line for the reader
    note: str = _text()  # why a send run paused it; "" when a person did, or nobody
    opened_at: datetime = _moment()
    finished_at: datetime | None = _moment(nullable=True)


class EditionPaper(SQLModel, table=True):
    """A paper as an edition shows it: a later revision or vote must not change a resent digest."""

    __tablename__: ClassVar[str] = "edition_paper"

    edition_id: int = _key("edition.id", index=False, primary_key=True)
    paper_id: int = _key("paper.id", primary_key=True)
    content: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class Delivery(SQLModel, table=True):
    """The ledger: one message to one subscriber, and all that became of it."""

    __tablename__: ClassVar[str] = "delivery"
    __table_args__ = (
        UniqueConstraint("edition_id", "subscriber_id"),
        CheckConstraint("kind <> 'digest' OR edition_id IS NOT NULL", name="digest_has_edition"),
        CheckConstraint("attempts >= 0", name="attempts"),
        # What a send run looks for; sent rows, nearly all of them, stay out of it.
        Index(
            "ix_delivery_unfinished",
            "edition_id",
            "not_before",
            sqlite_where=text("status IN ('queued', 'sending', 'deferred', 'uncertain')"),
            postgresql_where=text("status IN ('queued', 'sending', 'deferred', 'uncertain')"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    edition_id: int | None = Field(
        default=None, sa_column=Column(Integer, ForeignKey("edition.id"), nullable=True)
    )
    subscriber_id: int = _key("subscriber.id")
    kind: DeliveryKind = _status(DeliveryKind)
    to_address: str = Field(max_length=320)
    to_name: str = Field(default="", max_length=200)
    length: DigestLength = _status(DigestLength, default=DigestLength.NORMAL)
    occasion: Occasion = _status(Occasion, default=Occasion.REGULAR)
    message_id: str = Field(max_length=250, unique=True)
    subject: str = _text()
    status: DeliveryStatus = _status(DeliveryStatus)
    attempts: int = 0
    resends: int = 0  # attempts made after the delivery was uncertain
    created_at: datetime = _moment()
    not_before: datetime | None = _moment(nullable=True)
    lease_until: datetime | None = _moment(nullable=True)
    lease_owner: str | None = Field(default=None, max_length=100)
    finished_at: datetime | None = _moment(nullable=True)
    smtp_code: int | None = None
    smtp_response: str = _text()


class Pace(SQLModel, table=True):
    """How fast mail may go: shared by all processes and machines, kept across restarts.

    ``name`` is ``all``, ``domain:…`` or ``day:…``; ``next_at`` is the first moment that is not
    given away yet, ``used`` how many messages a day of the warm-up has had.
    """

    __tablename__: ClassVar[str] = "pace"

    name: str = Field(primary_key=True, max_length=260)
    next_at: datetime | None = _moment(nullable=True)
    used: int = 0


class DigestItem(SQLModel, table=True):
    """One paper in one digest. Never the same paper twice to one subscriber."""

    __tablename__: ClassVar[str] = "digest_item"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "paper_id"),
        UniqueConstraint("delivery_id", "position"),
    )

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = _key("delivery.id", index=False)
    subscriber_id: int = _key("subscriber.id", index=False)
    paper_id: int = _key("paper.id")
    topic_id: int | None = _key("topic.id", nullable=True)
    section: str = Field(default="", max_length=100)
    position: int = 0
    score: float = 0.0
    explanation: str = _text()
    # (start, end) offsets in characters of the abstract: what matters to this reader.
    highlights: list[list[int]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, default=list)
    )


class NoDigest(SQLModel, table=True):
    """Why a subscriber who was due got no digest in an edition."""

    __tablename__: ClassVar[str] = "no_digest"
    __table_args__ = (UniqueConstraint("edition_id", "subscriber_id"),)

    id: int | None = Field(default=None, primary_key=True)
    edition_id: int = _key("edition.id", index=False)
    subscriber_id: int = _key("subscriber.id")
    reason: str = _text()


class DeliveryEvent(SQLModel, table=True):
    """What a provider, a mailbox or a page reported; a replay changes nothing."""

    __tablename__: ClassVar[str] = "delivery_event"
    __table_args__ = (UniqueConstraint("provider", "provider_event_id"),)

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int | None = _key("delivery.id", nullable=True)
    kind: EventKind = _status(EventKind)
    provider: str = Field(max_length=40)
    provider_event_id: str = Field(max_length=250)
    occurred_at: datetime = _moment()
    # Of a bounce: `newsletter.bounces.Permanence`, `Reason` and the status code ("5.1.1").
    permanence: str = Field(default="", max_length=12)
    reason: str = Field(default="", max_length=40)
    status: str = Field(default="", max_length=12)
    detail: str = _text()


class Suppression(SQLModel, table=True):
    """An address that gets no mail, as a keyed hash; it outlives the subscriber."""

    __tablename__: ClassVar[str] = "suppression"

    address_hash: str = Field(primary_key=True, max_length=64)
    reason: SuppressionReason = _status(SuppressionReason)
    created_at: datetime = _moment()
    note: str = _text()  # the operator's own words; never an address


class SuppressionRemoval(SQLModel, table=True):
    """A suppression that the operator lifted, and why."""

    __tablename__: ClassVar[str] = "suppression_removal"

    id: int | None = Field(default=None, primary_key=True)
    address_hash: str = Field(max_length=64, index=True)
    reason: SuppressionReason = _status(SuppressionReason)
    suppressed_at: datetime = _moment()
    removed_at: datetime = _moment()
    note: str = _text()


class KeptMail(SQLModel, table=True):
    """An inbound mail that nothing was done about, for the operator to look at."""

    __tablename__: ClassVar[str] = "kept_mail"
    __table_args__ = (Index("ix_kept_mail_received_at", "received_at"),)

    id: int | None = Field(default=None, primary_key=True)
    fingerprint: str = Field(max_length=64, unique=True)
    received_at: datetime = _moment()
    kind: str = Field(max_length=20)  # `newsletter.bounces.Kind`
    sender: str = _text()
    subject: str = _text()
    size: int = 0  # of the whole mail, in bytes; the content is cut at a mebibyte
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RateLimit(SQLModel, table=True):
    """How often somebody unnamed did something in a while; the key is a keyed hash."""

    __tablename__: ClassVar[str] = "rate_limit"

    key: str = Field(primary_key=True, max_length=64)
    until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False, index=True))
    count: int = 0
