"""For tests of sign-up: confirming as people do, and what is stored then."""

import httpx
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope
from newsletter.core.models import Delivery, DeliveryKind, Interest, InterestKind, Subscriber
from newsletter.core.tokens import Purpose
from tests.support.visits import SIGNER


def only(engine: Engine) -> Subscriber:
    with read_scope(engine) as session:
        return session.exec(select(Subscriber)).one()


def interests(engine: Engine) -> set[tuple[InterestKind, str]]:
    with read_scope(engine) as session:
        return {(row.kind, row.value) for row in session.exec(select(Interest))}


def confirm(client: httpx.Client, engine: Engine) -> None:
    """Press the button behind the confirmation link of everybody who was sent one."""
    with read_scope(engine) as session:
        ids = session.exec(
            select(Subscriber.public_id)
            .join(Delivery)
            .where(Delivery.kind == DeliveryKind.CONFIRMATION)
            .distinct()
        ).all()
    for public_id in ids:
        link = f"/confirm/{SIGNER.sign(Purpose.CONFIRM, public_id, lifetime=60)}"
        assert client.get(link).status_code == 200
        assert client.post(link).status_code == 200
