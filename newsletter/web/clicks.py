"""Counting clicks, where the operator has switched it on: a signed redirect to the paper.

The destination comes from the paper's row, never from the address, so this redirects nowhere
else. A paper of a digest has one row at most: a machine's, which a person's later click makes a
person's. Mail scanners click too, so only the latter means anything (bulk-mail rule 22).
"""

from datetime import timedelta

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse
from sqlalchemy import and_, literal, update
from sqlmodel import Session, col, select

from newsletter.core.database import upsert, utc_now
from newsletter.core.models import ClickBy, Delivery, DeliveryEvent, DigestItem, EventKind, Paper
from newsletter.core.tokens import Purpose
from newsletter.messages import wording
from newsletter.web.site import RowId, SiteDep

router = APIRouter()
PROVIDER = "pages"
# Scanners open links while the message is being delivered; people first have to see it.
SOON = timedelta(seconds=30)
# A client that opens this many links within SOON of the first opens all of them.
BURST = 4
# What browsers and mail programs say when they prefetch.
_PREFETCHING = ("sec-purpose", "purpose", "x-purpose", "x-moz")


@router.head("/click/{token}/{paper_id}")
def look(site: SiteDep, token: str, paper_id: RowId) -> RedirectResponse:
    """Show where the link leads, without counting: people's programs do not send HEAD."""
    with site.reading() as session:
        delivery_id = site.delivery_of(session, Purpose.CLICK, token)
        _, paper = _found(session, delivery_id, paper_id)
    return RedirectResponse(_address(paper), 302)


@router.get("/click/{token}/{paper_id}")
def click(site: SiteDep, request: Request, token: str, paper_id: RowId) -> RedirectResponse:
    """Redirect to the paper, and count the click once if counting is on."""
    if not site.settings.count_clicks:
        with site.reading() as session:
            delivery_id = site.delivery_of(session, Purpose.CLICK, token)
            _, paper = _found(session, delivery_id, paper_id)
        return RedirectResponse(_address(paper), 302)
    with site.writing() as session:
        delivery_id = site.delivery_of(session, Purpose.CLICK, token)
        delivery, paper = _found(session, delivery_id, paper_id)
        by_machine = _prefetched(request) or _at_once(delivery)
        _count(session, delivery_id, paper_id, ClickBy.MACHINE if by_machine else ClickBy.PERSON)
        _see_through_burst(session, delivery_id)
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


def _prefetched(request: Request) -> bool:
    said = " ".join(request.headers.get(name, "") for name in _PREFETCHING)
    return "prefetch" in said.lower() or "preview" in said.lower()


def _at_once(delivery: Delivery) -> bool:
    """Whether the message is still being delivered, or has just been."""
    return delivery.finished_at is None or utc_now() - delivery.finished_at < SOON


def _count(session: Session, delivery_id: int, paper_id: int, who: ClickBy) -> None:
    now = utc_now()
    session.execute(
        upsert(session, "delivery_event")
        .values(
            delivery_id=delivery_id,
            kind=EventKind.CLICKED,
            provider=PROVIDER,
            provider_event_id=f"click {delivery_id} {paper_id}",
            occurred_at=now,
            detail=who,
        )
        .on_conflict_do_update(
            index_elements=["provider", "provider_event_id"],
            set_={"detail": who, "occurred_at": now},
            where=and_(
                col(DeliveryEvent.detail) == ClickBy.MACHINE, literal(who == ClickBy.PERSON)
            ),
        )
    )


def _see_through_burst(session: Session, delivery_id: int) -> None:
    """Many links within seconds were one machine's, from the first of them on."""
    lately = (
        col(DeliveryEvent.delivery_id) == delivery_id,
        col(DeliveryEvent.kind) == EventKind.CLICKED,
        col(DeliveryEvent.provider) == PROVIDER,
        col(DeliveryEvent.occurred_at) > utc_now() - SOON,
    )
    if len(session.exec(select(DeliveryEvent.id).where(*lately)).all()) >= BURST:
        session.execute(update(DeliveryEvent).where(*lately).values(detail=ClickBy.MACHINE))
