"""Relevant, not relevant, save: the link in the mail shows a button, the button records."""

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select

from newsletter.core.models import DigestItem, Paper, Signal
from newsletter.core.tokens import Purpose
from newsletter.ranking.profiles import feedback
from newsletter.sending import ledger
from newsletter.web.site import READ, RowId, Site, SiteDep

router = APIRouter()

BUTTONS = {
    Signal.RELEVANT: "Mark as relevant",
    Signal.NOT_RELEVANT: "Mark as not relevant",
    Signal.SAVED: "Save this paper",
}
DONE = {
    Signal.RELEVANT: "Marked as relevant",
    Signal.NOT_RELEVANT: "Marked as not relevant",
    Signal.SAVED: "Saved",
}


def _item(session: Session, site: Site, token: str, paper_id: int) -> tuple[DigestItem, Paper]:
    """Find the paper and the digest that the link came from.

    The token belongs to a delivery: only papers in that digest can be rated with it.
    """
    delivery_id = site.delivery_of(session, Purpose.FEEDBACK, token)
    found = session.exec(
        select(DigestItem, Paper)
        .join(Paper, col(Paper.id) == col(DigestItem.paper_id))
        .where(DigestItem.delivery_id == delivery_id, DigestItem.paper_id == paper_id)
    ).one_or_none()
    if found is None:
        raise HTTPException(410)
    return found


@router.api_route("/feedback/{token}/{paper_id}/{signal}", methods=READ)
def feedback_page(site: SiteDep, token: str, paper_id: RowId, signal: Signal) -> HTMLResponse:
    """The paper and one button."""
    with site.reading() as session:
        _, paper = _item(session, site, token, paper_id)
    return site.page("feedback.html", paper=paper, button=BUTTONS[signal])


@router.post("/feedback/{token}/{paper_id}/{signal}")
def give_feedback(site: SiteDep, token: str, paper_id: RowId, signal: Signal) -> HTMLResponse:
    """Record the signal; repeating it changes nothing, the opposite one replaces it."""
    with site.writing() as session:
        item, paper = _item(session, site, token, paper_id)
        ledger.settle_arrived(session, delivery_id=item.delivery_id)
        feedback.record(session, item.subscriber_id, paper_id, signal, topic_id=item.topic_id)
    return site.page(
        "feedback_done.html",
        title=DONE[signal],
        paper=paper,
    )
