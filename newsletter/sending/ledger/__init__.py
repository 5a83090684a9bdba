"""The ledger of deliveries: claim, begin, record, and the counts that must add up.

The row exists before the irreversible act. `begin` is committed before a relay hears of a
message; whatever is still ``sending`` when its process is gone is ``uncertain``, because nobody
can know whether the relay took it. Every change of status is a compare-and-set: losing a race
changes nothing.
"""

from newsletter.sending.ledger.attempts import Result, begin, put_back, record, settle_arrived
from newsletter.sending.ledger.counts import (
    Outlook,
    cancel,
    counts,
    is_unfinished,
    outlook,
    requeue,
    statuses,
)
from newsletter.sending.ledger.leases import (
    claim,
    owners,
    postpone,
    recover,
    release,
    renew,
    sending,
)
from newsletter.sending.ledger.refused import FEWEST_REFUSED, PERMANENT, by_kind, take_back, tried
from newsletter.sending.ledger.states import (
    COUNTED,
    COUNTED_AS,
    LEASE,
    MISSED,
    RESENDS,
    UNFINISHED,
    Of,
    OfBroadcast,
    belongs,
    issue,
)

__all__ = [
    "COUNTED",
    "COUNTED_AS",
    "FEWEST_REFUSED",
    "LEASE",
    "MISSED",
    "PERMANENT",
    "RESENDS",
    "UNFINISHED",
    "Of",
    "OfBroadcast",
    "Outlook",
    "Result",
    "begin",
    "belongs",
    "by_kind",
    "cancel",
    "claim",
    "counts",
    "is_unfinished",
    "issue",
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
    "settle_arrived",
    "statuses",
    "take_back",
    "tried",
]
