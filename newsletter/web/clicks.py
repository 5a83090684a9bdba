"""Counting clicks, where the operator has switched it on: a signed redirect to the paper.

The destination comes from the paper's row, never from the address, so this redirects nowhere
else. Clicks never change what a digest holds: mail scanners click too (bulk-mail law 22).
"""

from datetime import timedelta

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from newsletter import wording
from newsletter.db import utc_now
from newsletter.models import Delivery, DeliveryEvent, DigestItem, EventKind, Paper
from newsletter.tokens import Purpose
from newsletter.web.site import RowId, SiteDep

router = APIRouter()
PROVIDER = "pages"
# Scanners open links while the message is being delivered; people first have to see it.
SOON = timedelta(seconds=30)
# Who has opened this many links within SOON of the first opens all of them.
BURST = 4


@router.head("/click/{token}/{paper_id}")
def look(site: SiteDep, token: str, paper_id: RowId) -> RedirectResponse:
    """Where it leads; people's programs do not ask this way, so nothing is counted."""
    with site.reading() as session:
        _, paper = _found(session, site.delivery_of(Purpose.CLICK, token), paper_id)
    return RedirectResponse(_address(paper), 302)


@router.get("/click/{token}/{paper_id}")
def click(site: SiteDep, request: Request, token: str, paper_id: RowId) -> RedirectResponse:
    """Lead on to the paper, and count it once where counting is on."""
    delivery_id = site.delivery_of(Purpose.CLICK, token)
    if not site.settings.count_clicks:
        with site.reading() as session:
            _, paper = _found(session, delivery_id, paper_id)
        return RedirectResponse(_address(paper), 302)
    with site.writing() as session:
        delivery, paper = _found(session, delivery_id, paper_id)
        dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
        session.execute(
            dialect.insert(DeliveryEvent)
            .values(
                delivery_id=delivery_id,
                kind=EventKind.CLICKED,
                provider=PROVIDER,
                provider_event_id=f"click {delivery_id} {paper_id}",
                occurred_at=utc_now(),
                detail="machine" if _by_machine(session, delivery) else "person",
            )
            .on_conflict_do_nothing(index_elements=["provider", "provider_event_id"])
        )
    return RedirectResponse(_address(paper), 302)


def _found(session: Session, delivery_id: int, paper_id: int) -> tuple[Delivery, Paper]:
    found = session.exec(
        select(Delivery, Paper)
        .join(DigestItem, col(DigestItem.delivery_id) == col(Delivery.id))
        .join(Paper, col(Paper.id) == col(DigestItem.paper_id))
        .where(Delivery.id == delivery_id, Paper.id == paper_id)
    ).one_or_none()
    if found is None:
        raise HTTPException(410)
    return found


def _address(paper: Paper) -> str:
    address = wording.safe_url(paper.url)
    if address is None:
        raise HTTPException(410)
    return address


def _by_machine(session: Session, delivery: Delivery) -> bool:
    """Within seconds of delivery, or one of many links at once."""
    now = utc_now()
    if delivery.finished_at is None or now - delivery.finished_at < SOON:
        return True
    burst = session.exec(
        select(DeliveryEvent.id).where(
            DeliveryEvent.delivery_id == delivery.id,
            DeliveryEvent.kind == EventKind.CLICKED,
            col(DeliveryEvent.occurred_at) > now - SOON,
        )
    ).all()
    return len(burst) >= BURST - 1
