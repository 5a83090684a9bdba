"""A whole service for browser tests: papers, pages, and mails through a real SMTP sink."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.resources import as_file, files
from pathlib import Path

from sqlalchemy import Engine

from newsletter.core import database
from newsletter.core.config import Settings
from newsletter.core.tokens import Signer
from newsletter.demo.mailbox import Letter, Mailbox, MailboxServer
from newsletter.editions import lifecycle, preparation
from newsletter.messages.renderer import Renderer
from newsletter.papers.ingest import ingest_file
from newsletter.ranking.profiles import training
from newsletter.sending.mailer import RunOptions, SendRun
from newsletter.sending.transports.smtp import SmtpTransport, parse_relay
from newsletter.web import create_app
from tests.support.live_site import free_port, serving
from tests.support.visits import KEY

TODAY = date(2026, 11, 20)  # a Friday


@dataclass
class Service:
    """A running site, its database, and the inbox that its mails arrive in."""

    url: str
    engine: Engine
    settings: Settings
    mailbox: Mailbox

    def send(self, issue_date: date | None = None) -> list[Letter]:
        """Prepare and send an edition, or with no date what waits beside; gives new mails."""
        before = len(self.mailbox.letters())
        edition_id = None
        if issue_date is not None:
            edition = preparation.prepare(self.engine, issue_date, message_domain="papers.example")
            lifecycle.start_sending(self.engine, edition.edition_id)
            edition_id = edition.edition_id
        relay = parse_relay(self.settings.relay_url)
        renderer = Renderer(self.settings, Signer(self.settings.keys))
        options = RunOptions(of=edition_id)
        run = SendRun(self.engine, renderer, lambda: SmtpTransport(relay), options)
        # Playwright keeps a loop of its own in this thread.
        with ThreadPoolExecutor(1) as other:
            other.submit(asyncio.run, run.run()).result()
        return self.mailbox.letters()[before:]


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    """A service with the sample papers, trained, and nobody subscribed."""
    engine = database.connect(f"sqlite:///{folder / 'newsletter.db'}")
    database.upgrade(engine)
    with as_file(files("newsletter.demo") / "sample" / "papers.jsonl") as sample:
        ingest_file(engine, sample)
    training.train(engine)
    inbox = folder / "inbox"
    inbox.mkdir()
    mailbox = Mailbox(inbox)
    sink = MailboxServer(mailbox)
    sink.start()
    port = free_port()
    settings = Settings(
        secret_keys=KEY,
        from_address="papers@papers.example",
        postal_address="1 Paper Street, 12345 Example",
        base_url=f"http://127.0.0.1:{port}",
        smtp_url=f"smtp://127.0.0.1:{sink.port}?starttls=false",
    )
    try:
        with serving(create_app(engine, settings), port) as url:
            yield Service(url, engine, settings, mailbox)
    finally:
        sink.stop()
        engine.dispose()


def links(letter: Letter, containing: str = "") -> list[str]:
    """The links of a mail's HTML, each once, in order."""
    found = re.findall(r'href="([^"]+)"', letter.part("html"))
    return [link for link in dict.fromkeys(found) if containing in link]
