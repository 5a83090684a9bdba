"""`newsletter send`: prepare what is not prepared, drain, report. Run it again to resume."""

import re
from dataclasses import dataclass, replace
from datetime import date as Date  # noqa: N812  (`date` is the option's name here)
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.cli.common import err, open_database, out, progress_bar
from newsletter.cli.dry_run import dry_run as dry_run_of
from newsletter.cli.editions import DateOption, make_renderer, today
from newsletter.cli.send_progress import Stop, drain
from newsletter.core.config import Settings
from newsletter.core.database import read_scope, utc_now
from newsletter.core.errors import SettingsError, StoppedError, UsageError
from newsletter.core.models import DeliveryStatus, Edition, EditionStatus, Subscriber
from newsletter.editions import lifecycle, schedule
from newsletter.inbound import rejections
from newsletter.sending import doctor, ledger, metrics
from newsletter.sending.mailer import SendPlan
from newsletter.sending.transports.smtp import Relay, parse_relays

INTERRUPTED = 3
# What is left unsent in one of these makes the exit code 1.
NOT_SENT = (
    DeliveryStatus.FAILED,
    DeliveryStatus.DEFERRED,
    DeliveryStatus.UNCERTAIN,
    DeliveryStatus.EXPIRED,
)
# How often `--watch` looks for retries, or for who is due.
WATCH_SECONDS = 30.0
# Retries of older editions are over (see `mailer.retries.STALE_AFTER`), whatever is left.
WATCHED = timedelta(days=2)
UNITS = {"s": 1, "m": 60, "h": 3600}


def parse_rate(value: str) -> float:
    """Messages a second, from ``10``, ``10/s``, ``600/m`` or ``3600/h``."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(?:/([smh]))?", value.strip())
    if not found or float(found[1]) == 0:
        raise typer.BadParameter(f"{value!r} is not a rate like 10/s, 600/m or 3600/h")
    return float(found[1]) / UNITS[found[2] or "s"]


@dataclass(frozen=True, slots=True)
class _Sender:
    """What all ways of sending share: the plan without its edition, and how to run it."""

    engine: Engine
    plan: SendPlan
    workers: int
    stop: Stop

    def edition(self, edition_id: int) -> int:
        """Send one edition as far as it goes now; prints how it stands; returns an exit code."""
        lifecycle.start_sending(self.engine, edition_id)
        # First who asked for something just now: a confirmation, a link to an account.
        reason = self.notes()
        if not reason and not self.stop.is_asked:
            plan = replace(self.plan, edition_id=edition_id)
            reason = drain(plan, self.engine, self.workers, self.stop).stopped
            self.write_metrics()
        rejections.heed(self.engine, self.plan.settings, edition_id)
        status = lifecycle.finish_if_done(self.engine, edition_id, self.plan.resends)
        failed = _print_summary(self.engine, edition_id)
        if reason:
            err.print(f"stopped: {reason}", markup=False)
        if reason or self.stop.is_asked or status is EditionStatus.PAUSED:
            err.print("run the same command again to carry on")
            return INTERRUPTED
        return 1 if failed else 0

    def notes(self) -> str:
        """Send the messages of no edition; returns why that ended early, or ""."""
        tally = drain(replace(self.plan, edition_id=None), self.engine, 1, self.stop)
        self.write_metrics()
        return tally.stopped

    def write_metrics(self) -> None:
        """Keep the file for Prometheus' textfile collector, if one is set."""
        path = self.plan.settings.metrics_file
        if path is None:
            return
        try:
            metrics.write_file(self.engine, path)
        except StoppedError as error:
            err.print(str(error), markup=False)  # no reason to keep mail from going out


def send(
    date: DateOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the messages to files; nothing is sent.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", help="Folder of a dry run's .eml files.")
    ] = Path("dry-run"),
    only: Annotated[str | None, typer.Option("--only", help="Only this subscriber.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    connections: Annotated[
        int, typer.Option("--connections", min=1, max=100, help="Connections to the relays.")
    ] = 4,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Processes that share the work.")
    ] = 1,
    rate: Annotated[
        float | None,
        typer.Option("--rate", parser=parse_rate, metavar="N/s", help="Messages a second in all."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay until the last retry is through.")
    ] = False,
    due: Annotated[
        bool,
        typer.Option("--due", help="Only who is due now by their hour and zone; with --watch on."),
    ] = False,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway", help="Send though mails are not signed, links not HTTPS, or many bounce."
        ),
    ] = False,
) -> None:
    """Send an edition; run it again to resume. Nobody gets it twice."""
    settings, engine = open_database("from_address", "secret_keys", "smtp_url")
    relays = parse_relays(settings.relay_url)
    if not dry_run:
        check_ready(settings, relays, anyway=anyway)
    if due and (date or only or limit or dry_run):
        raise UsageError("--due goes with --watch only: it takes everyone whose hour has come")
    renderer = make_renderer(settings)
    plan = SendPlan(
        settings=settings,
        edition_id=None,
        connections=connections,
        rate=rate,
        limit=limit,
        only=_subscriber(engine, only) if only else None,
        heeds_reputation=not anyway,
    )
    stop = Stop()
    stop.listen()
    sender = _Sender(engine, plan, workers, stop)
    if due:
        raise typer.Exit(_send_due(sender, watch=watch))
    issue_date = date or today()
    with progress_bar("preparing digests") as progress:
        prepared = lifecycle.prepare(
            engine,
            issue_date,
            message_domain=settings.from_domain,
            sources=settings.sources,
            model=settings.feature_model,
            progress=progress,
        )
    if dry_run:
        raise typer.Exit(dry_run_of(engine, renderer, prepared.edition_id, output))
    code = sender.edition(prepared.edition_id)
    while watch and _is_waiting(sender, prepared.edition_id):
        stop.sleep(WATCH_SECONDS)
        if not stop.is_asked:
            code = sender.edition(prepared.edition_id)
    raise typer.Exit(code)


