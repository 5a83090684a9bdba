"""When to try again, when to give up, and when to leave a recipient domain alone."""

import random
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

# A recipient domain that defers this many in a row is overwhelmed, or does not know us yet.
DOMAIN_FAILURES = 5
DOMAIN_PAUSE = timedelta(minutes=1)
LONGEST_DOMAIN_PAUSE = timedelta(minutes=30)


def retry_at(attempts: int, created_at: datetime, now: datetime) -> datetime | None:
    """When to retry a deferred delivery; None if its digest would be stale by then."""
    pause = min(FIRST_RETRY * 2 ** min(attempts - 1, 10), LONGEST_RETRY)
    moment = now + pause * random.uniform(0.8, 1.2)  # noqa: S311  (spread, not a secret)
    return moment if moment < created_at + STALE_AFTER else None


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
