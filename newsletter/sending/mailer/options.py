"""What one send run takes, and within which limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from newsletter.sending.ledger import RESENDS, Of
from newsletter.sending.mailer.rate_limit import Limits
from newsletter.sending.mailer.reputation import Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """An edition or a broadcast, or with None the messages of neither, and how to send them."""

    of: Of
    # One subscriber's only, and at most so many deliveries.
    only: int | None = None
    limit: int | None = None
    connections: int = 4
    limits: Limits = field(default_factory=Limits)
    # The relays by name, with the messages a second that the setting of each allows.
    relays: Mapping[str, float | None] = field(default_factory=dict)
    # What other senders were told of recipient domains counts from this moment of this machine's
    # clock on; None is when the run opens, so that who runs it again by hand tries everything.
    listens_since: datetime | None = None
    # How many times an uncertain delivery is sent again; 0 holds it.
    resends: int = RESENDS
    # The bounces and complaints at which the run pauses itself, if any do that.
    threshold: Threshold | None = None
    # Whether a relay that refuses nearly everything alike pauses the run.
    checks_refusals: bool = True

    @property
    def is_partial(self) -> bool:
        """Whether what is left when the run ends may be meant for another run."""
        return self.limit is not None or self.only is not None
