"""The command line: parses arguments, calls one function, prints what came of it.

Exit codes: 0 done; 1 done, with deliveries that failed; 2 wrong use or settings; 3 interrupted,
run again to resume.
"""

import sys

import typer
from rich.markup import escape
from sqlalchemy.exc import OperationalError

from newsletter.cli.common import err
from newsletter.cli.database import database_commands
from newsletter.cli.ingest import ingest
from newsletter.errors import DatabaseError, NewsletterError

app = typer.Typer(
    help="A self-hosted, personalised research-paper newsletter.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(database_commands, name="db")
app.command()(ingest)


def main() -> None:
    """Run a command; an error of ours becomes one line and its exit code."""
    try:
        app()
    except NewsletterError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}")
        sys.exit(error.exit_code)
    except OperationalError as error:
        err.print(f"[bold red]error:[/] the database failed: {escape(str(error.orig))}")
        sys.exit(DatabaseError.exit_code)
    except KeyboardInterrupt:
        err.print("interrupted: run the same command again to carry on")
        sys.exit(3)
