"""The ledger of deliveries: claim, begin, record, and the counts that must add up.

The row exists before the irreversible act. `begin` is committed before a relay hears of a
message; whatever is still ``sending`` when its process is gone is ``uncertain``, because nobody
can know whether the relay took it. Every change of status is a compare-and-set: losing a race
changes nothing.
"""

from newsletter.deliveries.attempts import Result, begin, put_back, record
from newsletter.deliveries.leases import claim, owners, postpone, recover, release, renew, sending
from newsletter.deliveries.states import COUNTED, COUNTED_AS, LEASE, RESENDS, UNFINISHED
from newsletter.deliveries.totals import (
    Outlook,
    cancel,
    counts,
    is_unfinished,
    outlook,
    requeue,
    statuses,
)

__all__ = [
    "COUNTED",
    "COUNTED_AS",
    "LEASE",
    "RESENDS",
    "UNFINISHED",
    "Outlook",
    "Result",
    "begin",
    "cancel",
    "claim",
    "counts",
    "is_unfinished",
    "outlook",
    "owners",
    "postpone",
    "put_back",
    "record",
    "recover",
    "release",
    "renew",
    "requeue",
    "sending",
    "statuses",
]
