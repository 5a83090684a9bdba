"""The command line: parses arguments, calls one function, prints what came of it.

Exit codes: 0 done; 1 done, but some deliveries failed; 2 wrong use or settings; 3 interrupted, run
again to resume; 4 the relay cannot be reached or refused the login.

To add a command, write a module of this package with a typed function (or a `typer.Typer` of
several) and give it a line in `COMMANDS`. The line repeats the first line of the docstring,
because a module is imported only when its command is called; tests/test_docs.py compares the two.
Import what is heavy in modules of their own: tests/cli/test_start.py lists the packages that
commands which run often may not import.
"""

import gc
import logging
import sys
from importlib import import_module
from typing import Annotated, Any, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup

from newsletter import __version__
from newsletter.cli.say import VisibleRecord, say
from newsletter.core.errors import DatabaseError, NewsletterError

INTERRUPTED = 3
# New objects between two looks for garbage; 700 is the interpreter's own number.
COLLECT_AFTER = 100_000


class Entry(NamedTuple):
    """Where a command lives in this package, and its line in ``newsletter --help``."""

    module: str
    attribute: str
    help: str


COMMANDS = {
    "demo": Entry(
        "demo",
        "demo",
        "Run the whole service on sample data, then serve an inbox page with every digest.",
    ),
    "ingest": Entry("ingest", "ingest", "Fetch papers and store them; prints one line per source."),
    "subscribers": Entry("subscribers", "subscriber_commands", "Manage subscribers."),
    "groups": Entry(
        "groups", "group_commands", "Manage groups of readers who share one list of interests."
    ),
    "train": Entry(
        "train", "train", "Train the profile of every topic from interests and feedback."
    ),
    "evaluate": Entry(
        "evaluate",
        "evaluate",
        "Measure ranking quality: rank a folder's new papers and compare with what readers saved.",
    ),
    "prepare": Entry(
        "prepare",
        "prepare",
        "Rank the papers for every subscriber who is due, and freeze the edition.",
    ),
    "figures": Entry(
        "figures",
        "figures",
        "Fetch first figures for the papers of a prepared edition, before it is sent.",
    ),
    "rephrase": Entry(
        "rephrase",
        "rephrase",
        "Ask a language model to put the papers of a prepared edition in other words.",
    ),
    "preview": Entry("preview", "preview", "Show one subscriber's digest; nothing is sent."),
    "why": Entry("why", "why", "Say why a paper is, or is not, in a subscriber's digest."),
    "scorecard": Entry(
        "scorecard",
        "scorecard",
        "Show how good the picks were: per label, how many were judged, and how many relevant.",
    ),
    "trial": Entry(
        "trial",
        "trial_commands",
        "Compare two ways of ordering papers by what readers rate.",
    ),
    "send": Entry("send", "send", "Send an edition; run it again to resume. Nobody gets it twice."),
    "broadcast": Entry(
        "broadcast",
        "broadcast",
        "Mail a message to all active subscribers, or some; run it again to resume.",
    ),
    "forecast": Entry(
        "forecast",
        "forecast",
        "Show how many digests each coming day holds, how long they take, and what does not fit.",
    ),
    "test-send": Entry(
        "test_copy",
        "send_copy",
        'Mail a copy of a digest, marked "[Test]"; nothing is recorded, its links change nothing.',
    ),
    "status": Entry(
        "status",
        "status",
        "Show the progress of an edition; the counts add up to the digests prepared.",
    ),
    "report": Entry("report", "report", "Show who did not get an edition or broadcast, and why."),
    "retry": Entry(
        "editions",
        "retry",
        "Queue failed, expired, deferred or uncertain deliveries again, for `newsletter send`.",
    ),
    "pause": Entry(
        "editions",
        "pause",
        "Pause an edition or broadcast in every process; sending it again resumes it.",
    ),
    "cancel": Entry(
        "editions",
        "cancel",
        "Cancel an edition or broadcast for good; what is unsent is never sent.",
    ),
    "inbound": Entry(
        "inbound", "inbound", "Process bounces, complaints, replies and unsubscribe mails."
    ),
    "suppressions": Entry(
        "suppressions", "suppression_commands", "Manage addresses that get no mail."
    ),
    "serve": Entry("serve", "serve", "Serve the web pages and webhooks until stopped."),
    "worker": Entry(
        "worker",
        "worker",
        "Run queued jobs on PostgreSQL until stopped; start one on each machine, or processor.",
    ),
    "jobs": Entry(
        "worker",
        "jobs",
        "Show the queue: what waits, runs and failed, and which workers live.",
    ),
    "operator-link": Entry(
        "operator_link",
        "operator_link",
        "Print a link that opens the operator's pages; it works once, within 15 minutes.",
    ),
    "doctor": Entry(
        "doctor",
        "examine_installation",
        "Check files, relay, TLS, DKIM, SPF, DMARC, DNS, pages, clock; say how to fix problems.",
    ),
    "dkim": Entry("dkim", "dkim_commands", "Manage the DKIM key that signs mails."),
    "prune": Entry(
        "prune",
        "prune",
        "Remove the words of old digests, old events, kept mails and logs of fetches.",
    ),
    "db": Entry("database", "database_commands", "Manage the database."),
}


