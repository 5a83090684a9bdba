"""The demo's main job: sample papers and subscribers to digests in a real mailbox."""

import secrets
from collections.abc import Callable
from datetime import date
from importlib.resources import as_file, files
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core import database
from newsletter.core.config import Settings, load_settings
from newsletter.core.database import session_scope, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.models import Cadence, Paper, Signal, Subscriber
from newsletter.core.secrets import create_private
from newsletter.core.tokens import Signer
from newsletter.demo.send import send
from newsletter.editions import lifecycle, preparation
from newsletter.papers.ingest import ingest_file
from newsletter.ranking.profiles import feedback, training
from newsletter.sending.transports.smtp import parse_relay
from newsletter.subscribers.bulk_import import import_csv

DATABASE = "newsletter.db"
SAMPLE = files("newsletter.demo") / "sample"
Say = Callable[[str], None]


# What sample subscribers said about papers, each found by a part of its title.
LIKINGS = (
    ("ada@demo.example", "The Art of Repair", Signal.RELEVANT),
    ("ada@demo.example", "SWE-smith", Signal.SAVED),
    ("ada@demo.example", "Multi-Hunk Patches", Signal.RELEVANT),
    ("ada@demo.example", "C-to-safe-Rust", Signal.NOT_RELEVANT),
    ("ada@demo.example", "Automated Code Review", Signal.NOT_RELEVANT),
)


def make_folder(folder: Path) -> None:
    """An empty place for the demo; what an earlier demo left there is removed.

    Raises:
        UsageError: the folder holds something that no demo made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / DATABASE).exists():
        raise UsageError(
            f"{folder} is not empty and was not made by the demo: choose another folder"
        )
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
        "postal_address": "1 Example Street, 12345 Exampleton",
    }
    path = folder / "newsletter.toml"
    create_private(path)
    lines = (f'{name} = "{_toml(value)}"\n' for name, value in values.items())
    path.write_text("# Settings of the demo in this folder.\n" + "".join(lines), encoding="utf-8")
    return load_settings(**values)


def _toml(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def run(settings: Settings, say: Say) -> Engine:
    """Ingest, sign up, train, prepare and send; returns the database to look around in."""
    engine = database.connect(settings.database_url)
    database.upgrade(engine)
    signer = Signer(settings.keys)
    issue_date = utc_now().date()
    _ingest(engine, say)
    _sign_up(engine, signer, issue_date, say)
    report = training.train(engine, model=settings.feature_model)
    say(f"trained   {report.topics} topics on {report.papers} papers")
    prepared = preparation.prepare(
        engine,
        issue_date,
        message_domain=settings.from_domain,
        model=settings.feature_model,
    )
    say(f"prepared  {prepared.new} digests for the edition of {issue_date}")
    lifecycle.start_sending(engine, prepared.edition_id)
    tally = send(engine, settings, prepared.edition_id)
    lifecycle.finish_if_done(engine, prepared.edition_id)
    relay = parse_relay(settings.relay_url)
    say(f"sent      {tally.done} messages over SMTP to the built-in mailbox at {relay}")
    return engine


def _ingest(engine: Engine, say: Say) -> None:
    with as_file(SAMPLE / "papers.jsonl") as path:
        outcome = ingest_file(engine, path)
    say(f"ingested  {outcome.new} new papers of {outcome.announced} announced")


def _sign_up(engine: Engine, signer: Signer, issue_date: date, say: Say) -> None:
    with as_file(SAMPLE / "subscribers.csv") as path:
        report = import_csv(engine, signer, path, confirmed=True)
    with session_scope(engine) as session:
        # The weekly subscriber's day is today, whenever the demo runs.
        for subscriber in session.exec(
            select(Subscriber).where(Subscriber.cadence == Cadence.WEEKLY)
        ):
            subscriber.weekday = issue_date.weekday()
        for email, title, signal in LIKINGS:
            _like(session, email, title, signal)
    say(f"signed up {report.added} subscribers")


def _like(session: Session, email: str, title: str, signal: Signal) -> None:
    subscriber = session.exec(select(Subscriber).where(Subscriber.email == email)).one()
    paper = session.exec(select(Paper).where(col(Paper.title).contains(title))).one()
    feedback.record(session, subscriber.id or 0, paper.id or 0, signal)
