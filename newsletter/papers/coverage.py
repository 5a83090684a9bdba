"""Coverage: what was read for an edition, and why there may be nothing to send."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from sqlmodel import Session, col, func, select

from newsletter.core.language import _, listed, ngettext, plural
from newsletter.core.models import FetchLog, FetchStatus
from newsletter.sources.arxiv_calendar import is_overdue

# In the setting `sources` it stands for all feeds, and each of those has a name of its own.
FEEDS = "feeds"
KNOWN_AS = {
    "hf": "Hugging Face",
    "arxiv": "arXiv",
    "arxiv-rss": "arXiv",
    "arxiv-oai": "arXiv",
    "biorxiv": "bioRxiv",
    "medrxiv": "medRxiv",
    "semantic-scholar": "Semantic Scholar",
    "openalex": "OpenAlex",
    "crossref": "Crossref",
    "pubmed": "PubMed",
    "openreview": "OpenReview",
}


class SourceCondition(StrEnum):
    """How a source stands, seen from one edition."""

    READ = "read"
    NOTHING_ANNOUNCED = "nothing_announced"
    LATE = "late"
    FAILED = "failed"
    NOT_READ = "not_read"  # nobody asked it this time
    NEVER_READ = "never_read"  # nor ever before


class NothingToSend(StrEnum):
    """Why a subscriber gets no digest: the sources' condition, or their own bar."""

    NOTHING_ANNOUNCED = "nothing_announced"
    LATE = "late"
    FAILED = "failed"
    NOT_READ = "not_read"
    BELOW_BAR = "below_bar"