def _is_waiting(sender: _Sender, edition_id: int) -> bool:
    """Whether the edition still goes out and has retries, or a relay, to wait for."""
    with read_scope(sender.engine) as session:
        edition = session.get_one(Edition, edition_id)
        return edition.status is EditionStatus.SENDING and not sender.stop.is_asked


def _send_due(sender: _Sender, *, watch: bool) -> int:
    """Send to whoever is due now; safe to call every few minutes. Returns an exit code."""
    while True:
        code = _send_due_once(sender, utc_now())
        if not watch or sender.stop.is_asked:
            return code
        sender.stop.sleep(WATCH_SECONDS)
        if sender.stop.is_asked:
            return 0  # nothing was in flight


def _send_due_once(sender: _Sender, now: datetime) -> int:
    with read_scope(sender.engine) as session:
        due = schedule.due(session, now)
    for issue_date, ids in due.items():
        try:
            lifecycle.prepare(
                sender.engine,
                issue_date,
                message_domain=sender.plan.settings.from_domain,
                sources=sender.plan.settings.sources,
                subscriber_ids=ids,
                model=sender.plan.settings.feature_model,
            )
        except UsageError:
            continue  # that edition was cancelled
    _tell_paused(sender.engine, now - WATCHED)
    wanted = lifecycle.unfinished(sender.engine, now - WATCHED, sender.plan.resends)
    codes = [0]
    for edition_id in wanted:
        try:
            codes.append(sender.edition(edition_id))
        except UsageError:
            continue  # cancelled just now
        except StoppedError as error:
            err.print(f"stopped: {error}", markup=False)
            codes.append(INTERRUPTED)
        if sender.stop.is_asked:
            break
    if not wanted:
        reason = sender.notes()
        if reason:
            err.print(f"stopped: {reason}", markup=False)
            return INTERRUPTED
        out.print("nobody is due")
    return max(codes)


def _tell_paused(engine: Engine, since: datetime) -> None:
    """Say which editions opened ``since`` then are paused, for they stay so."""
    with read_scope(engine) as session:
        paused = session.exec(
            select(Edition)
            .where(Edition.status == EditionStatus.PAUSED, Edition.opened_at > since)
            .order_by(col(Edition.issue_date))
        ).all()
    for edition in paused:
        reason = edition.note or "by hand"
        err.print(f"the edition of {edition.issue_date} is paused: {reason}", markup=False)


def check_ready(settings: Settings, relays: tuple[Relay, ...], *, anyway: bool) -> None:
    """Refuse to mail people what their mailboxes or the law would not take; loopback is exempt.

    Raises:
        SettingsError: the postal address is missing (bulk-mail law 23); or without ``anyway``,
            the From domain cannot be signed or links are not HTTPS (laws 1 and 10).
    """
    if all(relay.is_loopback for relay in relays):
        return
    if not settings.postal_address:
        raise SettingsError(
            "missing setting: NEWSLETTER_POSTAL_ADDRESS (the law asks for one in every mail)"
        )
    doctor.check_can_send(settings, anyway=anyway)


def _subscriber(engine: Engine, email: str) -> int:
    with read_scope(engine) as session:
        found = session.exec(
            select(Subscriber.id).where(Subscriber.email == email.strip().lower())
        ).first()
    if found is None:
        raise UsageError(f"--only {email}: no subscriber has this address")
    return found


def _print_summary(engine: Engine, edition_id: int) -> bool:
    """One line of counts, a line on who did not get it; True if there is anybody."""
    with read_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        issue_date: Date = edition.issue_date
        counts = ledger.counts(session, edition_id)
    shown = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    out.print(f"edition {issue_date}: {edition.status}; {shown or 'nobody was due'}")
    failed = sum(counts[status] for status in NOT_SENT)
    if failed:
        out.print(f"{failed} did not get it: `newsletter report --date {issue_date}` says why")
    return bool(failed)
