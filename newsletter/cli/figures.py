"""`newsletter figures`: thumbnails of first figures for the papers of a prepared edition."""

from typing import Annotated

import typer
from rich.markup import escape

from newsletter.cli.common import DateOption, JsonOption, open_database, print_json, today
from newsletter.cli.console import err, out
from newsletter.cli.progress import progress_bar
from newsletter.core.database import read_scope
from newsletter.core.errors import UsageError
from newsletter.editions import illustrate
from newsletter.papers import figures as thumbnails
from newsletter.papers.host_locks import DatabaseTurns
from newsletter.sources.http_client import Fetcher


def figures(
    date: DateOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Papers to look at, at most.")
    ] = thumbnails.MOST_A_RUN,
    as_json: JsonOption = False,
) -> None:
    """Fetch first figures for the papers of a prepared edition, before it is sent."""
    settings, engine = open_database()
    if not settings.figures:
        raise UsageError("thumbnails are off: set NEWSLETTER_FIGURES to html, pdf or both")
    thumbnails.check_packages(settings.figures)
    issue_date = date or today()
    edition = illustrate.edition_of(engine, issue_date)
    with read_scope(engine) as session:
        papers = thumbnails.wanted(session, edition, limit)
    with (
        progress_bar("fetching figures") as progress,
        Fetcher(
            DatabaseTurns(engine),
            contact=settings.contact,
            largest=thumbnails.LARGEST,
            longest=thumbnails.LONGEST,
            attempts=2,
        ) as fetcher,
    ):
        done = thumbnails.make(
            engine,
            fetcher,
            papers,
            settings.figures_folder,
            places=settings.figures,
            megabytes=settings.figures_megabytes,
            progress=progress,
        )
    shown = illustrate.illustrate(engine, edition)
    if as_json:
        print_json(
            {
                "edition": str(issue_date),
                "asked": done.asked,
                "made": done.made,
                "none": done.none,
                "removed": done.removed,
                "illustrated": shown,
                "failures": list(done.failures),
            }
        )
    else:
        out.print(
            f"edition {issue_date}: {done.asked} papers looked at, {done.made} figures made, "
            f"{done.none} without a figure"
            + (f", {done.removed} old thumbnails removed" if done.removed else "")
        )
        if shown is None:
            out.print("sending has begun: its mails stay as they are")
        else:
            out.print(f"{shown} papers of the edition have a thumbnail")
    for failure in done.failures:
        err.print(escape(f"stopped: {failure}; run it again later"))
    if done.failures:
        raise typer.Exit(1)
