"""`newsletter ingest`: papers from sources or a file into the store."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine

from newsletter.cli.common import JsonOption, open_database, parse_date, print_json
from newsletter.cli.console import err, out
from newsletter.core.config import Settings
from newsletter.core.database import session_scope
from newsletter.core.errors import InputError, UsageError
from newsletter.papers.harvest import ingest_source
from newsletter.papers.host_locks import DatabaseTurns
from newsletter.papers.ingest import Outcome, ingest_file
from newsletter.papers.wanted import LookedUp, look_up
from newsletter.sources.http_client import Fetcher
from newsletter.sources.registry import build
from newsletter.subscribers.library import settle

# A source that fails everywhere repeats itself a thousand times.
_MOST_LINES = 20

Watch = Callable[[Outcome], None]


def ingest(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources to read (default: NEWSLETTER_SOURCES).")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Read this file instead of the sources.")
    ] = None,
    format_name: Annotated[
        str, typer.Option("--format", help="Format of the file; auto detects it from the content.")
    ] = "auto",
    since: Annotated[
        date | None,
        typer.Option(
            parser=parse_date,
            metavar="YYYY-MM-DD",
            help="Read from this date instead of where the last run stopped.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch papers and store them; prints one line per source.

    Exits with 1 when some papers could not be read, with 2 when none could.
    """
    if file is not None and (sources or since):
        raise UsageError("--file cannot be combined with sources or --since")
    settings, engine = open_database()
    with _progress(quiet=as_json) as bar:
        if file is not None:
            outcomes = [_file(settings, engine, file, format_name, bar, as_json=as_json)]
        else:
            outcomes = _network(settings, engine, sources or [], since, bar, as_json=as_json)
    looked_up = _looked_up(settings, engine, ask=file is None)
    if as_json:
        shown: dict[str, Any] = {"sources": [_as_json(outcome) for outcome in outcomes]}
        print_json(shown | ({"looked_up": asdict(looked_up)} if looked_up != LookedUp() else {}))
    elif looked_up.asked:
        out.print(
            f"[bold]readers' papers[/]: {looked_up.asked:,} looked up, {looked_up.found:,} found"
        )
    for failure in looked_up.failures:
        err.print(f"  papers that readers named wait for the next run: {escape(failure)}")
    if outcomes and all(outcome.failure and not outcome.announced for outcome in outcomes):
        say_nothing_read(outcomes)
        raise typer.Exit(UsageError.exit_code)
    if any(outcome.failed or outcome.failure for outcome in outcomes):
        raise typer.Exit(1)


def say_nothing_read(outcomes: list[Outcome]) -> None:
    """One line: every source failed, so this is no day like others."""
    names = ", ".join(outcome.source for outcome in outcomes)
    err.print(
        escape(f"nothing could be read: {names}; `newsletter status` says when they last were")
    )


def _progress(*, quiet: bool) -> Progress:
    """Show progress on a terminal only."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=quiet or not err.is_terminal,
    )


def _file(
    settings: Settings,
    engine: Engine,
    path: Path,
    format_name: str,
    bar: Progress,
    *,
    as_json: bool,
) -> Outcome:
    try:
        outcome = ingest_file(
            engine,
            path,
            format_name,
            max_age=settings.max_paper_age,
            progress=_watch(bar, path.name),
        )
    except InputError as error:
        if as_json:
            problem = {"where": error.where, "what": error.what}
            empty = _as_json(Outcome(format_name))
            print_json({"sources": [{**empty, "failure": str(error), "errors": [problem]}]})
        raise
    if unreadable := _nothing_readable(path, outcome):
        if as_json:
            print_json({"sources": [_as_json(outcome) | {"failure": str(unreadable)}]})
        raise unreadable
    return _shown(outcome, as_json=as_json)


def _nothing_readable(path: Path, outcome: Outcome) -> InputError | None:
    """What to say of a file that holds papers, none of which can be read."""
    if not outcome.failed or outcome.failed < outcome.announced:
        return None
    first = outcome.errors[0]
    place = first.where.removeprefix(f"{path.name}, ")
    number = "its only paper" if outcome.failed == 1 else f"any of its {outcome.failed:,} papers"
    return InputError(f"cannot read {number}; {place}: {first.what}", where=str(path))


def _network(
    settings: Settings,
    engine: Engine,
    names: list[str],
    since: date | None,
    bar: Progress,
    *,
    as_json: bool,
) -> list[Outcome]:
    """One source after the other; one that fails does not stop the next."""
    outcomes = []
    with Fetcher(DatabaseTurns(engine), contact=settings.contact) as fetcher:
        for source in build(settings, names):
            watch = _watch(bar, source.name)
            outcome = ingest_source(
                engine,
                source,
                fetcher,
                since=since,
                max_age=settings.max_paper_age,
                progress=watch,
            )
            outcomes.append(_shown(outcome, as_json=as_json))
    return outcomes


def _looked_up(settings: Settings, engine: Engine, *, ask: bool) -> LookedUp:
    """Papers that readers named: those that came in become examples; ``ask`` for the others."""
    done = LookedUp()
    if ask and settings.look_up_papers:
        # The next run asks again: no second attempt holds this one up.
        with Fetcher(DatabaseTurns(engine), contact=settings.contact, attempts=1) as fetcher:
            done = look_up(engine, fetcher)
    with session_scope(engine) as session:
        settle(session)
    return done


def _watch(bar: Progress, name: str) -> Watch:
    task = bar.add_task(f"{escape(name)}: connecting")

    def watch(outcome: Outcome) -> None:
        bar.update(task, description=f"{escape(name)}: {outcome.announced:,} announced")

    return watch


def _shown(outcome: Outcome, *, as_json: bool) -> Outcome:
    if as_json:
        return outcome
    out.print(
        f"[bold]{escape(outcome.source)}[/]: {outcome.announced:,} announced, "
        f"{outcome.new:,} new, {outcome.revised:,} revised, "
        f"{outcome.known - outcome.too_old:,} known, "
        + (f"{outcome.too_old:,} too old to be news, " if outcome.too_old else "")
        + f"{outcome.failed:,} failed"
        + (f", {outcome.left_out:,} notices left out" if outcome.left_out else "")
        + (" — [red]incomplete[/]" if outcome.failure else "")
    )
    for problem in outcome.errors[:_MOST_LINES]:
        err.print(f"  {escape(problem.where)}: {escape(problem.what)}")
    if (more := outcome.failed - _MOST_LINES) > 0:
        err.print(f"  … and {more:,} more")
    return outcome


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "source": outcome.source,
        "announced": outcome.announced,
        "new": outcome.new,
        "revised": outcome.revised,
        "known": outcome.known,  # so that the counts add up
        "too_old": outcome.too_old,
        "failed": outcome.failed,
        "left_out": outcome.left_out,
        "errors": [{"where": p.where, "what": p.what} for p in outcome.errors],
        "failure": outcome.failure,
    }
