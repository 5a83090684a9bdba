"""When to try again, when to give up, and when so much is refused that the run must stop."""

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from newsletter.core.models import DeliveryStatus
from newsletter.sending.ledger import Result

# First retry after five minutes, then doubling (RFC 5321 §4.5.4.1 asks for 30 minutes
# on average), each shifted by up to a fifth so that retries do not all come at once.
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=3)
# After this the next edition has replaced a daily digest (bulk-mail rule 24).
STALE_AFTER = timedelta(hours=20)

# Policy refusals (x.7.x: bad signature, bad reputation, too much mail) hit everybody alike, so
# going on only makes the reputation worse. Single ones are normal: some mailboxes refuse all.
STORM_WINDOW = 20
STORM = 10

# A recipient domain that defers this many in a row is overwhelmed, or does not know us yet.
DOMAIN_FAILURES = 5
DOMAIN_PAUSE = timedelta(minutes=1)
LONGEST_DOMAIN_PAUSE = timedelta(minutes=30)


def retry_at(attempts: int, created_at: datetime, now: datetime) -> datetime | None:
    """When to retry a deferred delivery; None if its digest would be stale by then."""
    pause = min(FIRST_RETRY * 2 ** min(attempts - 1, 10), LONGEST_RETRY)
    moment = now + pause * random.uniform(0.8, 1.2)  # noqa: S311  (spread, not a secret)
    return moment if moment < created_at + STALE_AFTER else None


def is_policy(result: Result) -> bool:
    """Whether a relay refused for policy: an enhanced status code of 4.7.x or 5.7.x (RFC 3463)."""
    return result.code >= 400 and result.response[:4] in {"4.7.", "5.7."}


@dataclass(slots=True)
class StormWatch:
    """Counts policy refusals among the last results; ``reason`` says so once it is a storm."""

    reason: str = ""
    _last: deque[Result] = field(default_factory=lambda: deque(maxlen=STORM_WINDOW))

    def note(self, result: Result) -> bool:
        """Count one result; returns whether the run should pause."""
        if result.code:
            self._last.append(result)
        refused = [result for result in self._last if is_policy(result)]
        if len(refused) >= STORM and not self.reason:
            self.reason = (
                f"{len(refused)} of the last {len(self._last)} messages were refused by policy; "
                f"the last: {refused[-1].code} {refused[-1].response}"
            )
        return bool(self.reason)


@dataclass(slots=True)
class DomainWatch:
    """Leaves a recipient domain alone for growing pauses while it defers everything."""

    _failures: dict[str, int] = field(default_factory=dict)
    _closed_until: dict[str, datetime] = field(default_factory=dict)

    def note(self, domain: str, result: Result) -> None:
        """Count one result."""
        if result.status is not DeliveryStatus.DEFERRED or not result.code:
            self._failures.pop(domain, None)
            return
        failures = self._failures.get(domain, 0) + 1
        self._failures[domain] = failures
        if failures % DOMAIN_FAILURES == 0:
            pause = DOMAIN_PAUSE * 2 ** min(failures // DOMAIN_FAILURES - 1, 10)
            self._closed_until[domain] = result.at + min(pause, LONGEST_DOMAIN_PAUSE)

    @property
    def is_quiet(self) -> bool:
        """Whether no domain was ever left alone."""
        return not self._closed_until

    def closed_until(self, domain: str, now: datetime) -> datetime | None:
        """When the domain may be tried again; None if now."""
        until = self._closed_until.get(domain)
        return until if until is not None and until > now else None
