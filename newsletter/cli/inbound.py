"""`newsletter inbound`: mail that comes back, from files, an MTA's pipe, IMAP or a listener."""

import asyncio
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError

from newsletter.cli.common import err, open_database, out, print_json
from newsletter.core import database
from newsletter.core.config import Settings, load_settings
from newsletter.core.errors import DatabaseError, InputError, SettingsError, UsageError
from newsletter.core.tokens import Signer
from newsletter.inbound import bounces
from newsletter.inbound.apply import Recorded, receive
from newsletter.inbound.files import STANDARD_INPUT, Incoming, mails
from newsletter.inbound.imap import parse_mailbox, poll
from newsletter.inbound.lmtp import Door, listen, parse_listen_address
from newsletter.inbound.unmatched import kept_mails, write_kept

# sysexits.h EX_TEMPFAIL: an MTA keeps the mail and tries again. Any other failure would make
# Postfix return the report to its sender, which is nobody, and so lose it.
TRY_AGAIN = 75
SHOWN_KEPT = 50


@dataclass
class _Intake:
    """Records mails where a database is ready, else only reads them; remembers what it saw."""

    engine: Engine | None
    signer: Signer | None
    quiet: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)
    failed: bool = False

    def take(self, incoming: Incoming) -> None:
        """`handle` one of many: what is wrong with one mail is told and stops no other.

        Raises:
            DatabaseError: the database takes nothing at all.
        """
        try:
            self.handle(incoming)
        except InputError as error:
            self.complain(error)

    def complain(self, error: InputError) -> None:
        """Tell the operator, and remember that something went wrong."""
        err.print(f"[bold red]error:[/] {escape(str(error))}")
        self.failed = True

    def handle(self, incoming: Incoming) -> None:
        """Read one mail, commit what it changes, and only then mark it as seen.

        Raises:
            DatabaseError: the database takes nothing.
            InputError: the database does not take this mail.
        """
        recorded = self._record(incoming)
        if self.engine is not None:
            incoming.mark_seen()
        self.messages.append(_as_json(incoming, recorded))
        if not self.quiet:
            out.print(escape(_as_line(incoming, recorded)))

    def _record(self, incoming: Incoming) -> Recorded:
        if self.engine is None or self.signer is None:
            return Recorded(bounces.read(incoming.data), matched=False)
        try:
            with database.session_scope(self.engine) as session:
                return receive(
                    session, self.signer, incoming.data, size=incoming.size, now=database.utc_now()
                )
        except (DataError, IntegrityError) as error:
            raise InputError(f"cannot be recorded: {error.orig}", where=incoming.name) from error
        except DBAPIError as error:
            raise DatabaseError(f"{incoming.name}: not recorded: {error.orig}") from error


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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Process bounces, complaints, replies and unsubscribe mails."""
    if kept:
        _show_kept(output, as_json)
    elif listen_on:
        _listen(listen_on)
    elif imap:
        _poll(every, as_json)
    elif files:
        _read_files(files, as_json)
    else:
        raise UsageError(
            "name the mails to read (- is standard input), or use --imap, --listen or --kept"
        )


def _read_files(files: list[str], as_json: bool) -> None:
    # With --json somebody reads the answer; an MTA's pipe has only the exit code.
    is_pipe = STANDARD_INPUT in files and not as_json
    try:
        intake, why_not = _open(load_settings())
        intake.quiet = as_json
        _take_in(intake, files)
    except (DatabaseError, SettingsError) as error:
        if not is_pipe:
            raise
        err.print(f"[bold red]error:[/] {escape(str(error))}")
        raise typer.Exit(TRY_AGAIN) from error
    if as_json:
        print_json({"messages": intake.messages})
    if why_not:
        err.print(f"[yellow]nothing was recorded:[/] {escape(why_not)}")
    if why_not and is_pipe:
        raise typer.Exit(TRY_AGAIN)
    if intake.failed:
        raise typer.Exit(InputError.exit_code)


def _take_in(intake: _Intake, files: list[str]) -> None:
    for name in files:
        try:
            for incoming in mails([name]):
                intake.take(incoming)
        except InputError as error:
            # The others are read all the same.
            intake.complain(error)


def _open(settings: Settings) -> tuple[_Intake, str]:
    """An intake that records, or one that only reads and the reason for it."""
    if not settings.secret_keys:
        return _Intake(None, None), "NEWSLETTER_SECRET_KEYS is not set"
    if _is_missing_file(settings.database_url):
        return _Intake(None, None), "there is no database yet: run `newsletter db upgrade`"
    engine = database.connect(settings.database_url)
    if database.revision(engine) is None:
        return _Intake(None, None), "the database has no tables yet: run `newsletter db upgrade`"
    database.require_current(engine)
    return _Intake(engine, Signer(settings.keys)), ""


def _is_missing_file(url: str) -> bool:
    """An SQLite file that is not there; looking into it would make it."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return False  # db.connect says what is wrong with it
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in {
        None,
        "",
        ":memory:",
    }
    return is_file and not Path(str(parsed.database)).exists()


