"""`newsletter send`: prepare what is not prepared, drain, report. Run it again to resume."""

import asyncio
import signal
from collections.abc import Callable
from datetime import date as Date  # noqa: N812  (`date` is the option's name here)
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter import deliveries, digest, editions, reports
from newsletter.cli.common import err, open_database, out, progress_bar
from newsletter.cli.editions import DateOption, make_renderer, today
from newsletter.config import Settings
from newsletter.db import read_scope
from newsletter.errors import SettingsError, UsageError
from newsletter.mailer import SendRun, Tally
from newsletter.models import Delivery, DeliveryStatus, EditionStatus, Subscriber
from newsletter.render import Renderer
from newsletter.transports import Transport
from newsletter.transports.files import FileTransport
from newsletter.transports.smtp import Relay, SmtpTransport, parse_relay

INTERRUPTED = 3
# What is left unsent in one of these makes the exit code 1.
NOT_SENT = (
    DeliveryStatus.FAILED,
    DeliveryStatus.DEFERRED,
    DeliveryStatus.UNCERTAIN,
    DeliveryStatus.EXPIRED,
)


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
        int, typer.Option("--connections", min=1, max=100, help="Connections to the relay.")
    ] = 4,
) -> None:
    """Send an edition; run it again to resume. Nobody gets it twice."""
    settings, engine = open_database("from_address", "secret_keys", "smtp_url")
    relay = parse_relay(settings.relay_url)
    check_address(settings, relay)
    renderer = make_renderer(settings)
    issue_date = date or today()
    subscriber_id = _subscriber(engine, only) if only else None
    with progress_bar("preparing digests") as progress:
        prepared = editions.prepare(
            engine, issue_date, message_domain=settings.from_domain, progress=progress
        )
    if dry_run:
        number = asyncio.run(_write_files(engine, renderer, prepared.edition_id, output))
        out.print(f"dry run: {number} messages written to {output}, nothing sent")
        return
    editions.start_sending(engine, prepared.edition_id)
    stopped = False
    for edition_id in (None, prepared.edition_id):
        if stopped:
            break
        run = SendRun(
            engine,
            renderer,
            lambda: SmtpTransport(relay),
            edition_id=edition_id,
            connections=connections,
            limit=limit,
            only=subscriber_id,
        )
        stopped = run_with_progress(run)
    state = editions.finish_if_done(engine, prepared.edition_id)
    failed = _print_summary(engine, issue_date)
    if stopped or state is EditionStatus.PAUSED:
        err.print("stopped before the end: run the same command again to carry on")
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(1 if failed else 0)


def check_address(settings: Settings, relay: Relay) -> None:
    """Refuse to mail people without a postal address; on loopback nobody is mailed.

    Raises:
        SettingsError: the address is missing (bulk-mail law 23).
    """
    if not relay.is_loopback and not settings.postal_address:
        raise SettingsError(
            "missing setting: NEWSLETTER_POSTAL_ADDRESS (the law asks for one in every mail)"
        )


def run_with_progress(run: SendRun) -> bool:
    """Run it under a progress bar; a first SIGTERM or Ctrl-C drains. True if it was stopped."""
    stopped = False

    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()

        def on_signal() -> None:
            nonlocal stopped
            if stopped and task is not None:
                task.cancel()  # a second one: rows in flight become uncertain
                return
            stopped = True
            err.print("finishing what is in flight; once more to stop at once")
            run.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)
        try:
            await run.run()
        except asyncio.CancelledError:
            err.print("stopped at once: what was in flight is uncertain")

    with progress_bar("sending") as progress:
        run.on_progress = _shown(progress)
        asyncio.run(main())
    return stopped


def _shown(progress: Callable[[int, int], None]) -> Callable[[Tally], None]:
    return lambda tally: progress(tally.done, tally.total)


def _subscriber(engine: Engine, email: str) -> int:
    with read_scope(engine) as session:
        found = session.exec(
            select(Subscriber.id).where(Subscriber.email == email.strip().lower())
        ).first()
    if found is None:
        raise UsageError(f"--only {email}: no subscriber has this address")
    return found


async def _write_files(engine: Engine, renderer: Renderer, edition_id: int, folder: Path) -> int:
    """Every unsent digest of the edition as a file; the ledger is left alone."""
    transport: Transport = FileTransport(folder)
    with read_scope(engine) as session:
        contents = digest.load_contents(session, edition_id)
        ids = session.exec(
            select(Delivery.id).where(
                Delivery.edition_id == edition_id,
                col(Delivery.status).in_(deliveries.UNFINISHED),
            )
        ).all()
        for delivery_id in ids:
            if delivery_id is not None:
                loaded = digest.load(session, [delivery_id], contents)
                await transport.send(renderer.digest(loaded[delivery_id]))
    return len(ids)


def _print_summary(engine: Engine, issue_date: Date) -> bool:
    """One line of counts, a line for each who did not get it; True if there is any."""
    with read_scope(engine) as session:
        report = reports.edition_report(session, editions.find(session, issue_date))
    shown = ", ".join(f"{number} {name}" for name, number in report.counts.items() if number)
    out.print(f"edition {issue_date}: {report.status}; {shown or 'nobody was due'}")
    failed = sum(report.counts[status] for status in NOT_SENT)
    if failed:
        out.print(f"{failed} did not get it: `newsletter report --date {issue_date}` says why")
    return bool(failed)
