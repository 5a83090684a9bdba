"""`newsletter broadcast`: a message of the operator's to all active subscribers, or some."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from sqlalchemy import Engine

from newsletter.cli.common import open_database, today
from newsletter.cli.console import err, out
from newsletter.cli.send_progress import Stop
from newsletter.cli.sender import NOBODY, Sender, check_ready, hand_over, parse_rate
from newsletter.core.config import Settings
from newsletter.core.database import read_scope
from newsletter.core.errors import InputError, StoppedError, UsageError
from newsletter.core.models import Cadence, Subscriber
from newsletter.core.tokens import Signer
from newsletter.editions import broadcasts
from newsletter.editions.broadcasts import Audience
from newsletter.messages.broadcast import BroadcastMessage, blocks_of
from newsletter.messages.broadcast_renderer import BroadcastRenderer
from newsletter.messages.builder import MessageMaker
from newsletter.messages.lint import LARGEST_HTML
from newsletter.messages.wording import count_in_words, one_line
from newsletter.sending.ledger import OfBroadcast
from newsletter.sending.mailer import SendPlan
from newsletter.sending.transports.files import FileTransport
from newsletter.sending.transports.smtp import parse_relays
from newsletter.subscribers.validation import normalise_email

LONGEST_SUBJECT = 200
LARGEST_FILE = 1_000_000  # bytes; the text itself is checked by characters


def broadcast(
    subject: Annotated[str, typer.Option("--subject", help="Subject of the mail.")],
    file: Annotated[Path, typer.Option("--file", help="The text, as a Markdown file.")],
    topic: Annotated[
        str | None, typer.Option("--topic", help="Only readers with a topic of this name.")
    ] = None,
    cadence: Annotated[
        Cadence | None, typer.Option("--cadence", help="Only readers with this cadence.")
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", help="Only the reader with this address.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say who would get it; with --output DIR write .eml files there."
        ),
    ] = False,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Show the mail; with --output F.html or F.eml as file."),
    ] = False,
    test: Annotated[
        str | None, typer.Option("--test", help='Mail a copy marked "[Test]" to this address only.')
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="File of a preview, or folder of a dry run.")
    ] = None,
    connections: Annotated[
        int, typer.Option("--connections", min=1, max=100, help="Number of connections.")
    ] = 4,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", parser=parse_rate, metavar="N/s", help="Maximum messages per second."
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Send a second broadcast today, or despite other warnings."),
    ] = False,
) -> None:
    """Mail a message to all active subscribers, or some; run it again to resume."""
    subject, body = _subject(subject), _body(file)
    if sum((dry_run, preview, test is not None)) > 1:
        raise UsageError("use one of --dry-run, --preview and --test at a time")
    if output is not None and not (dry_run or preview):
        raise UsageError("--output goes with --preview or --dry-run")
    needed = ("from_address", "secret_keys") + (() if dry_run or preview else ("smtp_url",))
    settings, engine = open_database(*needed)
    audience = Audience(topic, cadence, only)
    with read_scope(engine) as session:
        readers = broadcasts.recipients(session, audience)
    first = readers[0] if readers else None
    message = broadcasts.sample(first, subject, body, settings.from_domain)
    _check_size(settings, message, file)
    if preview:
        _preview(settings, message, output)
    elif test is not None:
        _send_test(settings, message, test)
    elif dry_run:
        _dry_run(engine, settings, audience, message, output, force=force)
    else:
        relays = parse_relays(settings.relay_url)
        check_ready(settings, relays, force=force)
        number = broadcasts.open_broadcast(engine, subject, body, today(), force=force)
        added = broadcasts.fill(engine, number, audience, message_domain=settings.from_domain)
        out.print(f"broadcast {number}: {count_in_words(added, 'reader')} added")
        plan = SendPlan(
            settings=settings, connections=connections, rate=rate, checks_reputation=not force
        )
        stop = Stop()
        stop.listen()
        raise typer.Exit(Sender(engine, plan, 1, stop).issue(OfBroadcast(number)))


def _renderer(settings: Settings) -> BroadcastRenderer:
    signer = Signer(settings.keys)
    return BroadcastRenderer(settings, signer, MessageMaker(settings, signer))


def _subject(typed: str) -> str:
    subject = one_line(typed)
    if not subject or "\n" in typed or len(subject) > LONGEST_SUBJECT:
        raise UsageError(f"--subject: write one line of 1 to {LONGEST_SUBJECT} characters")
    return subject


def _body(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise UsageError(f"--file {file}: more than {LARGEST_FILE // 1000} KB")
        body = content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--file {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8: save it as UTF-8 text", where=f"--file {file}") from error
    blocks_of(body, f"--file {file}")
    return body


def _check_size(settings: Settings, message: BroadcastMessage, file: Path) -> None:
    size = len(_renderer(settings).parts(message)[0].encode())
    if size > LARGEST_HTML:
        raise UsageError(
            f"--file {file}: {size // 1024} KB as a mail, and Gmail cuts off what is over "
            f"{LARGEST_HTML // 1024} KB: make it shorter and link to the rest"
        )


def _preview(settings: Settings, message: BroadcastMessage, output: Path | None) -> None:
    renderer = _renderer(settings)
    html, text = renderer.parts(message)
    if output is None:
        out.print(escape(f"Subject: {message.subject}\n\n{text}"))
        return
    if output.suffix not in {".html", ".eml"}:
        raise UsageError(f"--output {output}: the name must end in .html or .eml")
    is_page = output.suffix == ".html"
    try:
        output.write_bytes(html.encode() if is_page else renderer.envelope(message).data)
    except OSError as error:
        raise UsageError(f"--output {output}: {error.strerror}") from error
    err.print(f"wrote {output}: open it in {'a browser' if is_page else 'a mail program'}")


def _send_test(settings: Settings, message: BroadcastMessage, to: str) -> None:
    address = normalise_email(to)
    copy = replace(
        message,
        to_address=address,
        to_name="",
        public_id=NOBODY,
        subject=f"[Test] {message.subject}",
    )
    envelope = _renderer(settings).envelope(copy)
    answer = asyncio.run(hand_over(parse_relays(settings.relay_url), envelope))
    out.print(f"a test copy was sent to {address}: {answer}", markup=False)


def _dry_run(
    engine: Engine,
    settings: Settings,
    audience: Audience,
    message: BroadcastMessage,
    output: Path | None,
    *,
    force: bool,
) -> None:
    with read_scope(engine) as session:
        known = broadcasts.begun(session, message.subject, message.body, today())
        if known is None:
            broadcasts.require_first_today(session, today(), force=force)
        known_id = known.id if known else None
        readers = broadcasts.recipients(session, audience, known_id)
        had = broadcasts.total(session, known_id) if known_id is not None else 0
    if output is not None:
        try:
            asyncio.run(_write(settings, readers, message, output))
        except OSError as error:
            raise StoppedError(
                f"cannot write {error.filename or output}: {error.strerror}"
            ) from error
    again = f"; {had} have it already, or have it queued" if known_id is not None else ""
    wrote = f", written to {output}" if output is not None else ""
    number = count_in_words(len(readers), "reader")
    out.print(
        f"dry run: {number} would get this broadcast{wrote}{again}; "
        "nothing was sent and nothing was changed",
        markup=False,
    )


async def _write(
    settings: Settings, readers: Sequence[Subscriber], message: BroadcastMessage, folder: Path
) -> None:
    renderer, transport = _renderer(settings), FileTransport(folder)
    for number, reader in enumerate(readers, start=1):
        own = broadcasts.sample(reader, message.subject, message.body, settings.from_domain)
        await transport.send(renderer.envelope(replace(own, delivery_id=number)))
