"""The command line: parses arguments, calls one function, prints what came of it.

Exit codes: 0 done; 1 done, with deliveries that failed; 2 wrong use or settings; 3 interrupted,
run again to resume.
"""

import sys

import typer
from rich.markup import escape

from newsletter.cli.common import err
from newsletter.cli.database import database_commands
from newsletter.cli.demo import demo
from newsletter.cli.dkim import dkim_commands
from newsletter.cli.doctor import examine_installation
from newsletter.cli.editions import cancel, pause, prepare, preview, report, retry, status
from newsletter.cli.inbound import inbound
from newsletter.cli.evaluate import evaluate
from newsletter.cli.ingest import ingest
from newsletter.cli.send import send
from newsletter.cli.serve import serve
from newsletter.cli.subscribers import subscriber_commands
from newsletter.cli.suppressions import suppression_commands
from newsletter.cli.train import train
from newsletter.errors import NewsletterError

app = typer.Typer(
    help="A self-hosted, personalised research-paper newsletter.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(database_commands, name="db")
app.add_typer(subscriber_commands, name="subscribers")
app.add_typer(suppression_commands, name="suppressions")
app.add_typer(dkim_commands, name="dkim")
COMMANDS = (
    demo,
    ingest,
    train,
    evaluate,
    prepare,
    preview,
    send,
    status,
    report,
    retry,
    pause,
    cancel,
    inbound,
    serve,
)
for command in COMMANDS:
    app.command()(command)
app.command("doctor")(examine_installation)


def main() -> None:
    """Run a command; an error of ours becomes one line and its exit code."""
    try:
        app()
    except NewsletterError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("interrupted: run the same command again to carry on")
        sys.exit(3)
