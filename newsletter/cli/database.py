"""`newsletter db`: the tables."""

import typer

from newsletter.cli.common import out
from newsletter.core import database
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
