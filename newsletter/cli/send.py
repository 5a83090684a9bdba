"""`newsletter send`: prepare, send, report. Run it again to resume."""

import re
from dataclasses import dataclass, replace
from datetime import date as Date  # noqa: N812  (`date` is the option's name here)
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.cli.common import DateOption, open_database, today
from newsletter.cli.console import err, out
from newsletter.cli.dry_run import dry_run as dry_run_of
from newsletter.cli.prepare import require_not_early
from newsletter.cli.preview import make_renderer
from newsletter.cli.progress import progress_bar
from newsletter.cli.send_progress import Stop, drain
from newsletter.core.config import Settings
from newsletter.core.database import read_scope, utc_now
from newsletter.core.errors import SettingsError, StoppedError, UsageError
from newsletter.core.models import Edition, EditionStatus, Subscriber
from newsletter.editions import lifecycle, overlooked, preparation, schedule
from newsletter.editions.rehearsal import rehearse
from newsletter.inbound import rejections
from newsletter.sending import ledger, metrics
from newsletter.sending.doctor.preflight import check_can_send
from newsletter.sending.mailer import SendPlan, Tally
from newsletter.sending.transports.smtp import Relay, parse_relays

INTERRUPTED = 3
NO_RELAY = 4
# How often `--watch` looks for retries, or for who is due.
WATCH_SECONDS = 30.0
# Retries of older editions are over (see `retry_policy.STALE_AFTER`).
WATCHED = timedelta(days=4)
UNITS = {"s": 1, "m": 60, "h": 3600}


