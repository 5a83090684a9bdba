"""One subscriber's digest as a value: what the reader will see, before any markup."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import Text, bindparam, cast
from sqlmodel import Session, SQLModel, select

from newsletter.core import language
from newsletter.core.language import SOURCE
from newsletter.core.models import DigestLength, EditionPaper, Label, Occasion, Paper
from newsletter.messages import figures, other_words, paper_date, subjects
from newsletter.messages.news import NewsItem, has_news, load_news
from newsletter.messages.reasons import Reasons, divided, lines_of, reasons_of

# Covers a late feed, a weekly cadence or a vacation; older papers are not news.
CANDIDATE_WINDOW = timedelta(days=30)


# (start, end) in characters.
Spans = tuple[tuple[int, int], ...]


class FrozenPaper(NamedTuple):
    """A paper as an edition froze it, the same for every reader."""

    paper_id: int
    title: str
    url: str
    authors: tuple[str, ...]
    source: str
    categories: tuple[str, ...]
    abstract: str
    date: str
    upvotes: int = 0
    code_url: str | None = None
    project_url: str | None = None
    figure: figures.Thumbnail | None = None
    words: tuple[other_words.InWords, ...] = ()
    dated: tuple[int, ...] = ()  # as `paper_date` has it; without it ``date`` is shown


class DigestPaper(NamedTuple):
    """One paper in a digest. ``label`` says how well it matches; ``explanation`` why it is there.

    The explanation has a reason a line, and ``bars`` has what each is about.

    ``highlights`` are (start, end) offsets in characters of the abstract: what to show in bold;
    ``in_short`` is one such pair, or none: the sentence that says what was found.
    A tuple, since a send run makes fifteen for every message: a frozen dataclass takes five
    times as long.
    """

    frozen: FrozenPaper
    position: int
    label: Label
    explanation: str
    highlights: Spans = ()
    in_short: Spans = ()
    bars: str = ""

    @property
    def reasons(self) -> Reasons:
        """Why it is there."""
        return reasons_of(self.explanation, self.bars)

    @property
    def paper_id(self) -> int:
        """The paper's id."""
        return self.frozen.paper_id

    @property
    def title(self) -> str:
        """The paper's title, as it was frozen."""
        return self.frozen.title

    @property
    def url(self) -> str:
        """Where the paper can be read, as its source gave it."""
        return self.frozen.url

    @property
    def authors(self) -> tuple[str, ...]:
        """Everyone who wrote it."""
        return self.frozen.authors

    @property
    def abstract(self) -> str:
        """What ``highlights`` count in."""
        return self.frozen.abstract

    @property
    def short_text(self) -> str:
        """The sentence that says what was found, or ""."""
        return " ".join(self.frozen.abstract[start:end] for start, end in self.in_short)


