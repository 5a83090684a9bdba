"""`newsletter send --dry-run`: every unsent digest as a file; the ledger is left alone."""

import asyncio
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.cli.common import err, out
from newsletter.core.database import read_scope
from newsletter.core.errors import StoppedError
from newsletter.core.models import Delivery
from newsletter.messages import digest
from newsletter.messages.renderer import Renderer
from newsletter.sending import ledger
from newsletter.sending.mailer.attempt import UNRENDERABLE
from newsletter.sending.transports.files import FileTransport


def dry_run(engine: Engine, renderer: Renderer, edition_id: int, folder: Path) -> int:
    """Write the edition's unsent messages to ``folder``; returns an exit code.

    A digest that cannot be rendered is told in a line and keeps no other from being written.

    Raises:
        StoppedError: the folder cannot be written.
    """
    try:
        written, failed = asyncio.run(_write(engine, renderer, edition_id, folder))
    except OSError as error:
        raise StoppedError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    out.print(
        f"dry run: {written} messages written to {folder}, nothing sent; the edition is now "
        "prepared, as `newsletter prepare` would do"
        + (f"; {failed} cannot be rendered" if failed else "")
    )
    return 1 if failed else 0


async def _write(
    engine: Engine, renderer: Renderer, edition_id: int, folder: Path
) -> tuple[int, int]:
    transport = FileTransport(folder)
    written = failed = 0
    with read_scope(engine) as session:
        contents = digest.Contents(digest.load_contents(session, edition_id))
        rows = session.exec(
            select(Delivery.id, Delivery.to_address)
            .where(
                Delivery.edition_id == edition_id,
                col(Delivery.status).in_(ledger.UNFINISHED),
            )
            .order_by(col(Delivery.id))
        ).all()
        for number, address in rows:
            delivery_id = number or 0
            try:
                [loaded] = digest.load(session, [delivery_id], contents).values()
                envelope = renderer.digest(loaded)
            except UNRENDERABLE as error:
                err.print(f"{address!r} (delivery {delivery_id}): {error}", markup=False)
                failed += 1
                continue
            await transport.send(envelope)
            written += 1
    return written, failed
