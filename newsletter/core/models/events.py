"""What happened to a delivery afterwards, and inbound mail that matched nothing."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from newsletter.core.database import UtcDateTime
from newsletter.core.models.base import (
    IDS_USED_ONCE,
    foreign_key,
    status_column,
    text_column,
    utc_column,
)

UNPROVEN = "unproven mail"


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


class Permanence(StrEnum):
    """Whether trying again can help (the first digit of RFC 3463)."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"


class Reason(StrEnum):
    """Why a message was not taken."""

    NO_SUCH_ADDRESS = "no_such_address"
    NO_SUCH_HOST = "no_such_host"
    MOVED = "moved"
    INACTIVE = "inactive"
    NOT_ACCEPTING = "not_accepting"
    MAILBOX_FULL = "mailbox_full"
    TOO_LARGE = "too_large"
    SPAM = "spam"
    BLOCKED = "blocked"
    RATE_LIMITED = "rate_limited"
    AUTHENTICATION = "authentication"
    POLICY = "policy"
    SENDER_REJECTED = "sender_rejected"
    RELAY_DENIED = "relay_denied"
    CONTENT = "content"
    LOOP = "loop"
    EXPIRED = "expired"
    NETWORK = "network"
    SYSTEM = "system"
    PROTOCOL = "protocol"
    COMPLAINT = "complaint"
    UNDEFINED = "undefined"


class DeliveryEvent(SQLModel, table=True):
    """What a provider, a mailbox or a page reported; a replay changes nothing."""

    __tablename__: ClassVar[str] = "delivery_event"
    __table_args__ = (
        UniqueConstraint("provider", "provider_event_id"),
        # Bounces and complaints only; the migration says so, as for `Delivery`.
        Index("ix_delivery_event_troubles", "occurred_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int | None = foreign_key("delivery.id", nullable=True)
    kind: EventKind = status_column(EventKind)
    provider: str = Field(max_length=40)
    provider_event_id: str = Field(max_length=250)
    occurred_at: datetime = utc_column()
    # Of a bounce: `Permanence`, `Reason` and the status code ("5.1.1").
    permanence: str = Field(default="", max_length=12)
    reason: str = Field(default="", max_length=40)
    status: str = Field(default="", max_length=12)
    detail: str = text_column()


class UsedToken(SQLModel, table=True):
    """A provider's token that signs no body, and the hash of the body it came with first."""

    __tablename__: ClassVar[str] = "used_token"

    token: str = Field(primary_key=True, max_length=64)  # a keyed hash
    body: str = Field(max_length=64)
    until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False, index=True))


class KeptMail(SQLModel, table=True):
    """An inbound message that matched no delivery, kept for the operator."""

    __tablename__: ClassVar[str] = "kept_mail"
    __table_args__ = (Index("ix_kept_mail_received_at", "received_at"), IDS_USED_ONCE)

    id: int | None = Field(default=None, primary_key=True)
    fingerprint: str = Field(max_length=64, unique=True)
    received_at: datetime = utc_column()
    kind: str = Field(max_length=20)  # `newsletter.inbound.bounces.Kind`
    sender: str = text_column()
    subject: str = text_column()
    size: int = 0  # of the whole mail, in bytes; the content is cut
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