@dataclass(frozen=True, slots=True)
class DigestSection:
    """Papers under one heading: a topic's name, or what the section is for; ``note`` says more."""

    name: str
    papers: tuple[DigestPaper, ...]
    note: str = ""
    shared: Reasons = ()  # the note, where it is what all papers have in common

    @property
    def reasons(self) -> Reasons:
        """The note as reasons."""
        return self.shared or reasons_of(self.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Everything a message is made of. Frozen in rows, so a retry gives the same bytes.

    ``reason`` is for a digest without papers: one sentence on why there are none.
    """

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
    length: DigestLength = DigestLength.NORMAL
    occasion: Occasion = Occasion.REGULAR
    reason: str = ""
    link_generation: int = 0
    notice: str = ""  # said once, after the first sentence
    read_here: bool = False  # titles lead to this site's page of the paper
    covers_from: date | None = None  # first day of a weekly digest
    news: tuple[NewsItem, ...] = ()
    language: str = SOURCE

    @property
    def papers(self) -> tuple[DigestPaper, ...]:
        """All papers, in the order the reader meets them."""
        return tuple(chain.from_iterable([section.papers for section in self.sections]))


def content_of(paper: Paper) -> dict[str, Any]:
    """What a digest shows of a paper, as JSON: the form an edition freezes it in."""
    return {
        "title": paper.title,
        "url": paper.url,
        "authors": paper.authors,
        "source": paper.source,
        "categories": paper.categories,
        "abstract": paper.abstract,
        "published_at": paper.published_at.isoformat() if paper.published_at else None,
        "dated": paper_date.parts_of(paper),
        "upvotes": paper.upvotes,
        "code_url": paper.code_url,
        "project_url": paper.project_url,
    }


def _shown(content: Mapping[str, Any]) -> tuple[int, ...]:
    """The date to show. Earlier versions froze it in words, and the first did not."""
    if "dated" in content:
        return tuple(content["dated"])
    published = content["published_at"]
    if "date" in content or not published:
        return ()
    at = datetime.fromisoformat(published)
    return (0, at.month, at.day)


def load_contents(session: Session, edition_id: int) -> dict[int, dict[str, Any]]:
    """All papers of an edition as it froze them, by paper id; read once a send run."""
    rows = session.exec(select(EditionPaper).where(EditionPaper.edition_id == edition_id))
    return {row.paper_id: row.content for row in rows}


class Contents(dict[int, FrozenPaper]):
    """Papers of an edition by id, each read from its frozen form when first asked for.

    One that is damaged fails the digests it is in, and no other.
    """

    def __init__(self, raw: Mapping[int, Mapping[str, Any]]) -> None:
        """``raw`` from `load_contents` or `content_of`."""
        super().__init__()
        self._raw = raw

    def __missing__(self, paper_id: int) -> FrozenPaper:
        content = self._raw[paper_id]
        made = self[paper_id] = FrozenPaper(
            paper_id=paper_id,
            title=content["title"],
            url=content["url"],
            authors=tuple(content["authors"]),
            source=content["source"],
            categories=tuple(content["categories"]),
            abstract=content["abstract"],
            dated=_shown(content),
            date=content.get("date", ""),
            upvotes=content["upvotes"],
            code_url=content["code_url"],
            project_url=content["project_url"],
            figure=figures.thawed(content),
            words=other_words.thawed(content),
        )
        return made


# Columns and statements made once, not objects: a send run reads these for every message, and
# mapped objects cost it more than all else that it does but signing.
_delivery = SQLModel.metadata.tables["delivery"].c
_item = SQLModel.metadata.tables["digest_item"].c
_ROWS = (
    sqlalchemy.select(
        _delivery.id,
        _delivery.to_address,
        _delivery.to_name,
        _delivery.message_id,
        _delivery.subject,
        _delivery.created_at,
        _delivery.length,
        _delivery.occasion,
        _delivery.notice,
        _delivery.read_here,
        _delivery.language,
        _delivery.covers_from,
        _delivery.edition_id,
        _delivery.subscriber_id,
        SQLModel.metadata.tables["subscriber"].c.public_id,
        SQLModel.metadata.tables["subscriber"].c.link_generation,
        SQLModel.metadata.tables["edition"].c.issue_date,
        SQLModel.metadata.tables["edition"].c.coverage.label("of_edition"),
        _delivery.coverage,
        has_news(_delivery.id).label("has_news"),
    )
    .join_from(SQLModel.metadata.tables["delivery"], SQLModel.metadata.tables["subscriber"])
    .join(SQLModel.metadata.tables["edition"])
    .where(_delivery.id.in_(bindparam("ids", expanding=True)))
)
_ITEMS = (
    sqlalchemy.select(
        _item.delivery_id,
        _item.paper_id,
        _item.section,
        _item.position,
        _item.label,
        _item.explanation,
        cast(_item.highlights, Text),
        cast(_item.in_short, Text),
        _item.bars,
    )
    .where(_item.delivery_id.in_(bindparam("ids", expanding=True)))
    .order_by(_item.delivery_id, _item.position)
)


def load(session: Session, delivery_ids: Sequence[int], contents: Contents) -> dict[int, Digest]:
    """Digests frozen in rows, by delivery id."""
    connection = session.connection()
    rows = connection.execute(_ROWS, {"ids": delivery_ids}).all()
    items: dict[int, list[tuple[str, DigestPaper]]] = {number: [] for number in delivery_ids}
    found = connection.execute(_ITEMS, {"ids": delivery_ids}).all()
    for delivery_id, paper_id, section, position, label, explanation, marked, said, bars in found:
        spans = _spans_in(marked), _spans_in(said)
        paper = DigestPaper(contents[paper_id], position, label, explanation, *spans, bars)
        items[delivery_id].append((section, paper))
    with_news = [row.id for row in rows if row.has_news]
    told = load_news(connection, with_news) if with_news else {}
    empty = [row for row in rows if row.occasion is Occasion.NOTHING]
    reasons = _reasons(session, empty) if empty else {}
    return {
        row.id: _digest(row, items[row.id], told.get(row.id, ()), reasons.get(row.id, ""))
        for row in rows
    }


def _digest(
    row: Any, items: Sequence[tuple[str, DigestPaper]], told: tuple[NewsItem, ...], reason: str
) -> Digest:
    with language.speaking(row.language):
        return Digest(
            delivery_id=row.id,
            subscriber_public_id=row.public_id,
            link_generation=row.link_generation,
            to_address=row.to_address,
            to_name=row.to_name,
            message_id=row.message_id,
            subject=row.subject,
            preheader=subjects.preheader_line([paper.title for _section, paper in items[:4]])
            or reason,
            issue_date=row.issue_date,
            created_at=row.created_at,
            sections=sections_of(items),
            coverage=_coverage(row),
            length=row.length,
            occasion=row.occasion,
            notice=row.notice,
            read_here=row.read_here,
            language=row.language,
            covers_from=row.covers_from,
            reason=reason,
            news=told,
        )


def _coverage(row: Any) -> str:
    """What the digest was chosen from; a row of an older version has the edition's line."""
    if row.coverage is not None:
        return str(row.coverage)
    is_quiet = row.occasion is Occasion.NOTHING
    line: str = row.of_edition
    return line.replace("Chosen from", "Looked through", 1) if is_quiet else line


def _reasons(session: Session, rows: Sequence[Any]) -> dict[int, str]:
    """Why digests without papers have none, by delivery id."""
    table = SQLModel.metadata.tables["no_digest"].c
    found = session.connection().execute(
        sqlalchemy.select(table.edition_id, table.subscriber_id, table.reason, table.told).where(
            table.edition_id.in_({row.edition_id for row in rows}),
            table.subscriber_id.in_([row.subscriber_id for row in rows]),
        )
    )
    reasons = {(row.edition_id, row.subscriber_id): row.told or row.reason for row in found}
    return {row.id: reasons.get((row.edition_id, row.subscriber_id), "") for row in rows}


def offsets_of(abstract: str, passages: Sequence[str]) -> list[list[int]]:
    """Where ``passages`` stand in ``abstract``, as (start, end); those that do not are left out."""
    starts = [(abstract.find(passage), len(passage)) for passage in passages]
    return [[start, start + length] for start, length in starts if start >= 0]


def spans_of(offsets: Sequence[Sequence[int]]) -> Spans:
    """Offsets as a digest's paper holds them."""
    return tuple((start, end) for start, end in offsets)


@lru_cache(maxsize=10_000)
def _spans_in(text: str) -> Spans:
    """The same out of JSON; readers of one paper mostly share its highlights."""
    return spans_of(json.loads(text))


def sections_of(items: Sequence[tuple[str, DigestPaper]]) -> tuple[DigestSection, ...]:
    """Papers in order of position, under the sections in order of their first paper.

    A line that stands in the explanation of each of a section's papers is said once, in its note.
    """
    grouped: dict[str, list[DigestPaper]] = {}
    for section, paper in items:
        grouped.setdefault(section, []).append(paper)
    return tuple(_section(name, papers) for name, papers in grouped.items())


def _section(name: str, papers: Sequence[DigestPaper]) -> DigestSection:
    if len(papers) == 1:
        return DigestSection(name, tuple(papers))
    common, rest = divided([paper.reasons for paper in papers])
    if not common:
        return DigestSection(name, tuple(papers))
    left = tuple(_with(paper, own) for paper, own in zip(papers, rest, strict=True))
    return DigestSection(name, left, note=" ".join(each.text for each in common), shared=common)


def _with(paper: DigestPaper, reasons: Reasons) -> DigestPaper:
    explanation, bars = lines_of(reasons)
    seen = paper.highlights, paper.in_short
    # Put together anew: `_replace` takes three times as long.
    return DigestPaper(paper.frozen, paper.position, paper.label, explanation, *seen, bars)
