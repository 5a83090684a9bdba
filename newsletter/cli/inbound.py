"""`newsletter inbound`: mail that comes back, from files, an MTA's pipe, IMAP or a listener."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from newsletter.cli.common import JsonOption, open_database, print_json
from newsletter.cli.intake import Intake, require_mail
from newsletter.cli.say import say
from newsletter.core import database
from newsletter.core.config import Settings, load_settings
from newsletter.core.errors import DatabaseError, InputError, SettingsError, UsageError
from newsletter.core.tokens import Signer
from newsletter.inbound.files import STANDARD_INPUT, Incoming, mails
from newsletter.inbound.unmatched import kept_mails, write_kept

# sysexits.h EX_TEMPFAIL: an MTA keeps the mail and tries again. Any other failure would make
# Postfix return the report to its sender, which is nobody, and so lose it.
TRY_AGAIN = 75
SHOWN_KEPT = 50


def inbound(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="Mail files, Maildirs, folders of mail files, or - for standard input."
        ),
    ] = None,
    imap: Annotated[
        bool, typer.Option("--imap", help="Read unseen mail from NEWSLETTER_IMAP_URL.")
    ] = False,
    every: Annotated[int, typer.Option(min=0, help="Repeat after this many seconds.")] = 0,
    listen_on: Annotated[
        str,
        typer.Option(
            "--listen", metavar="URL", help="Listen on lmtp://HOST:PORT or smtp://HOST:PORT."
        ),
    ] = "",
    kept: Annotated[
        bool, typer.Option("--kept", help="List messages that match no delivery.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --kept: write them to DIR as .eml files."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Process bounces, complaints, replies and unsubscribe mails."""
    if kept:
        _show_kept(output, as_json)
    elif listen_on or imap:
        # The mail server alone takes a fifth as long to import as all that a pipe needs.
        from newsletter.cli import mailbox  # noqa: PLC0415

        if listen_on:
            mailbox.listen_on(listen_on)
        else:
            mailbox.poll_imap(every, as_json)
    elif files:
        _read_files(files, as_json)
    else:
        raise UsageError(
            "name the mails to read (- is standard input), or use --imap, --listen or --kept"
        )


def _read_files(files: list[str], as_json: bool) -> None:
    # With --json a program reads the answer; an MTA's pipe only sees the exit code.
    is_pipe = STANDARD_INPUT in files and not as_json
    try:
        intake, why_not = _open(load_settings())
        intake.quiet = as_json
        _take_in(intake, files)
    except (DatabaseError, SettingsError) as error:
        if not is_pipe:
            raise
        say(f"error: {error}", err=True)
        raise typer.Exit(TRY_AGAIN) from error
    if as_json:
        print_json({"messages": intake.messages})
    if intake.failed and not intake.messages:
        raise typer.Exit(InputError.exit_code)  # the same again would not be read either
    if why_not:
        say(f"nothing was recorded: {why_not}", err=True)
    if why_not and is_pipe:
        raise typer.Exit(TRY_AGAIN)
    if intake.failed:
        raise typer.Exit(InputError.exit_code)


def _take_in(intake: Intake, files: list[str]) -> None:
    for name in files:
        try:
            for incoming in mails([name]):
                _take(intake, incoming)
        except InputError as error:
            # Go on with the other files.
            intake.complain(error)


def _take(intake: Intake, incoming: Incoming) -> None:
    try:
        # What lies in a Maildir came as a mail, whatever it is: the operator may look at it.
        if incoming.maildir_file is None:
            require_mail(incoming)
    except InputError as error:
        intake.complain(error)
    else:
        intake.take(incoming)


def _open(settings: Settings) -> tuple[Intake, str]:
    """An intake that records, or one that only reads and the reason for it."""
    if not settings.secret_keys:
        return Intake(None, None), "NEWSLETTER_SECRET_KEYS is not set"
    if _is_missing_file(settings.database_url):
        return Intake(None, None), "there is no database yet: run `newsletter db upgrade`"
    engine = database.connect(settings.database_url)
    if database.revision(engine) is None:
        return Intake(None, None), "the database has no tables yet: run `newsletter db upgrade`"
    database.require_current(engine)
    return Intake(engine, Signer(settings.keys)), ""


def _is_missing_file(url: str) -> bool:
    """Whether the URL names a missing SQLite file; opening it would create it."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return False  # database.connect reports what is wrong
    path = database.file_of(parsed)
    return path is not None and not path.exists()


def _show_kept(output: Path | None, as_json: bool) -> None:
    _, engine = open_database()
    with database.read_scope(engine) as session:
        found = kept_mails(session, limit=SHOWN_KEPT)
        written = write_kept(session, output) if output else 0
    if as_json:
        names = ("id", "received_at", "kind", "sender", "subject", "size")
        print_json({"kept": [{name: getattr(mail, name) for name in names} for mail in found]})
        return
    for mail in found:
        line = f"{mail.received_at:%Y-%m-%d %H:%M} {mail.kind:16} {mail.sender} | {mail.subject}"
        say(line)
    if output:
        say(f"{written} written to {output}", err=True)
    if not found:
        say("no unmatched messages", err=True)