@dataclass(frozen=True, slots=True)
class SourceCoverage:
    """One source since the last edition; ``new`` and ``revised`` count papers, not sightings."""

    source: str
    condition: SourceCondition
    new: int = 0
    revised: int = 0
    failed: int = 0
    last_read: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was announced between two moments, and how much of it was read."""

    since: datetime
    until: datetime
    sources: tuple[SourceCoverage, ...]

    @property
    def read(self) -> int:
        """Papers that were new or revised."""
        return sum(source.new + source.revised for source in self.sources)

    @property
    def failed(self) -> int:
        """Announced papers that could not be parsed."""
        return sum(source.failed for source in self.sources)

    @property
    def announced(self) -> int:
        """Papers announced; those that were known before are not announced again."""
        return self.read + self.failed

    def line(self) -> str:
        """One line on the whole edition, for the operator."""
        new = sum(source.new for source in self.sources)
        revised = self.read - new
        line = _chosen_from(new)
        if revised:
            line = _(
                "Chosen from {papers} and {revisions}",
                papers=ngettext("{count} new paper", "{count} new papers", new),
                revisions=ngettext("{count} revision", "{count} revisions", revised),
            )
        return self._with_missing(line)

    def line_for(self, papers: int, *, is_chosen: bool = True) -> str:
        """One line under the heading of a digest, in the language that is on.

        ``papers`` is how many are new to its reader. On a quiet day nothing was chosen from them:
        ``is_chosen`` is false.
        """
        looked = ngettext(
            "Looked through {count} new paper", "Looked through {count} new papers", papers
        )
        return self._with_missing(_chosen_from(papers) if is_chosen or not papers else looked)

    def _with_missing(self, line: str) -> str:
        failed = ", ".join(self._named(SourceCondition.FAILED))
        late = ", ".join(self._named(SourceCondition.LATE))
        unread = self._named(SourceCondition.NOT_READ)
        if failed:
            line = _("{line}; {sources} could not be read today", line=line, sources=failed)
        if unread:
            said = plural(
                "{line}; {sources} was not read this time",
                "{line}; {sources} were not read this time",
                len(unread),
            )
            line = said.format(line=line, sources=", ".join(unread))
        if late:
            line = _("{line}; nothing yet from {sources}", line=line, sources=late)
        return line

    def _named(self, condition: SourceCondition) -> list[str]:
        names = (in_words(each.source) for each in self.sources if each.condition is condition)
        return list(dict.fromkeys(names))

    def nothing_in_words(self) -> str:
        """The same in words for the subscriber, with the sources it lies with."""
        why = self.nothing_to_send()
        if why is NothingToSend.BELOW_BAR:
            return _("there are no new papers")
        if why is NothingToSend.NOTHING_ANNOUNCED:
            return _("nothing was announced")
        names = self._named(SourceCondition(why.value))
        named = listed(names)
        if why is NothingToSend.FAILED:
            return _("{sources} could not be read", sources=named)
        if why is NothingToSend.NOT_READ:
            if not names:
                return _("no source has been read yet")
            unread = plural("{sources} was not read", "{sources} were not read", len(names))
            return unread.format(sources=named)
        late = plural("{sources} is late", "{sources} are late", len(names))
        return late.format(sources=named)

    def nothing_to_send(self) -> NothingToSend:
        """Why a subscriber without papers has none."""
        if self.read:
            return NothingToSend.BELOW_BAR
        conditions = {each.condition for each in self.sources if each.source != FEEDS}
        if SourceCondition.FAILED in conditions:
            return NothingToSend.FAILED
        if SourceCondition.LATE in conditions:
            return NothingToSend.LATE
        # What was never read is told only where it is all there is.
        if SourceCondition.NOT_READ in conditions or conditions == {SourceCondition.NEVER_READ}:
            return NothingToSend.NOT_READ
        return NothingToSend.NOTHING_ANNOUNCED


def _chosen_from(papers: int) -> str:
    if not papers:
        return _("No new papers")
    return ngettext("Chosen from {count} new paper", "Chosen from {count} new papers", papers)


def in_words(source: str) -> str:
    """A source as readers know it: ``arXiv`` for ``arxiv-rss``, a feed by its host."""
    if source.startswith("feed:"):
        return source.removeprefix("feed:").partition("/")[0]
    return KNOWN_AS.get(source, source)


def coverage(
    session: Session, since: datetime, until: datetime, sources: Sequence[str] = ()
) -> Coverage:
    """What the fetches between two moments saw, source by source.

    Give the names of the sources that should have been read; those that only appear in the
    log (files, a source named by hand) are added, and are never late.
    """
    started = col(FetchLog.started_at)
    query = select(FetchLog).where(started > since, started <= until).order_by(started)
    logs: dict[str, list[FetchLog]] = {name: [] for name in sources}
    for log in session.exec(query):
        logs.setdefault(log.source, []).append(log)
    news = select(FetchLog.source, func.max(started)).where(col(FetchLog.new) > 0, started <= until)
    last_news = dict(session.exec(news.group_by(col(FetchLog.source))).all())
    tried = set(session.exec(select(FetchLog.source).where(started <= until).distinct()))
    return Coverage(
        since,
        until,
        tuple(
            _source(
                name,
                own,
                until,
                last_news.get(name, since),
                is_expected=not sources or name in sources,
                was_tried=name in tried,
            )
            for name, own in logs.items()
        ),
    )


def _source(
    name: str,
    logs: list[FetchLog],
    until: datetime,
    last_news: datetime,
    *,
    is_expected: bool,
    was_tried: bool,
) -> SourceCoverage:
    new, revised = sum(log.new for log in logs), sum(log.revised for log in logs)
    last = logs[-1] if logs else None
    if name == FEEDS:
        condition = SourceCondition.NOTHING_ANNOUNCED
    elif last is None:
        condition = SourceCondition.NOT_READ if was_tried else SourceCondition.NEVER_READ
    elif last.status is FetchStatus.FAILED:
        condition = SourceCondition.FAILED
    elif is_expected and is_overdue(name, last_news, until):
        condition = SourceCondition.LATE
    elif new or revised:
        condition = SourceCondition.READ
    else:
        condition = SourceCondition.NOTHING_ANNOUNCED
    return SourceCoverage(
        source=name,
        condition=condition,
        new=new,
        revised=revised,
        failed=_failed(logs),
        last_read=max(
            (log.started_at for log in logs if log.status is FetchStatus.OK), default=None
        ),
        error=None if name == FEEDS else _error(last, was_tried=was_tried),
    )


def _failed(logs: list[FetchLog]) -> int:
    """Entries that could not be parsed, once each: overlapping fetches meet the same ones.

    Only the first errors of a fetch are kept, so a fetch with more counts as it stands.
    """
    distinct = {
        (error["where"], error["what"]) for log in logs if log.failed for error in log.errors
    }
    return max(len(distinct), max((log.failed for log in logs), default=0))


def _error(log: FetchLog | None, *, was_tried: bool) -> str | None:
    if log is None:
        return "not read lately" if was_tried else "not read yet"
    if log.status is FetchStatus.OK:
        return None
    if not log.errors:
        return "the last fetch was interrupted"
    return f"{log.errors[-1]['where']}: {log.errors[-1]['what']}"


def read_on(session: Session, day: date) -> dict[str, int]:
    """What all runs and files of a UTC day gave, whichever sources are configured.

    Papers that two runs met count in both.
    """
    start = datetime.combine(day, time(), tzinfo=UTC)
    names = ("announced", "new", "revised", "known", "failed")
    sums = [func.coalesce(func.sum(getattr(FetchLog, name)), 0) for name in names]
    started = col(FetchLog.started_at)
    found = session.connection().execute(
        select(func.count(), *sums).where(started >= start, started < start + timedelta(days=1))
    )
    return dict(zip(("runs", *names), map(int, found.one()), strict=True))
