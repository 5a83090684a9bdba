"""Recipient domains that defer everything: all senders leave them alone for growing pauses.

Each run counts what it hears itself. The pause is a row of ``pace``, so that of sixteen senders
one is told and all know. Pauses of runs before it do not bind a run: a relay that greylists defers
everything once, and who runs the command again wants to see whether it still does.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from newsletter.core.models import DeliveryStatus, Pace
from newsletter.sending.ledger import Result
from newsletter.sending.mailer import rate_limit

# A recipient domain that defers this many in a row is overwhelmed, or does not know us yet.
DEFERRED_IN_A_ROW = 5
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=30)
# Nobody has complained of it for so long: the next pause is a first one again.
FORGOTTEN_AFTER = timedelta(hours=1)
# Two senders compare their clocks with the database's through a busy machine.
CLOCKS_APART = timedelta(minutes=1)
_PREFIX = "pause:"


@dataclass(frozen=True, slots=True)
class DomainNews:
    """What one run has learnt since it last said so."""

    overwhelmed: Collection[str] = ()
    open: Collection[str] = ()


@dataclass(slots=True)
class DomainWatch:
    """What one run hears of recipient domains, and what all of them have said in the database.

    Moments are those of rows: the database's clock.
    """

    _in_a_row: Counter[str] = field(default_factory=Counter)
    _overwhelmed: set[str] = field(default_factory=set)
    _open: set[str] = field(default_factory=set)
    _paused: Mapping[str, datetime] = field(default_factory=dict)

    def note(self, domain: str, result: Result) -> None:
        """Count one result."""
        if result.status is DeliveryStatus.DEFERRED and result.code:
            self._in_a_row[domain] += 1
            if self._in_a_row[domain] % DEFERRED_IN_A_ROW == 0:
                self._overwhelmed.add(domain)
                self._open.discard(domain)
            return
        self._in_a_row.pop(domain, None)
        self._overwhelmed.discard(domain)
        if domain in self._paused:
            self._open.add(domain)

    def news(self) -> DomainNews:
        """What the others must hear of; told once."""
        found = DomainNews(self._overwhelmed, self._open)
        self._overwhelmed, self._open = set(), set()
        return found

    def hear(self, paused: Mapping[str, datetime]) -> None:
        """Take in the pauses of all senders (`paused`)."""
        self._paused = paused

    @property
    def is_quiet(self) -> bool:
        """Whether no domain is known to have been left alone lately."""
        return not self._paused

    def paused_until(self, domain: str, now: datetime) -> datetime | None:
        """When the domain may be tried again; None if now."""
        until = self._paused.get(domain)
        return until if until is not None and now < until else None


def tell(session: Session, news: DomainNews, now: datetime, since: datetime) -> None:
    """Write down for all senders whom to leave alone, and whom no longer.

    ``since`` is the moment from which on this run hears of the others.
    """
    # In one order, since two senders that lock two rows in two orders wait for each other.
    for domain in sorted({*news.overwhelmed, *news.open}):
        row = rate_limit.locked(session, _PREFIX + domain)
        if domain in news.open:
            row.used, row.next_at = 0, None
            continue
        until = _heard(row, since, now)
        if until is not None and now < until:
            continue  # mail that was under way when another sender was told
        lately = until is not None and now - until < FORGOTTEN_AFTER
        row.used, row.slowed_at = row.used + 1 if lately else 1, now
        row.next_at = now + min(FIRST_PAUSE * 2 ** min(row.used - 1, 10), LONGEST_PAUSE)


def paused(session: Session, since: datetime, now: datetime) -> dict[str, datetime]:
    """Domains that senders were told of since then, and when each may be tried again."""
    rows = session.exec(
        select(Pace).where(col(Pace.name).like(f"{_PREFIX}%"), col(Pace.slowed_at) >= since)
    )
    found = {row.name.removeprefix(_PREFIX): _heard(row, since, now) for row in rows}
    return {domain: until for domain, until in found.items() if until is not None}


def _heard(row: Pace, since: datetime, now: datetime) -> datetime | None:
    """The end of the row's last pause, if that began in time for this run to hear of it."""
    # What began long after now was written before a clock was set back.
    if row.slowed_at is None or not since <= row.slowed_at <= now + CLOCKS_APART:
        return None
    return row.next_at
