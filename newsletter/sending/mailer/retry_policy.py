"""When to try again, and when to give up."""

import random
from datetime import datetime, timedelta

# First retry after five minutes, then doubling (RFC 5321 §4.5.4.1 asks for 30 minutes
# on average), each shifted by up to a fifth so that retries do not all come at once.
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=3)
# After this the next edition has replaced a daily digest (bulk-mail rule 24).
STALE_AFTER = timedelta(hours=20)


def retry_at(attempts: int, created_at: datetime, now: datetime) -> datetime | None:
    """When to retry a deferred delivery; None if its digest would be stale by then."""
    pause = min(FIRST_RETRY * 2 ** min(attempts - 1, 10), LONGEST_RETRY)
    moment = now + pause * random.uniform(0.8, 1.2)  # noqa: S311  (spread, not a secret)
    return moment if moment < created_at + STALE_AFTER else None
