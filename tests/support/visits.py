"""Visits to the site in tests: a server, a client, and rows to look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, select

from newsletter.core.config import Settings
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Delivery, DeliveryKind, DeliveryStatus, Subscriber
from newsletter.core.tokens import Purpose, Signer
from newsletter.subscribers import accounts
from newsletter.subscribers.validation import TypedTopic
from newsletter.web import create_app
from tests.support.factories import make_digest, make_edition, make_paper
from tests.support.live_site import serving

KEY = "a key for tests" * 3
SIGNER = Signer((KEY,))
EMAIL = "countess@reader.example"


@contextmanager
def visit(engine: Engine, **settings: Any) -> Iterator[httpx.Client]:
    """A client of the site on ``engine``, which follows no redirect."""
    values: dict[str, Any] = {"secret_keys": KEY, "from_address": "papers@papers.example"}
    app = create_app(engine, Settings(**(values | settings)))
    with serving(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def everything(engine: Engine) -> dict[str, list[str]]:
    """Every row of every table."""
    with engine.connect() as connection:
        return {
            name: sorted(repr(tuple(row)) for row in connection.execute(table.select()))
            for name, table in SQLModel.metadata.tables.items()
        }


def add_reader(engine: Engine, email: str = EMAIL, **fields: Any) -> str:
    """An active subscriber with one topic; returns the public id."""
    values: dict[str, Any] = {
        "topics": [TypedTopic.read({"name": "Engines", "keywords": ["engine"]})],
        "confirmed": True,
        "source": "test",
    }
    with session_scope(engine) as session:
        return accounts.add(session, SIGNER, email=email, **(values | fields)).public_id


def reader_of(session: Session, public_id: str) -> Subscriber:
    found = accounts.find(session, public_id)
    assert found is not None
    return found


def send_digest(engine: Engine, public_id: str, count: int = 2) -> tuple[int, list[int]]:
    """A sent digest of new papers: its delivery's id and theirs."""
    with session_scope(engine) as session:
        seen = datetime(2026, 11, 20, 6, tzinfo=UTC)
        papers = [make_paper(session, number, first_seen_at=seen) for number in range(1, count + 1)]
        delivery = make_digest(
            session, make_edition(session), reader_of(session, public_id), papers
        )
        delivery.status, delivery.finished_at = DeliveryStatus.SENT, utc_now()
        return delivery.id or 0, [paper.id or 0 for paper in papers]


def preferences(public_id: str) -> str:
    return f"/preferences/{SIGNER.sign(Purpose.PREFERENCES, public_id)}"


def notes(engine: Engine) -> list[tuple[DeliveryKind, str]]:
    """Messages waiting that are no digests: (kind, address)."""
    with read_scope(engine) as session:
        rows = session.exec(select(Delivery).where(Delivery.kind != DeliveryKind.DIGEST))
        return [(row.kind, row.to_address) for row in rows]