def new_typer() -> typer.Typer:
    """An empty command line in plain text: boxes and colours double the time ``--help`` takes."""
    return typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


def load(name: str) -> TyperCommand | TyperGroup:
    """Import the module of a command and return the command."""
    entry = COMMANDS[name]
    found = getattr(import_module(f"{__name__}.{entry.module}"), entry.attribute)
    holder = new_typer()
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
    command = cast("TyperCommand | TyperGroup", typer.main.get_group(holder).commands[name])
    if isinstance(command, TyperGroup):
        for each in command.commands.values():
            each.short_help = first_paragraph(each.help)
    return command


def first_paragraph(text: str | None) -> str:
    """What a list of commands shows of a docstring; Typer alone would cut it off at a line."""
    return " ".join((text or "").partition("\n\n")[0].split())


class LazyGroup(TyperGroup):
    """Lists every command, and imports only the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, entry in COMMANDS.items():
            self.add_command(TyperCommand(name, help=entry.help, short_help=entry.help))

    def resolve_command(
        self, ctx: Any, args: list[str]
    ) -> tuple[str | None, TyperCommand | TyperGroup | None, list[str]]:
        """Replace the listed command by the real one."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else None, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C ends it with a line and an exit code of its own."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            say("interrupted: run the same command again to continue", err=True)
            raise typer.Exit(INTERRUPTED) from error


def _say_version(asked: bool) -> None:
    if asked:
        say(f"newsletter {__version__}")
        raise typer.Exit


def make_app() -> typer.Typer:
    """The whole command line."""
    app = new_typer()

    @app.callback(cls=LazyGroup, no_args_is_help=True)
    def _group(
        version: Annotated[
            bool,
            typer.Option(
                "--version", is_eager=True, callback=_say_version, help="Show the version and exit."
            ),
        ] = False,
    ) -> None:
        """A self-hosted, personalised research-paper newsletter."""

    return app


def main() -> None:
    """Run a command; an error of ours becomes one line and its exit code."""
    # What loading makes stays: looking through it for garbage again and again takes a tenth of
    # the time of `status` (bench-start).
    gc.set_threshold(COLLECT_AFTER)
    logging.setLogRecordFactory(VisibleRecord)
    try:
        # A command that ends itself returns its exit code.
        sys.exit(make_app()(prog_name="newsletter", standalone_mode=False))
    except NewsletterError as error:
        _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        from newsletter.cli import usage  # noqa: PLC0415  (only when it is needed)

        if not usage.is_help(error):
            _fail(usage.in_one_line(error), error.exit_code)
        for line in error.format_message().splitlines():
            say(line, err=True)
        sys.exit(error.exit_code)
    except typer.Abort:
        _fail("aborted: nothing was changed", 1)
    except Exception as error:
        # Half of what a command may take to start is SQLAlchemy: not every command needs it.
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

        if not isinstance(error, DBAPIError):
            raise
        _fail(f"database error: {error.orig}", DatabaseError.exit_code)


def _fail(what: str, exit_code: int) -> None:
    say(f"error: {what}", err=True)
    sys.exit(exit_code)
