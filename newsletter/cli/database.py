"""`newsletter db`: the tables, and the database as a whole."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from newsletter.cli.common import JsonOption, open_database, print_json
from newsletter.cli.console import err, out
from newsletter.cli.progress import progress_bar
from newsletter.core import database, transfer
from newsletter.core.config import load_settings

database_commands = typer.Typer(help="Manage the database.", no_args_is_help=True)


@database_commands.callback()
def _group() -> None:
    """Manage the database."""


@database_commands.command()
def upgrade() -> None:
    """Create the tables, or migrate them to this version."""
    engine = database.connect(load_settings().database_url)
    before, after = database.upgrade(engine)
    shown = engine.url.render_as_string(hide_password=True)
    if before == after:
        out.print(f"{shown} is up to date (revision {after})")
    else:
        out.print(f"{shown}: {before or 'empty'} → {after}")
    if engine.dialect.name == "postgresql":
        _upgrade_queue(engine)


def _upgrade_queue(engine: Engine) -> None:
    """Bring the queue's tables along, where the extra `cluster` is installed."""
    try:
        from newsletter.cluster import schema  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError as error:
        if error.name != "procrastinate":
            raise
        return
    old, new = schema.upgrade(engine)
    if old != new:
        out.print(f"queue: {old or 'empty'} → {new}")


@database_commands.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Copy the database to a file, safely, while everything runs."""
    engine = database.connect(load_settings().database_url)
    database.require_known(engine)  # of an earlier version: before an upgrade
    size = transfer.backup(engine, file, replace=force)
    out.print(
        f"{file}: {size / 1024:,.0f} KB, checked. To restore it, stop everything that uses the "
        "database, remove its -wal and -shm files, and put this file in its place",
        markup=False,
    )


@database_commands.command()
def copy(
    target: Annotated[str, typer.Argument(help="URL of an empty database.")],
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted copy.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy all rows to another database, SQLite or PostgreSQL, and compare both sides."""
    _, engine = open_database()
    other = database.connect(target, name="TARGET_URL")
    database.upgrade(other)
    with progress_bar("copying rows") as progress:
        compared = transfer.copy(engine, other, resume=resume, progress=progress)
    different = [each for each in compared if not each.same]
    if as_json:
        print_json({"tables": [asdict(each) for each in compared], "same": not different})
    else:
        rows = sum(each.target for each in compared)
        out.print(f"{rows} rows in {len(compared)} tables copied; counts and contents compared")
    for each in different:
        err.print(
            f"{each.table}: {each.source} rows here, {each.target} there, and they differ: stop "
            "everything that writes, then copy again to an empty database",
            markup=False,
        )
    raise typer.Exit(1 if different else 0)
