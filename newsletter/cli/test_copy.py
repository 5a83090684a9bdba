"""`newsletter test-send`: one digest to any address, as often as wanted; nothing is recorded."""

import asyncio
from dataclasses import replace
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.cli.common import open_database, today
from newsletter.cli.console import out
from newsletter.cli.preview import make_renderer
from newsletter.cli.sender import NOBODY, hand_over
from newsletter.core.database import read_scope
from newsletter.core.errors import UsageError
from newsletter.core.models import Subscriber, SubscriberStatus
from newsletter.editions.preview import preview
from newsletter.sending.transports.smtp import parse_relays
from newsletter.subscribers.validation import normalise_email


def send_copy(
    email: Annotated[str, typer.Argument(help="Where the copy goes.")],
    reader: Annotated[
        str | None,
        typer.Option("--as", help="Whose digest; else that of EMAIL, or the first subscriber's."),
    ] = None,
) -> None:
    """Mail a copy of a digest, marked "[Test]"; nothing is recorded, its links change nothing."""
    settings, engine = open_database("from_address", "secret_keys", "smtp_url")
    address = normalise_email(email)
    wanted = reader or _subscriber(engine, address)
    digest = preview(engine, wanted, today(), settings.feature_model)
    copy = replace(
        digest,
        delivery_id=0,
        subscriber_public_id=NOBODY,
        to_address=address,
        to_name="",
        subject=f"[Test] {digest.subject}",
        message_id=f"test-{digest.message_id.partition('@')[0]}@{settings.from_domain}",
    )
    envelope = make_renderer(settings).digest(copy)
    answer = asyncio.run(hand_over(parse_relays(settings.relay_url), envelope))
    out.print(f"the digest of {wanted} was sent to {address}: {answer}", markup=False)


def _subscriber(engine: Engine, address: str) -> str:
    """The address itself if it is a subscriber's, else the first active subscriber's."""
    with read_scope(engine) as session:
        query = select(Subscriber.email).where(Subscriber.status == SubscriberStatus.ACTIVE)
        own = session.exec(query.where(Subscriber.email == address)).first()
        first = session.exec(query.order_by(col(Subscriber.email)).limit(1)).first()
    if own is None and first is None:
        raise UsageError("there is no active subscriber whose digest could be sent")
    return own or first or ""
