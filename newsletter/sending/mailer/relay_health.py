"""How the relay takes what a send run hands over."""

from dataclasses import dataclass, field

from newsletter.sending.mailer.brake import Brake
from newsletter.sending.mailer.throttle import Throttle

# A relay that restarts is back in less; waiting longer is for a later run, or `--watch`.
PATIENCE = 8.0


@dataclass(slots=True)
class RelayHealth:
    """What the relay refuses, how fast it may be asked, and since when it is out of reach.

    Times are those of `time.monotonic`, in seconds.
    """

    throttle: Throttle
    brake: Brake = field(default_factory=Brake)
    answered_at: float = 0.0
    failed_at: float | None = None

    def answered(self, now: float) -> None:
        """Note that it took or refused a message."""
        self.answered_at = now
        self.failed_at = None

    def is_lost(self, now: float) -> bool:
        """Note that it could not be used; whether that has lasted too long."""
        self.failed_at = self.failed_at or now
        return now - self.failed_at > PATIENCE
