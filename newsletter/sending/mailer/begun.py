"""What a turn of the ledger gives a run: deliveries that are begun, with what to render.

A content that cannot be read is the text that says why.
"""

from dataclasses import dataclass, field
from datetime import datetime

from newsletter.core.language import SOURCE
from newsletter.core.models import DeliveryKind
from newsletter.messages.broadcast import BroadcastMessage
from newsletter.messages.digest import Digest


@dataclass(frozen=True, slots=True)
class TransactionalMessage:
    """A message of no edition: a confirmation, or a link to one's account."""

    delivery_id: int
    kind: DeliveryKind
    to_address: str
    message_id: str
    created_at: datetime
    public_id: str
    link_generation: int
    remark: str  # on what came with a sign-up
    language: str = SOURCE


Content = Digest | TransactionalMessage | BroadcastMessage


@dataclass(frozen=True, slots=True)
class BegunDelivery:
    """A begun delivery: what to render, and which attempt it is, from 1 on.

    ``begun_at`` is of the process's clock (`time.monotonic`), and never too late.
    """

    delivery_id: int
    attempts: int
    content: Content | str  # a text says why it cannot be read
    go_at: datetime | None  # not to be handed over earlier, for a rate's sake
    begun_at: float

    @property
    def domain(self) -> str:
        """The recipient's, by which limits go; "" where nothing can be read."""
        return "" if isinstance(self.content, str) else domain_of(self.content.to_address)


@dataclass(slots=True)
class Begun:
    """The result of a turn. ``halted`` says why nothing more may begin; "" otherwise."""

    jobs: list[BegunDelivery] = field(default_factory=list)
    suppressed: int = 0
    halted: str = ""
    is_empty: bool = False  # nothing could be claimed


def domain_of(address: str) -> str:
    """The recipient's domain, by which limits go."""
    return address.rpartition("@")[2].lower()
