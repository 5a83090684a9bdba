"""What a send run is to do, as a value that another process can receive."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from newsletter.core.config import Settings
from newsletter.core.tokens import Signer
from newsletter.messages.renderer import Renderer
from newsletter.sending import ledger
from newsletter.sending.mailer.options import RunOptions
from newsletter.sending.mailer.rate_limit import Limits
from newsletter.sending.mailer.reputation import Threshold
from newsletter.sending.mailer.run import SendRun
from newsletter.sending.transports import Transport
from newsletter.sending.transports.relay_pool import RelayPool
from newsletter.sending.transports.smtp import parse_relays

# New objects between two looks for garbage; 700 is the interpreter's own number.
COLLECT_AFTER = 20_000


def spare_the_collector() -> None:
    """Collect garbage cycles less often, and skip everything loaded so far.

    A digest is some hundred tuples without any cycle. At the interpreter's own pace looking for
    cycles in them takes as long as reading their rows.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPlan:
    """One edition's run, or one broadcast's; with neither, of the messages of none."""

    settings: Settings
    edition_id: int | None = None
    broadcast_id: int | None = None
    connections: int
    rate: float | None = None
    limit: int | None = None
    only: int | None = None
    listens_since: datetime | None = None  # see `RunOptions`
    # With False, bounces and complaints do not stop a run.
    checks_reputation: bool = True

    @property
    def of(self) -> ledger.Of:
        """Whose deliveries the run sends."""
        if self.broadcast_id is not None:
            return ledger.OfBroadcast(self.broadcast_id)
        return self.edition_id

    @property
    def threshold(self) -> Threshold | None:
        """The rates at which the run pauses itself, if any."""
        if not self.checks_reputation:
            return None
        settings = self.settings
        return Threshold(settings.pause_above_bounces, settings.pause_above_complaints)

    @property
    def resends(self) -> int:
        """How many times an uncertain delivery is resent."""
        return ledger.RESENDS if self.settings.uncertain == "resend" else 0

    def run(self, engine: Engine) -> SendRun:
        """The run, ready to go.

        Raises:
            SettingsError: a setting that sending needs is missing or bad.
        """
        settings = self.settings
        relays = parse_relays(settings.relay_url, settings.ehlo_name)
        transport: Callable[[], Transport] = RelayPool(relays).transport
        options = RunOptions(
            of=self.of,
            only=self.only,
            limit=self.limit,
            connections=self.connections,
            limits=Limits(self.rate or settings.rate, settings.domain_rates, settings.warm_up),
            relays={str(relay): relay.rate for relay in relays},
            listens_since=self.listens_since,
            resends=self.resends,
            threshold=self.threshold,
            checks_refusals=self.checks_reputation,
        )
        return SendRun(engine, Renderer(settings, Signer(settings.keys)), transport, options)
