"""What the commands that send share: draining an edition or broadcast, and saying how it stands."""

import re
from dataclasses import dataclass, replace

import typer
from sqlalchemy import Engine

from newsletter.cli.console import err, out
from newsletter.cli.send_progress import Stop, drain
from newsletter.core.config import Settings
from newsletter.core.database import read_scope
from newsletter.core.errors import SettingsError, StoppedError
from newsletter.core.models import EditionStatus
from newsletter.editions import lifecycle
from newsletter.inbound import rejections
from newsletter.messages.envelope import Envelope
from newsletter.sending import ledger, metrics
from newsletter.sending.doctor.preflight import check_can_send
from newsletter.sending.ledger import OfBroadcast
from newsletter.sending.mailer import SendPlan, Tally
from newsletter.sending.transports.relay_pool import RelayPool
from newsletter.sending.transports.smtp import Relay

INTERRUPTED = 3
NO_RELAY = 4
# Links in a test copy name no subscriber, so its reader cannot change anyone's subscription.
NOBODY = "test-copy"
UNITS = {"s": 1, "m": 60, "h": 3600}


def parse_rate(value: str) -> float:
    """Messages a second, from ``10``, ``10/s``, ``600/m`` or ``3600/h``."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(?:/([smh]))?", value.strip())
    if not found or float(found[1]) == 0:
        raise typer.BadParameter(f"{value!r} is not a rate like 10/s, 600/m or 3600/h")
    return float(found[1]) / UNITS[found[2] or "s"]


@dataclass(frozen=True, slots=True)
class Sender:
    """Everything the ways of sending share: the plan without its edition, and how to run it."""

    engine: Engine
    plan: SendPlan
    workers: int
    stop: Stop

    def issue(self, of: int | OfBroadcast) -> int:
        """Send an edition or a broadcast as far as possible now; prints its state.

        Returns an exit code.
        """
        lifecycle.start_sending(self.engine, of)
        # People who have just asked for a confirmation or account link come first.
        tally = self.notes()
        if not tally.stopped and not self.stop.is_asked:
            tally = drain(self._plan_of(of), self.engine, self.workers, self.stop)
            self.write_metrics()
        why = rejections.apply(
            self.engine,
            self.plan.settings,
            of,
            kind=tally.refused_as,
            is_forced=not self.plan.checks_reputation,
        )
        reason = tally.stopped or why
        if not (tally.done or reason or self.stop.is_asked):
            self._tell_nothing_left(of)
        status = lifecycle.finish_if_done(self.engine, of, self.plan.resends)
        failed = print_summary(self.engine, of)
        if reason:
            err.print(f"stopped: {reason}", markup=False)
        if reason or self.stop.is_asked or status is EditionStatus.PAUSED:
            err.print("run the same command again to continue")
            return NO_RELAY if tally.relay_failed else INTERRUPTED
        return 1 if failed else 0

    def _tell_nothing_left(self, of: int | OfBroadcast) -> None:
        """Say that this run had nothing to do, since the counts are those of all runs."""
        with read_scope(self.engine) as session:
            counts = ledger.counts(session, of)
            waits = ledger.is_unfinished(session, of, self.plan.resends)
        if self.plan.only is not None:
            out.print("nothing was left to send to this address")
        elif waits:
            out.print("nothing can be sent at this moment; what waits is tried again later")
        elif any(counts.values()):
            out.print("nothing was left to send")

    def _plan_of(self, of: int | OfBroadcast) -> SendPlan:
        if isinstance(of, OfBroadcast):
            return replace(self.plan, broadcast_id=of.id)
        return replace(self.plan, edition_id=of)

    def notes(self) -> Tally:
        """Send the messages of no edition, and say how many there were."""
        tally = drain(
            replace(self.plan, edition_id=None, broadcast_id=None), self.engine, 1, self.stop
        )
        if tally.done:
            shown = ", ".join(
                f"{number} {status}" for status, number in tally.outcomes.items() if number
            )
            out.print(f"confirmations and account links: {shown}")
        self.write_metrics()
        return tally

    def write_metrics(self) -> None:
        """Keep the file for Prometheus' textfile collector, if one is set."""
        path = self.plan.settings.metrics_file
        if path is None:
            return
        try:
            metrics.write_file(self.engine, path)
        except StoppedError as error:
            err.print(str(error), markup=False)  # not a reason to stop mail


def check_ready(settings: Settings, relays: tuple[Relay, ...], *, force: bool) -> None:
    """Refuse a send that providers or the law would not accept; relays on loopback are exempt.

    Raises:
        SettingsError: the postal address is missing (bulk-mail rule 23); or without ``force``,
            the From domain cannot be signed or links are not HTTPS (bulk-mail rule 1 and 10).
    """
    if all(relay.is_loopback for relay in relays):
        return
    if not settings.postal_address:
        raise SettingsError(
            "missing setting: NEWSLETTER_POSTAL_ADDRESS (anti-spam laws require one in every mail)"
        )
    check_can_send(settings, force=force)


def print_summary(engine: Engine, of: int | OfBroadcast) -> bool:
    """Print the counts and how many got no message; returns whether there are any."""
    with read_scope(engine) as session:
        issue = ledger.issue(session, of)
        counts = ledger.counts(session, of)
        statuses = ledger.statuses(session, of)
    shown = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    if isinstance(of, OfBroadcast):
        name, option, nobody = f"broadcast {of.id}", f"--broadcast {of.id}", "no reader is left"
    else:
        name, option = f"edition {issue.issue_date}", f"--date {issue.issue_date}"
        nobody = "no subscriber was due"
    out.print(f"{name}: {issue.status}; {shown or nobody}")
    failed = sum(statuses[status] for status in ledger.MISSED)
    if failed:
        out.print(f"{failed} not delivered: `newsletter report {option}` says why")
    return bool(failed)


async def hand_over(relays: tuple[Relay, ...], envelope: Envelope) -> str:
    """Give one message to a relay; returns its answer.

    Raises:
        TransportError: no relay took it.
    """
    transport = RelayPool(relays).transport()
    try:
        return await transport.send(envelope)
    finally:
        await transport.close()
