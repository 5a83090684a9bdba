"""When many small failures mean that an address is dead: Mailman's score, which fades.

A day counts once, however many bounces it brought; a quiet week wipes the slate (Mailman 3,
"bounce processing": score threshold 5, stale after 7 days). Ours differs in three ways: a bounce
that is about the sender or the message counts nothing, a weekly digest gets a second week, since
its bounces are a week apart, and a day with mail that did not bounce takes a day off again.
"""

from collections.abc import Collection, Iterable
from datetime import date, timedelta

from newsletter.core.models import Permanence, Reason
from newsletter.inbound.bounces import NOT_THE_ADDRESS

SUPPRESS_AT = 5.0
STALE_AFTER = timedelta(days=7)
# Refused for good, though not for want of an address; five days in a row are enough.
PERMANENT_DAY = 1.0
# Full mailboxes and given-up retries often recover: ten days in a row.
TRANSIENT_DAY = 0.5
# A mailbox that takes mail is alive.
DELIVERED_DAY = 1.0


def weight(permanence: str, reason: str) -> float:
    """The weight of a bounce for its day."""
    if reason in NOT_THE_ADDRESS:
        return 0.0
    if permanence == Permanence.PERMANENT and reason == Reason.UNDEFINED:
        return 0.0  # nobody knows whose fault it was
    is_permanent = permanence == Permanence.PERMANENT and reason != Reason.MAILBOX_FULL
    return PERMANENT_DAY if is_permanent else TRANSIENT_DAY


def score(
    bounces: Iterable[tuple[date, float]],
    today: date,
    *,
    delivered: Collection[date] = (),
    is_weekly: bool = False,
) -> float:
    """The score on ``today`` of ``bounces``: pairs of day and weight, in any order.

    A day on which mail was ``delivered`` and nothing bounced takes a day off.
    """
    stale_after = STALE_AFTER * (2 if is_weekly else 1)
    days: dict[date, float] = {}
    for day, counts in bounces:
        days[day] = max(counts, days.get(day, 0.0))
    days = {day: counts for day, counts in days.items() if counts}
    total, last = 0.0, None
    for day in sorted({*days, *delivered}):
        if day not in days:
            total = max(0.0, total - DELIVERED_DAY)
            continue
        if last is not None and day - last > stale_after:
            total = 0.0
        total, last = total + days[day], day
    return total if last is not None and today - last <= stale_after else 0.0
