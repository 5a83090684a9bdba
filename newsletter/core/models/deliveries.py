"""The ledger of deliveries, and the pace that all senders share."""

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from newsletter.core.language import SOURCE
from newsletter.core.models.base import (
    IDS_USED_ONCE,
    foreign_key,
    status_column,
    text_column,
    utc_column,
)
from newsletter.core.models.editions import Occasion
from newsletter.core.models.subscribers import DigestLength


class DeliveryKind(StrEnum):
    """What a message is for."""

    DIGEST = "digest"
    CONFIRMATION = "confirmation"
    ACCOUNT_LINK = "account_link"
    BROADCAST = "broadcast"


class DeliveryStatus(StrEnum):
    """The state of a delivery; ARCHITECTURE.md draws the transitions."""

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


class Delivery(SQLModel, table=True):
    """The ledger: one message to one subscriber, and what happened to it."""

    __tablename__: ClassVar[str] = "delivery"
    __table_args__ = (
        UniqueConstraint("edition_id", "subscriber_id"),
        UniqueConstraint("broadcast_id", "subscriber_id"),
        CheckConstraint("kind <> 'digest' OR edition_id IS NOT NULL", name="digest_has_edition"),
        CheckConstraint(
            "(kind = 'broadcast') = (broadcast_id IS NOT NULL)", name="broadcast_has_text"
        ),
        CheckConstraint("attempts >= 0", name="attempts"),
        # Unfinished rows only: nearly all rows are sent, and a send run never looks for those. The
        # migration says so; saying it here would import PostgreSQL's dialect in every command.
        Index("ix_delivery_unfinished", "edition_id", "broadcast_id", "not_before", "id"),
        IDS_USED_ONCE,
    )

    id: int | None = Field(default=None, primary_key=True)
    edition_id: int | None = Field(
        default=None, sa_column=Column(Integer, ForeignKey("edition.id"), nullable=True)
    )
    broadcast_id: int | None = Field(
        default=None, sa_column=Column(Integer, ForeignKey("broadcast.id"), nullable=True)
    )
    subscriber_id: int = foreign_key("subscriber.id")
    kind: DeliveryKind = status_column(DeliveryKind)
    to_address: str = Field(max_length=320)
    to_name: str = Field(default="", max_length=200)
    length: DigestLength = status_column(DigestLength, default=DigestLength.NORMAL)
    occasion: Occasion = status_column(Occasion, default=Occasion.REGULAR)
    message_id: str = Field(max_length=250, unique=True)
    subject: str = text_column()
    notice: str = text_column()  # said once, after the first sentence
    # What it was chosen from; rows of older versions have their edition's line instead.
    coverage: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    read_here: bool = False  # titles lead to this site's page of the paper
    # What it was frozen in: a retry says the same, whatever the subscriber chose since.
    language: str = Field(
        default=SOURCE,
        sa_column=Column(String(16), nullable=False, default=SOURCE, server_default=SOURCE),
    )
    covers_from: date | None = None  # first day of a weekly digest; no other has one
    status: DeliveryStatus = status_column(DeliveryStatus)
    attempts: int = 0
    resends: int = 0  # attempts made after the delivery was uncertain
    created_at: datetime = utc_column()
    not_before: datetime | None = utc_column(nullable=True)
    lease_until: datetime | None = utc_column(nullable=True)
    lease_owner: str | None = Field(default=None, max_length=100)
    finished_at: datetime | None = utc_column(nullable=True)
    smtp_code: int | None = None
    smtp_response: str = text_column()


class Pace(SQLModel, table=True):
    """How fast mail may go: shared by all processes and machines, kept across restarts.

    ``name`` is ``all``, ``domain:…``, ``relay:…``, ``day:…`` or ``pause:…``; ``next_at`` is the
    first moment that is not given away yet, or the end of a domain's pause; ``used`` is how many
    messages a day of the warm-up has had, or which of a domain's pauses in a row this is. ``rate``
    is what a relay asked for at ``slowed_at``, and what that has grown to since. A domain's
    last pause began at ``slowed_at`` too.
    """

    __tablename__: ClassVar[str] = "pace"

    name: str = Field(primary_key=True, max_length=260)
    next_at: datetime | None = utc_column(nullable=True)
    used: int = 0
    rate: float | None = None
    slowed_at: datetime | None = utc_column(nullable=True)
