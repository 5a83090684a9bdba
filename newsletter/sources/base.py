"""The values that travel from a source to the store, and the protocol every source follows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple, Protocol

from newsletter.sources.notices import Standing

AnnouncementKind = Literal["new", "cross", "replace"]
DatePrecision = Literal["day", "month", "year"]


class Author(NamedTuple):
    """One author as a source gives them, unchecked; ``orcid`` as an id or an address."""

    name: object
    orcid: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRecord:
    """One paper as one source announced it; text already cleaned for people to read.

    ``external_id`` is the source's own id without a version; ``arxiv_id`` and ``doi`` are the
    canonical identities (no version, lower-case DOI without ``https://doi.org/``); ``orcids`` are
    (name, ORCID) of those authors whose source tells one; ``references`` are (kind, id) of papers
    that it cites, a kind being "arxiv", "doi" or a source's name;
    with ``doi_is_guessed`` the DOI was read out of a web address; ``related_dois`` are those of
    the same paper elsewhere, as the preprint's of an article. ``published_precision`` says how
    much of ``published_at`` is known: of "year" and "month" the rest is the first of it;
    ``venue`` is the journal or conference.
    Make one with `newsletter.sources.normalise.make`, which checks and cleans.
    """

    source: str
    external_id: str
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    orcids: tuple[tuple[str, str], ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    categories: tuple[str, ...] = ()
    url: str
    version: int = 1
    arxiv_id: str | None = None
    doi: str | None = None
    doi_is_guessed: bool = False
    related_dois: tuple[str, ...] = ()
    published_at: datetime | None = None
    published_precision: DatePrecision = "day"
    announcement: AnnouncementKind = "new"
    standing: Standing = ""
    upvotes: int | None = None
    code_url: str | None = None
    project_url: str | None = None
    venue: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something announced that could not be read: where, and what is wrong with it."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP GET of a source. ``state`` is not sent: it is what the source wants back.

    ``charset`` is what the answer's header says of its encoding; None before there is one.
    """

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer held.

    ``left_out`` counts notices and parts of an issue, which are no papers; ``retracted_dois`` are
    those of papers that such a notice retracts. ``cut_short`` says that the answer broke off:
    what was complete is here, the rest is not.
    """

    records: tuple[PaperRecord, ...] = ()
    problems: tuple[Problem, ...] = ()
    next: Request | None = None
    cut_short: bool = False
    left_out: int = 0
    retracted_dois: tuple[str, ...] = ()

    @property
    def announced(self) -> int:
        """Papers in the answer: those that were read and those that could not be."""
        return len(self.records) + len(self.problems)


FEEDS_AND_DATA = re.compile(r"xml|json|rss|atom|rdf|^text/|^application/octet-stream$")


class Source(Protocol):
    """A place papers come from. It requests nothing itself: `http_client` does."""

    name: str
    # Read again before the cursor each time, for papers that are listed late.
    overlap: timedelta = timedelta(days=5)
    # One fixed address, whose answer can be asked for "if it has changed".
    conditional: bool = False
    # Types of an answer that may be what is wanted.
    readable: re.Pattern[str] = FEEDS_AND_DATA
    # A long harvest, whose next request is worth keeping when a run ends early.
    resumable: bool = False

    def first_request(self, since: date, until: date) -> Request:
        """The request that starts reading announcements from ``since`` to ``until``, inclusive."""
        ...

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read one answer; ``request``, where there was one, tells what to ask for next.

        Raises:
            ParseError: the answer as a whole is not what the source documents.
            FetchError: the answer says to ask again later.
        """
        ...

    def pause(self, body: bytes) -> datetime | None:
        """When a refusal in the source's own words (429) says to come back; None if nothing."""
        return None
