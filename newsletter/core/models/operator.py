"""Who may look at the operator's pages, and until when."""

from datetime import datetime
from typing import ClassVar

from sqlmodel import Field, SQLModel

from newsletter.core.models.base import utc_column


class OperatorSession(SQLModel, table=True):
    """A link to the operator's pages, and the session it opened. Secrets are keyed hashes.

    ``cookie_hash`` and ``until`` are empty until the link is used; it works once.
    """

    __tablename__: ClassVar[str] = "operator_session"

    id: int | None = Field(default=None, primary_key=True)
    link_hash: str = Field(max_length=64, unique=True)
    link_until: datetime = utc_column()
    hours: int
    cookie_hash: str | None = Field(default=None, max_length=64, unique=True)
    until: datetime | None = utc_column(nullable=True)
