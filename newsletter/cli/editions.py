"""Commands around an edition: prepare, preview, retry, pause, cancel."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from newsletter.cli.common import DateOption, err, open_database, out, today
from newsletter.cli.progress import progress_bar
from newsletter.core.config import Settings
from newsletter.core.errors import UsageError
from newsletter.core.models import DeliveryStatus
from newsletter.core.tokens import Signer
from newsletter.editions import lifecycle
from newsletter.editions import preview as previews
from newsletter.messages.lint import check_message
from newsletter.messages.renderer import Renderer


def make_renderer(settings: Settings) -> Renderer:
    """The renderer for these settings.

    Raises:
        SettingsError: a needed setting is missing.
    """
    return Renderer(settings, Signer(settings.keys))


def prepare(date: DateOption = None) -> None:
    """Rank the papers for everyone who is due, and freeze the edition."""
    settings, engine = open_database("from_address")
    with progress_bar("preparing digests") as progress:
        done = lifecycle.prepare(
            engine,
            date or today(),
            message_domain=settings.from_domain,
            sources=settings.sources,
            model=settings.feature_model,
            progress=progress,
        )
    out.print(
        f"edition {date or today()}: {done.new} digests prepared, "
        f"{done.nothing} subscribers with nothing to get, {done.due} due"
    )


def preview(
    email: Annotated[str, typer.Argument(help="The subscriber's address.")],
    date: DateOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to F.html or F.eml; else print text.")
    ] = None,
) -> None:
    """Look at one subscriber's digest; nothing is sent."""
    settings, engine = open_database("from_address", "secret_keys")
    digest = previews.preview(engine, email, date or today(), settings.feature_model)
    renderer = make_renderer(settings)
    message = renderer.digest(digest).data
    if output is None:
        out.print(escape(renderer.parts(digest).text))
    elif output.suffix == ".html":
        _write(output, renderer.parts(digest).html.encode(), "a browser")
    elif output.suffix == ".eml":
        _write(output, message, "a mail program")
    else:
        raise UsageError(f"--output {output}: the name must end in .html or .eml")
    err.print(
        escape(
            f"{len(digest.papers)} papers, {len(message) / 1024:.0f} KB; subject: {digest.subject}"
        )
    )
    for check in check_message(message, spam=output is not None):
        mark = {True: "good", False: "not good", None: "unknown"}[check.passed]
        err.print(escape(f"  {mark}: {check.name}: {check.found}"))


def _write(path: Path, content: bytes, program: str) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"--output {path}: {error.strerror}") from error
    err.print(escape(f"written to {path}: open it in {program}"))


def retry(
    date: DateOption = None,
    wanted: Annotated[
        list[DeliveryStatus] | None,
        typer.Option("--status", help="Which ones; may be given more than once."),
    ] = None,
) -> None:
    """Queue again what failed, expired or is uncertain; then run `newsletter send`."""
    again = wanted or [
        DeliveryStatus.FAILED,
        DeliveryStatus.EXPIRED,
        DeliveryStatus.DEFERRED,
        DeliveryStatus.UNCERTAIN,
    ]
    allowed = {
        DeliveryStatus.FAILED,
        DeliveryStatus.EXPIRED,
        DeliveryStatus.DEFERRED,
        DeliveryStatus.UNCERTAIN,
    }
    refused = [status.value for status in again if status not in allowed]
    if refused:
        raise UsageError(
            f"--status {refused[0]}: only {', '.join(sorted(allowed))} can be tried again"
        )
    _, engine = open_database()
    number = lifecycle.retry(engine, date or today(), again)
    queued = "1 delivery" if number == 1 else f"{number} deliveries"
    out.print(
        f"{queued} queued again: run `newsletter send` to try them (who left, or is suppressed, "
        "gets nothing)"
    )


def pause(date: DateOption = None) -> None:
    """Stop an edition from going out, in every process; `newsletter send` goes on."""
    _, engine = open_database()
    lifecycle.pause(engine, date or today())
    out.print("paused: messages in flight finish, no other begins")


def cancel(date: DateOption = None) -> None:
    """End an edition for good; what was not sent is not sent."""
    _, engine = open_database()
    number = lifecycle.cancel(engine, date or today())
    out.print(f"cancelled: {number} {'delivery' if number == 1 else 'deliveries'} will not be made")
