"""What a send run has in hand: deliveries begun and not yet recorded."""

from collections import deque
from dataclasses import dataclass, field

from newsletter.sending.ledger import Result
from newsletter.sending.mailer.begun import BegunDelivery


@dataclass(slots=True)
class Backlog:
    """Deliveries between the ledger that began them and the ledger that records their results."""

    waiting: deque[BegunDelivery] = field(default_factory=deque)
    # Pipelined, by delivery: announced to the relay behind another message.
    held: dict[int, BegunDelivery] = field(default_factory=dict)
    # By every relay, or not in time: to be put back.
    refused: list[BegunDelivery] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    in_flight: int = 0
    hungry: int = 0  # connections that wait for a delivery

    @property
    def first(self) -> BegunDelivery | None:
        """The delivery that waits longest for a connection."""
        return self.waiting[0] if self.waiting else None

    @property
    def is_empty(self) -> bool:
        """Whether every begun delivery is recorded or put back."""
        return not (self.in_flight or self.waiting or self.held or self.refused or self.results)
