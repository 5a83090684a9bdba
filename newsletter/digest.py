"""One subscriber's digest as a value: what the reader will see, before any markup."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPaper:
    """One paper in a digest. ``score`` is 0 to 100; ``explanation`` one plain sentence."""

    paper_id: int
    position: int
    title: str
    url: str
    authors: tuple[str, ...]
    source: str
    categories: tuple[str, ...]
    abstract: str
    published_at: datetime | None
    score: float
    explanation: str
    upvotes: int = 0
    code_url: str | None = None
    project_url: str | None = None


@dataclass(frozen=True, slots=True)
class DigestSection:
    """Papers under one heading: a topic's name, or what the section is for."""

    name: str
    papers: tuple[DigestPaper, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Everything a message is made of. Frozen in rows, so a retry gives the same bytes."""

    delivery_id: int
    subscriber_public_id: str
    to_address: str
    to_name: str
    message_id: str
    subject: str
    preheader: str
    issue_date: date
    created_at: datetime
    sections: tuple[DigestSection, ...]
    coverage: str = ""

    @property
    def papers(self) -> tuple[DigestPaper, ...]:
        """All papers, in the order the reader meets them."""
        return tuple(paper for section in self.sections for paper in section.papers)
