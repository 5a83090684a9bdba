"""`newsletter inbound --imap` and `--listen`: mail that is fetched, and mail that is delivered."""

import asyncio
import signal
import time

from rich.markup import escape

from newsletter.cli.common import open_database, print_json
from newsletter.cli.console import err
from newsletter.cli.intake import Intake
from newsletter.core.errors import InputError
from newsletter.core.tokens import Signer
from newsletter.inbound.files import Incoming
from newsletter.inbound.imap import parse_mailbox, poll
from newsletter.inbound.lmtp import SmtpHandler, listen, parse_listen_address


def poll_imap(every: int, as_json: bool) -> None:
    """Read the unseen mail of NEWSLETTER_IMAP_URL, once or every so many seconds."""
    settings, engine = open_database("secret_keys", "imap_url")
    mailbox = parse_mailbox(settings.imap_url.get_secret_value() if settings.imap_url else "")
    intake = Intake(engine, Signer(settings.keys), quiet=as_json)
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


def listen_on(url: str) -> None:
    """Take mail in as an LMTP or SMTP server until stopped."""
    address = parse_listen_address(url)
    settings, engine = open_database("secret_keys", "from_address")
    domains = {settings.from_domain.lower(), (settings.bounce_domain or "").lower()} - {""}
    signer = Signer(settings.keys)
    intake = Intake(engine, signer)

    def handle(incoming: Incoming) -> None:
        intake.handle(incoming)
        intake.messages.clear()

    own = (settings.from_address or "").rpartition("@")[0]
    mailboxes = {own, *settings.inbound_mailboxes}
    handler = SmtpHandler(signer, domains, handle, mailboxes=mailboxes)

    async def serve() -> None:
        started = asyncio.Event()
        serving = asyncio.create_task(listen(address, handler, started=started))
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