def parse_rate(value: str) -> float:
    """Messages a second, from ``10``, ``10/s``, ``600/m`` or ``3600/h``."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(?:/([smh]))?", value.strip())
    if not found or float(found[1]) == 0:
        raise typer.BadParameter(f"{value!r} is not a rate like 10/s, 600/m or 3600/h")
    return float(found[1]) / UNITS[found[2] or "s"]


@dataclass(frozen=True, slots=True)
class _Sender:
    """Everything the ways of sending share: the plan without its edition, and how to run it."""

    engine: Engine
    plan: SendPlan
    workers: int
    stop: Stop

    def edition(self, edition_id: int) -> int:
        """Send one edition as far as possible now; prints its state; returns an exit code."""
        lifecycle.start_sending(self.engine, edition_id)
        # People who have just asked for a confirmation or account link come first.
        tally = self.notes()
        if not tally.stopped and not self.stop.is_asked:
            plan = replace(self.plan, edition_id=edition_id)
            tally = drain(plan, self.engine, self.workers, self.stop)
            self.write_metrics()
        why = rejections.apply(
            self.engine,
            self.plan.settings,
            edition_id,
            kind=tally.refused_as,
            is_forced=not self.plan.checks_reputation,
        )
        reason = tally.stopped or why
        status = lifecycle.finish_if_done(self.engine, edition_id, self.plan.resends)
        failed = print_summary(self.engine, edition_id)
        if reason:
            err.print(f"stopped: {reason}", markup=False)
        if reason or self.stop.is_asked or status is EditionStatus.PAUSED:
            err.print("run the same command again to continue")
            return NO_RELAY if tally.relay_failed else INTERRUPTED
        return 1 if failed else 0

    def notes(self) -> Tally:
        """Send the messages of no edition."""
        tally = drain(replace(self.plan, edition_id=None), self.engine, 1, self.stop)
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


def send(
    date: DateOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the messages to files instead of sending.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", help="Folder for the .eml files of a dry run.")
    ] = Path("dry-run"),
    only: Annotated[
        str | None, typer.Option("--only", help="Send to this subscriber only.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Maximum number of messages.")
    ] = None,
    connections: Annotated[
        int,
        typer.Option("--connections", min=1, max=100, help="Number of connections to the relays."),
    ] = 4,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Number of worker processes.")
    ] = 1,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", parser=parse_rate, metavar="N/s", help="Maximum messages per second."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running until the last retry is done.")
    ] = False,
    due: Annotated[
        bool,
        typer.Option(
            "--due", help="Send to subscribers whose hour has come; with --watch, keep doing so."
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            "--anyway",  # the old spelling
            help="Send even if mails are unsigned, links not HTTPS, many bounce, or it is early.",
        ),
    ] = False,
) -> None:
    """Send an edition; run it again to resume. Nobody gets it twice."""
    settings, engine = open_database("from_address", "secret_keys", "smtp_url")
    relays = parse_relays(settings.relay_url)
    if not dry_run:
        check_ready(settings, relays, force=force)
    if due and (date or only or limit or dry_run):
        raise UsageError(
            "--due can only be combined with --watch: it sends to everyone whose hour has come"
        )
    renderer = make_renderer(settings)
    issue_date = date or today()
    only_id = _subscriber(engine, only) if only else None
    if dry_run:
        digests = rehearse(
            engine,
            issue_date,
            message_domain=settings.from_domain,
            sources=settings.sources,
            subscriber_id=only_id,
            model=settings.feature_model,
        )
        raise typer.Exit(dry_run_of(digests, renderer, output, limit))
    plan = SendPlan(
        settings=settings,
        edition_id=None,
        connections=connections,
        rate=rate,
        limit=limit,
        only=only_id,
        checks_reputation=not force,
    )
    stop = Stop()
    stop.listen()
    sender = _Sender(engine, plan, workers, stop)
    if due:
        raise typer.Exit(_send_due(sender, watch=watch))
    require_not_early(engine, issue_date, force=force)
    with progress_bar("preparing digests") as progress:
        prepared = preparation.prepare(
            engine,
            issue_date,
            message_domain=settings.from_domain,
            sources=settings.sources,
            model=settings.feature_model,
            progress=progress,
        )
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
    """Send to subscribers who are due now; safe to call often. Returns an exit code."""
    while True:
        code = _send_due_once(sender, utc_now())
        if not watch or sender.stop.is_asked:
            return code
        sender.stop.sleep(WATCH_SECONDS)
        if sender.stop.is_asked:
            return 0  # nothing was in flight


def _send_due_once(sender: _Sender, now: datetime) -> int:
    with read_scope(sender.engine) as session:
        waiting = schedule.waiting(session, now)
    overlooked.record(sender.engine, waiting.overlooked, now)
    for issue_date, ids in waiting.due.items():
        try:
            preparation.prepare(
                sender.engine,
                issue_date,
                message_domain=sender.plan.settings.from_domain,
                sources=sender.plan.settings.sources,
                subscriber_ids=ids,
                model=sender.plan.settings.feature_model,
            )
        except UsageError:
            continue  # that edition was cancelled
    codes = [INTERRUPTED if _tell_paused(sender.engine, now - WATCHED) else 0]
    wanted = lifecycle.unfinished(sender.engine, now - WATCHED, sender.plan.resends)
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
        tally = sender.notes()
        if tally.stopped:
            err.print(f"stopped: {tally.stopped}", markup=False)
            return NO_RELAY if tally.relay_failed else INTERRUPTED
        out.print("no subscriber is due")
    return max(codes)


def _tell_paused(engine: Engine, since: datetime) -> bool:
    """Name the paused editions opened after ``since``; they stay paused.

    Returns whether a run paused one of them: somebody must look into that.
    """
    with read_scope(engine) as session:
        paused = session.exec(
            select(Edition)
            .where(Edition.status == EditionStatus.PAUSED, Edition.opened_at > since)
            .order_by(col(Edition.issue_date))
        ).all()
    for edition in paused:
        reason = edition.note or "by hand"
        err.print(f"the edition of {edition.issue_date} is paused: {reason}", markup=False)
    return any(edition.note for edition in paused)


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


def _subscriber(engine: Engine, email: str) -> int:
    with read_scope(engine) as session:
        found = session.exec(
            select(Subscriber.id).where(Subscriber.email == email.strip().lower())
        ).first()
    if found is None:
        raise UsageError(f"--only {email}: no subscriber has this address")
    return found


def print_summary(engine: Engine, edition_id: int) -> bool:
    """Print the counts and how many got no digest; returns whether there are any."""
    with read_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        issue_date: Date = edition.issue_date
        counts = ledger.counts(session, edition_id)
        statuses = ledger.statuses(session, edition_id)
    shown = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    out.print(f"edition {issue_date}: {edition.status}; {shown or 'no subscriber was due'}")
    failed = sum(statuses[status] for status in ledger.MISSED)
    if failed:
        out.print(f"{failed} not delivered: `newsletter report --date {issue_date}` says why")
    return bool(failed)
