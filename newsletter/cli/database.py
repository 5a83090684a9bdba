"""`newsletter db`: the tables."""

import typer

from newsletter.cli.common import out
from newsletter.core import database
from newsletter.core.config import load_settings

database_commands = typer.Typer(help="The database's tables.", no_args_is_help=True)


@database_commands.callback()
def _group() -> None:
    """The database's tables."""


@database_commands.command()
def upgrade() -> None:
    """Bring the tables to this version's; does nothing when they are."""
    engine = database.connect(load_settings().database_url)
    before, after = database.upgrade(engine)
    shown = engine.url.render_as_string(hide_password=True)
    if before == after:
        out.print(f"{shown} is up to date (revision {after})")
    else:
        out.print(f"{shown}: {before or 'empty'} → {after}")
