"""An operator in tests: a client with a session, and the token of its forms."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import httpx
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.core import operator_sessions
from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import (
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    FetchLog,
    FetchStatus,
    NoDigest,
    SignUp,
    SubscriberStatus,
    SuppressionReason,
    SuppressionRemoval,
)
from newsletter.subscribers.suppression import suppress
from tests.support.factories import make_delivery, make_edition, make_subscriber
from tests.support.visits import SIGNER, visit


def pages_of(date: date) -> tuple[str, ...]:
    """The paths of all pages below ``/operator``, of a site as `fill_every_page` makes it."""
    return (
        *("", "/editions", "/subscribers", "/subscribers?q=nobody", "/subscribers/new"),
        *("/subscribers/1", "/subscribers/1/mail", "/subscribers/1/leave", "/addresses"),
        *("/sign-ups", "/suppressions", "/bounces", "/scorecard", "/forecast", "/jobs"),
        *(f"/editions/{date}{part}" for part in ("", "/cancel", "/without")),
    )


def fill_every_page(session: Session, date: date) -> None:
    """An edition in the middle, and something on every page."""
    now = utc_now()
    edition = make_edition(session, date)
    for number in range(60):
        address = f"reader-with-quite-a-long-name-{number:02}@department.university.example"
        is_waiting = number == 59
        reader = make_subscriber(
            session,
            address,
            address_hash=SIGNER.hash_address(address),
            name="Unbreakable" * 15 if number == 1 else "Ada",
            status=SubscriberStatus.PENDING if is_waiting else SubscriberStatus.ACTIVE,
            confirmed_at=None if is_waiting else now,
        )
        if is_waiting:
            session.add(SignUp(subscriber_id=reader.id or 0, asked={}))
            session.add(
                NoDigest(
                    edition_id=edition.id or 0, subscriber_id=reader.id or 0, reason="no papers"
                )
            )
            suppress(session, reader.address_hash, SuppressionReason.BOUNCED)
            continue
        is_failed = number < 3
        row = make_delivery(
            session,
            edition,
            reader,
            status=DeliveryStatus.FAILED if is_failed else DeliveryStatus.QUEUED,
            smtp_code=550 if is_failed else None,
            smtp_response="5.7.1 <script>document.title='owned'</script>" + "x" * 200,
            lease_until=now + timedelta(minutes=9) if number == 20 else None,
        )
        if is_failed:
            session.add(
                DeliveryEvent(
                    delivery_id=row.id,
                    kind=EventKind.BOUNCED,
                    provider="relay",
                    provider_event_id=str(number),
                )
            )
    session.add(
        FetchLog(
            source="arxiv",
            status=FetchStatus.FAILED,
            errors=[{"where": "query", "what": "answered 503" + "x" * 100}],
        )
    )
    session.add(
        SuppressionRemoval(address_hash="x", reason=SuppressionReason.BOUNCED, note="is back")
    )


def new_link(engine: Engine, hours: int = 8) -> str:
    """The path of a link that opens a session."""
    with session_scope(engine) as session:
        token = operator_sessions.new_link(session, SIGNER, hours=hours, now=utc_now())
    return f"/operator/open/{token}"


@contextmanager
def operating(engine: Engine, **settings: Any) -> Iterator[httpx.Client]:
    """A client that is signed in."""
    with visit(engine, **settings) as client:
        assert client.post(new_link(engine)).status_code == 303
        yield client


def token_in(page: httpx.Response) -> str:
    """The token of a page's forms."""
    found = re.search(r'name="token" value="([0-9a-f]{64})"', page.text)
    assert found, "the page has no form"
    return found[1]


def press(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Post a form as the pages do; follows no redirect."""
    token = token_in(client.get("/operator"))
    return client.post(path, data={"token": token, **fields})
