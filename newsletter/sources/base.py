"""The values that travel from a source to the store, and the protocol every source follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol

AnnouncementKind = Literal["new", "cross", "replace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRecord:
    """One paper as one source announced it; text already cleaned for people to read.

    ``external_id`` is the source's own id without a version; ``arxiv_id`` and ``doi`` are the
    canonical identities (no version, lower-case DOI without ``https://doi.org/``).
    """

    source: str
    external_id: str
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    url: str
    version: int = 1
    arxiv_id: str | None = None
    doi: str | None = None
    published_at: datetime | None = None
    announcement: AnnouncementKind = "new"
    upvotes: int | None = None
    code_url: str | None = None
    project_url: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something announced that could not be read: where it stands, and what is wrong with it."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request of a source."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    method: Literal["GET", "POST"] = "GET"
    json: object = None


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer held. ``announced`` counts every entry in it, read or not."""

    records: tuple[PaperRecord, ...]
    problems: tuple[Problem, ...] = ()
    announced: int = 0
    next: Request | None = None


class Source(Protocol):
    """A place papers come from."""

    name: str

    def first_request(self, since: date, until: date) -> Request:
        """The request that starts reading announcements from ``since`` to ``until``, inclusive."""
        ...

    def parse(self, body: bytes, *, where: str) -> Page:
        """Read one answer.

        Raises:
            ParseError: the answer as a whole is not what the source documents.
        """
        ...