def _poll(every: int, as_json: bool) -> None:
    settings, engine = open_database("secret_keys", "imap_url")
    mailbox = parse_mailbox(settings.imap_url.get_secret_value() if settings.imap_url else "")
    intake = _Intake(engine, Signer(settings.keys), quiet=as_json)
    while True:
        try:
            taken = poll(mailbox, intake.take)
        except InputError as error:
            if not every:
                raise
            # The mailbox may be back the next time.
            err.print(f"[bold red]error:[/] {escape(str(error))}")
        else:
            err.print(f"{escape(mailbox.shown)}: {taken} new")
        if not every:
            break
        intake.messages.clear()
        time.sleep(every)
    if as_json:
        print_json({"messages": intake.messages})


def _listen(url: str) -> None:
    address = parse_listen_address(url)
    settings, engine = open_database("secret_keys", "from_address")
    domains = {settings.from_domain.lower(), (settings.bounce_domain or "").lower()} - {""}
    signer = Signer(settings.keys)
    intake = _Intake(engine, signer)

    def handle(incoming: Incoming) -> None:
        intake.handle(incoming)
        intake.messages.clear()

    async def serve() -> None:
        started = asyncio.Event()
        serving = asyncio.create_task(
            listen(address, Door(signer, domains, handle), started=started)
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if started.is_set():
            err.print(f"listening on {escape(url)} for {', '.join(sorted(domains))}")
        waiting.cancel()
        await serving

    try:
        asyncio.run(serve())
    except asyncio.CancelledError:
        err.print("stopped")


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
        out.print(escape(line))
    if output:
        err.print(f"{written} written to {escape(str(output))}")
    if not found:
        err.print("no unmatched messages")


def _as_json(incoming: Incoming, recorded: Recorded) -> dict[str, Any]:
    return {
        "file": incoming.name,
        "kind": recorded.outcome.kind,
        "matched": recorded.matched,
        "recipients": [
            {
                "address": recipient.address,
                "permanence": recipient.permanence,
                "status": recipient.status or None,
                "reason": recipient.reason,
                "delayed": recipient.delayed,
                "diagnostic": recipient.diagnostic,
            }
            for recipient in recorded.outcome.recipients
        ],
        "actions": list(recorded.actions),
    }


def _as_line(incoming: Incoming, recorded: Recorded) -> str:
    told = [
        f"{recipient.address} ({recipient.permanence}, {recipient.reason})"
        for recipient in recorded.outcome.recipients
    ]
    did = "; ".join(recorded.actions) or ("already recorded" if recorded.is_replay else "")
    whose = did or ("nothing to do" if recorded.matched else "matches no delivery")
    return f"{incoming.name}: {recorded.outcome.kind} {', '.join(told)} → {whose}".replace(
        "  ", " "
    )
