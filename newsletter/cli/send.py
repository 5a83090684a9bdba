"""`newsletter send`: prepare, send, report. Run it again to resume."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.cli.common import DateOption, open_database, today
from newsletter.cli.console import err, out
from newsletter.cli.dry_run import dry_run as dry_run_of
from newsletter.cli.prepare import require_not_early, tell_past
from newsletter.cli.progress import progress_bar
from newsletter.cli.send_progress import Stop
from newsletter.cli.sender import INTERRUPTED, NO_RELAY, Sender, check_ready, parse_rate
from newsletter.core.database import read_scope, utc_now
from newsletter.core.errors import StoppedError, UsageError
from newsletter.core.models import Edition, EditionStatus
from newsletter.editions import lifecycle, overlooked, schedule
from newsletter.editions.broadcasts import only_subscriber
from newsletter.sending.ledger import OfBroadcast
from newsletter.sending.mailer import SendPlan
from newsletter.sending.transports.smtp import parse_relays

# How often `--watch` looks for retries, or for who is due.
WATCH_SECONDS = 30.0
# Retries of older editions are over (see `retry_policy.STALE_AFTER`).
WATCHED = timedelta(days=4)


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
    issue_date = date or today()
    only_id = None
    if only:
        with read_scope(engine) as session:
            only_id = only_subscriber(session, only)
    if dry_run:
        from newsletter.cli.preview import make_renderer  # noqa: PLC0415  (ranks: a second)
        from newsletter.editions.rehearsal import rehearse  # noqa: PLC0415

        renderer = make_renderer(settings)
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
        connections=connections,
        rate=rate,
        limit=limit,
        only=only_id,
        checks_reputation=not force,
    )
    stop = Stop()
    stop.listen()
    sender = Sender(engine, plan, workers, stop)
    if due:
        raise typer.Exit(_send_due(sender, watch=watch))
    require_not_early(engine, issue_date, force=force)
    tell_past(engine, issue_date, force=force)
    from newsletter.editions import preparation  # noqa: PLC0415  (ranks: a second)

    with progress_bar("preparing digests") as progress:
        prepared = preparation.prepare(
            engine,
            issue_date,
            message_domain=settings.from_domain,
            sources=settings.sources,
            model=settings.feature_model,
            progress=progress,
        )
    code = sender.issue(prepared.edition_id)
    while watch and _is_waiting(sender, prepared.edition_id):
        stop.sleep(WATCH_SECONDS)
        if not stop.is_asked:
            code = sender.issue(prepared.edition_id)
    raise typer.Exit(code)


def _is_waiting(sender: Sender, edition_id: int) -> bool:
    """Whether the edition still goes out and has retries, or a relay, to wait for."""
    with read_scope(sender.engine) as session:
        edition = session.get_one(Edition, edition_id)
        return edition.status is EditionStatus.SENDING and not sender.stop.is_asked


def _send_due(sender: Sender, *, watch: bool) -> int:
    """Send to subscribers who are due now; safe to call often. Returns an exit code."""
    while True:
        code = _send_due_once(sender, utc_now())
        if not watch or sender.stop.is_asked:
            return code
        sender.stop.sleep(WATCH_SECONDS)
        if sender.stop.is_asked:
            return 0  # nothing was in flight


def _send_due_once(sender: Sender, now: datetime) -> int:
    with read_scope(sender.engine) as session:
        waiting = schedule.waiting(session, now)
    overlooked.record(sender.engine, waiting.overlooked, now)
    for issue_date, ids in waiting.due.items():
        # Only where somebody is due: a timer runs this every few minutes.
        from newsletter.editions import preparation  # noqa: PLC0415  (ranks: a second)

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
    since, resends = now - WATCHED, sender.plan.resends
    wanted: list[int | OfBroadcast] = [*lifecycle.unfinished(sender.engine, since, resends)]
    wanted += map(OfBroadcast, lifecycle.unfinished_broadcasts(sender.engine, since, resends))
    for of in wanted:
        try:
            codes.append(sender.issue(of))
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
        out.print("no digest is due")
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
