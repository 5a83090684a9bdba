"""What `newsletter send --due --watch` does on a real site, in a thread of the demo."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from newsletter.core.config import Settings
from newsletter.core.database import read_scope, utc_now
from newsletter.core.tokens import Signer
from newsletter.editions import lifecycle, preparation, schedule
from newsletter.messages.renderer import Renderer
from newsletter.sending import ledger
from newsletter.sending.mailer import RunOptions, SendRun, Tally
from newsletter.sending.transports.smtp import SmtpTransport, parse_relay

# Short enough that a confirmation is there when its reader has found the inbox page.
SECONDS = 2.0


def send(engine: Engine, settings: Settings, edition_id: int | None) -> Tally:
    """Send what waits of an edition, or of none: confirmations and account links."""
    relay = parse_relay(settings.relay_url)
    run = SendRun(
        engine,
        Renderer(settings, Signer(settings.keys)),
        lambda: SmtpTransport(relay),
        RunOptions(of=edition_id),
    )
    return asyncio.run(run.run())


def send_due(engine: Engine, settings: Settings) -> None:
    """Send what has been asked for and what is due by now."""
    with read_scope(engine) as session:
        is_asked = ledger.is_unfinished(session, None)
        due = schedule.due(session, utc_now())
    if is_asked:
        send(engine, settings, None)
    for issue_date, ids in due.items():
        prepared = preparation.prepare(
            engine, issue_date, message_domain=settings.from_domain, subscriber_ids=ids
        )
        if prepared.new:
            lifecycle.start_sending(engine, prepared.edition_id)
            send(engine, settings, prepared.edition_id)
            lifecycle.finish_if_done(engine, prepared.edition_id)


@contextmanager
def postman(engine: Engine, settings: Settings) -> Iterator[None]:
    """Send what is due every few seconds until the end of the block."""
    over = threading.Event()

    def walk() -> None:
        while not over.wait(SECONDS):
            send_due(engine, settings)

    thread = threading.Thread(target=walk, name="postman", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=10)
