"""`newsletter send --dry-run`: what would go out, as files; no row changes."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from newsletter.cli.console import err, out
from newsletter.core.errors import StoppedError
from newsletter.messages.digest import Digest
from newsletter.messages.renderer import Renderer
from newsletter.sending.mailer.attempt import UNRENDERABLE
from newsletter.sending.transports.files import FileTransport


def dry_run(digests: Iterable[Digest], renderer: Renderer, folder: Path, limit: int | None) -> int:
    """Write the first ``limit`` messages, or all, to ``folder``; returns an exit code.

    A digest that cannot be rendered is reported and does not stop the others.

    Raises:
        StoppedError: the folder cannot be written.
    """
    try:
        written, failed = asyncio.run(_write(digests, renderer, folder, limit))
    except OSError as error:
        raise StoppedError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    messages = "1 message" if written == 1 else f"{written} messages"
    out.print(
        f"dry run: {messages} written to {folder}; nothing was sent and nothing was changed"
        + (f"; {failed} cannot be rendered" if failed else ""),
        markup=False,
    )
    return 1 if failed else 0


async def _write(
    digests: Iterable[Digest], renderer: Renderer, folder: Path, limit: int | None
) -> tuple[int, int]:
    transport = FileTransport(folder)
    written = failed = 0
    for digest in digests:
        if written == limit:
            break
        try:
            envelope = renderer.digest(digest)
        except UNRENDERABLE as error:
            err.print(f"{digest.to_address!r}: {error}", markup=False)
            failed += 1
            continue
        await transport.send(envelope)
        written += 1
    return written, failed
