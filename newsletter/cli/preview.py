"""`newsletter preview`: show one subscriber's digest."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from newsletter.cli.common import DateOption, open_database, today
from newsletter.cli.console import err, out
from newsletter.core.config import Settings
from newsletter.core.errors import UsageError
from newsletter.core.tokens import Signer
from newsletter.editions import preview as previews
from newsletter.messages.lint import check_message
from newsletter.messages.renderer import Renderer


def make_renderer(settings: Settings) -> Renderer:
    """The renderer for these settings.

    Raises:
        SettingsError: a needed setting is missing.
    """
    return Renderer(settings, Signer(settings.keys))


def preview(
    email: Annotated[str, typer.Argument(help="The subscriber's address.")],
    date: DateOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Write to F.html or F.eml instead of printing text."),
    ] = None,
) -> None:
    """Show one subscriber's digest; nothing is sent."""
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
    err.print(escape(f"wrote {path}: open it in {program}"))
