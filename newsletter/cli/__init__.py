"""The command line: parses arguments, calls one function, prints what came of it.

Exit codes: 0 done; 1 done, with deliveries that failed; 2 wrong use or settings; 3 interrupted,
run again to resume; 4 the relay is out of reach or refused the login.
"""

import sys
from importlib import import_module, metadata
from typing import Annotated

import typer
from rich.markup import escape
from sqlalchemy.exc import DBAPIError

from newsletter.cli.common import err, out
from newsletter.core.errors import DatabaseError, NewsletterError

# Command, module of this package, and what to take from it. Only the module of the command that
# was asked for is imported: an MTA pipe runs `inbound` once a mail, and the scientific packages
# behind `train` alone take a second to load.
COMMANDS = {
    "demo": ("demo", "demo"),
    "ingest": ("ingest", "ingest"),
    "subscribers": ("subscribers", "subscriber_commands"),
    "train": ("train", "train"),
    "evaluate": ("evaluate", "evaluate"),
    "prepare": ("editions", "prepare"),
    "preview": ("editions", "preview"),
    "send": ("send", "send"),
    "status": ("editions", "status"),
    "report": ("editions", "report"),
    "retry": ("editions", "retry"),
    "pause": ("editions", "pause"),
    "cancel": ("editions", "cancel"),
    "inbound": ("inbound", "inbound"),
    "suppressions": ("suppressions", "suppression_commands"),
    "serve": ("serve", "serve"),
    "doctor": ("doctor", "examine_installation"),
    "dkim": ("dkim", "dkim_commands"),
    "db": ("database", "database_commands"),
}


def _say_version(asked: bool) -> None:
    if asked:
        out.print(f"newsletter {metadata.version('newsletter')}")
        raise typer.Exit


def make_app(*names: str) -> typer.Typer:
    """The command line with the named commands, or with all of them."""
    app = typer.Typer(
        help="A self-hosted, personalised research-paper newsletter.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def _group(
        version: Annotated[
            bool,
            typer.Option("--version", is_eager=True, callback=_say_version, help="And exit."),
        ] = False,
    ) -> None:
        """A self-hosted, personalised research-paper newsletter."""

    for name in names or COMMANDS:
        module, attribute = COMMANDS[name]
        command = getattr(import_module(f"newsletter.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> None:
    """Run a command; an error of ours becomes one line and its exit code."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        make_app(*([asked] if asked in COMMANDS else []))()
    except NewsletterError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}")
        sys.exit(error.exit_code)
    except DBAPIError as error:
        err.print(f"[bold red]error:[/] the database failed: {escape(str(error.orig))}")
        sys.exit(DatabaseError.exit_code)
    except KeyboardInterrupt:
        err.print("interrupted: run the same command again to carry on")
        sys.exit(3)
