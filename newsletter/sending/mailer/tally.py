"""What a send run has done so far."""

from collections import Counter
from dataclasses import dataclass, field

from newsletter.core.models import DeliveryStatus


@dataclass(slots=True)
class Tally:
    """Outcomes of a run so far, of ``total`` deliveries that waited at its start.

    ``stopped`` says why it ended before the end; "" if it did not.
    """

    total: int
    outcomes: Counter[DeliveryStatus] = field(default_factory=Counter)
    stopped: str = ""
    # Whether it ended because no relay could be reached, or logged in to.
    relay_failed: bool = False
    # What kind of refusal made the run stop (`core.refusals.kind_of`); "" if none did.
    refused_as: str = ""

    @property
    def done(self) -> int:
        """How many deliveries this run has dealt with."""
        return self.outcomes.total()
