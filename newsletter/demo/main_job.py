"""The demo's main job: sample papers and subscribers to digests in a real mailbox."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from newsletter import db, editions, profiles
from newsletter.config import Settings
from newsletter.db import session_scope, utc_now
from newsletter.errors import UsageError
from newsletter.mailer import SendRun
from newsletter.models import Signal
from newsletter.render import Renderer
from newsletter.tokens import Signer
from newsletter.transports.smtp import SmtpTransport, parse_relay

DATABASE = "newsletter.db"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Liking:
    """What a sample subscriber said about a paper, found by a part of its title."""

    email: str
    title: str
    signal: Signal


def make_folder(folder: Path) -> None:
    """An empty place for the demo; what an earlier demo left there is removed.

    Raises:
        UsageError: the folder holds something that no demo made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / DATABASE).exists():
        raise UsageError(f"{folder} is not empty and was not made by a demo: name another folder")
    for pattern in (f"{DATABASE}*", "*.eml", "newsletter.toml"):
        for path in folder.glob(pattern):
            path.unlink()


def make_settings(folder: Path, *, port: int, smtp_port: int) -> Settings:
    """Settings of the demo, written to the folder too, so that every command works in it."""
    values = {
        "database_url": f"sqlite:///{folder.resolve() / DATABASE}",
        "smtp_url": f"smtp://127.0.0.1:{smtp_port}",
        "base_url": f"http://127.0.0.1:{port}",
        "secret_keys": secrets.token_hex(32),
        "from": "papers@demo.example",
        "site_name": "Paper digest",
        "postal_address": "Paper digest, 1 Example Street, 12345 Exampleton",
    }
    path = folder / "newsletter.toml"
    path.touch(mode=0o600)
    lines = (f'{name} = "{_toml(value)}"\n' for name, value in values.items())
    path.write_text("# Settings of the demo in this folder.\n" + "".join(lines), encoding="utf-8")
    return Settings(**values)  # type: ignore[arg-type]  (read from text, as from the file)


def _toml(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def run(settings: Settings, say: Say) -> Engine:
    """Ingest, sign up, train, prepare and send; returns the database to look around in."""
    engine = db.connect(settings.database_url)
    db.upgrade(engine)
    signer = Signer(settings.keys)
    issue_date = utc_now().date()
    _ingest(engine, say)
    _sign_up(engine, signer, issue_date, say)
    with session_scope(engine) as session:
        report = profiles.train(session)
    say(f"trained   {report.topics} topics on {report.papers} papers")
    prepared = editions.prepare(engine, issue_date, message_domain=settings.from_domain)
    say(f"prepared  {prepared.new} digests for the edition of {issue_date}")
    editions.start_sending(engine, prepared.edition_id)
    relay = parse_relay(settings.relay_url)
    sending = SendRun(
        engine,
        Renderer(settings, signer),
        lambda: SmtpTransport(relay),
        edition_id=prepared.edition_id,
    )
    tally = asyncio.run(sending.run())
    editions.finish_if_done(engine, prepared.edition_id)
    say(f"sent      {tally.done} messages over SMTP to the built-in mailbox at {relay}")
    return engine
