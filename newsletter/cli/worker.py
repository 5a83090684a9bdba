"""`newsletter worker` and `newsletter jobs`: the queue on PostgreSQL, for several machines."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from sqlalchemy import Engine

from newsletter.cli.common import JsonOption, open_database, print_json
from newsletter.cli.say import say
from newsletter.core.database import utc_now
from newsletter.core.errors import UsageError


def worker(
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=64, help="Number of jobs at a time.")
    ] = 2,
) -> None:
    """Run queued jobs on PostgreSQL until stopped; start one on each machine, or processor."""
    settings, engine = open_database("from_address", "secret_keys", "smtp_url")
    require_queue(engine)
    from newsletter.cli.sender import check_ready  # noqa: PLC0415  (imports all of sending)
    from newsletter.cluster.site import Site  # noqa: PLC0415  (imports all that jobs need)
    from newsletter.cluster.worker import NewsletterWorker, quiet_queue_log  # noqa: PLC0415
    from newsletter.sending.transports.smtp import parse_relays  # noqa: PLC0415

    check_ready(settings, parse_relays(settings.relay_url), force=False)
    quiet_queue_log()
    work = NewsletterWorker(
        Site(settings, engine),
        concurrency=concurrency,
        say=lambda line: say(f"{utc_now():%H:%M:%S} {line}", err=True),
    )
    say(f"working on {concurrency} jobs at a time; stop with Ctrl-C", err=True)
    asyncio.run(work.run())
    say("stopped", err=True)


def jobs(as_json: JsonOption = False) -> None:
    """Show the queue: what waits, runs and failed, and which workers live."""
    _, engine = open_database()
    require_queue(engine)
    from newsletter.sending.queue_overview import look_at  # noqa: PLC0415

    with engine.connect() as connection:
        found = look_at(connection)
    if as_json:
        print_json(asdict(found))
        return
    counts = ", ".join(f"{number} {state}" for state, number in found.counts.items())
    say(f"{counts}; {len(found.workers)} workers")
    for each in found.workers:
        say(f"worker {each.id}: {each.running} jobs, heard from {each.silent_seconds:.0f} s ago")
    for job in found.jobs:
        arguments = " ".join(f"{key}={value}" for key, value in job.arguments.items())
        since = f" since {job.since:%Y-%m-%d %H:%M:%S}" if job.since else ""
        tried = f", attempts: {job.attempts}" if job.attempts else ""
        say(f"{job.state}{since}: {job.task} {arguments}{tried}".rstrip())


def require_queue(engine: Engine) -> None:
    """Check that this database has a queue that the installed package works with.

    Raises:
        UsageError: the database is SQLite, or the extra `cluster` is not installed.
        DatabaseError: the queue's tables are missing, or of another version.
    """
    if engine.dialect.name != "postgresql":
        raise UsageError(
            "the queue needs PostgreSQL, and NEWSLETTER_DATABASE_URL names SQLite: run "
            "`newsletter send --due --watch`, or move with `newsletter db copy`"
        )
    try:
        from newsletter.cluster import schema  # noqa: PLC0415  (the extra may be missing)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "newsletter":
            raise
        raise UsageError(
            f"the queue needs the package {error.name!r}: pip install 'newsletter[cluster]'"
        ) from error
    schema.require_current(engine)
