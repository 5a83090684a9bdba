"""`newsletter ingest`: papers from sources or a file into the store."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from newsletter import papers
from newsletter.cli.common import err, open_database, out, print_json
from newsletter.errors import UsageError
from newsletter.papers import Outcome
from newsletter.sources.catalogue import build
from newsletter.sources.fetch import Fetcher


def ingest(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources to read; those of the settings if none.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Read this file instead.")] = None,
    format_name: Annotated[
        str, typer.Option("--format", help="The file's format; auto finds out.")
    ] = "auto",
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Read from this date, not from the cursor."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
) -> None:
    """Fetch papers and store them; prints a line a source."""
    if file is not None and sources:
        raise UsageError("give sources or --file, not both")
    settings, engine = open_database()
    if file is not None:
        outcomes = [_shown(papers.ingest_file(engine, file, format_name), json)]
    else:
        chosen = build(settings, sources or ())
        turns = papers.DatabaseTurns(engine)
        day = since.replace(tzinfo=UTC).date() if since else None
        with Fetcher(turns, contact=settings.contact) as fetcher:
            outcomes = [
                _shown(papers.ingest_source(engine, source, fetcher, since=day), json)
                for source in chosen
            ]
    if json:
        print_json({"sources": [_as_json(outcome) for outcome in outcomes]})
    if any(outcome.failed or outcome.failure for outcome in outcomes):
        raise typer.Exit(1)


def _shown(outcome: Outcome, json: bool) -> Outcome:
    if not json:
        out.print(
            f"[bold]{escape(outcome.source)}[/]: {outcome.announced} announced, "
            f"{outcome.new} new, {outcome.revised} revised, {outcome.known} known, "
            f"{outcome.failed} failed"
        )
        for problem in outcome.errors:
            err.print(f"  {escape(problem.where)}: {escape(problem.what)}")
    return outcome


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "source": outcome.source,
        "announced": outcome.announced,
        "new": outcome.new,
        "revised": outcome.revised,
        "known": outcome.known,
        "failed": outcome.failed,
        "errors": [{"where": p.where, "what": p.what} for p in outcome.errors],
        "failure": outcome.failure,
    }
