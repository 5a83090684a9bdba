"""Double opt-in: the link in the confirmation mail shows a button, the button confirms."""

import re

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select

from newsletter.core import language
from newsletter.core.language import _
from newsletter.core.models import Paper, Signal
from newsletter.core.tokens import Purpose
from newsletter.ranking.profiles import feedback
from newsletter.subscribers import accounts, signup
from newsletter.subscribers.accounts import row_id
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()


@router.api_route("/confirm/{token}", methods=READ)
def confirmation_page(site: SiteDep, token: str) -> HTMLResponse:
    """One button, because mail scanners open links before people do."""
    public_id, _delivery_id = _request_in(site, token)
    with site.reading() as session:
        if (subscriber := accounts.find(session, public_id)) is not None:
            language.use(subscriber.language)
    return site.page("confirm.html")


@router.post("/confirm/{token}")
def confirm(site: SiteDep, token: str) -> HTMLResponse:
    """Make a pending subscriber active; confirming twice changes nothing."""
    public_id, delivery_id = _request_in(site, token)
    with site.writing() as session:
        confirmed = signup.confirm(session, public_id, delivery_id)
        _judge(session, public_id, confirmed.liked)
        subscriber = accounts.find(session, public_id)
        if subscriber is not None:
            language.use(subscriber.language)
    if not confirmed.active:
        return site.message(
            _("This subscription has ended"),
            _(
                "You unsubscribed after this link was sent. To come back, sign up again on the "
                "front page."
            ),
            status=410,
        )
    # Only the first press gets a way in; the link may lie about in a mailbox for days.
    is_first = confirmed.is_new and subscriber is not None
    return site.page(
        "confirmed.html",
        preferences_url=site.preferences_url(subscriber) if is_first and subscriber else "",
        hour=f"{subscriber.send_hour:02}:00" if subscriber else "",
        zone=subscriber.time_zone if subscriber else "",
    )


def _request_in(site: Site, token: str) -> tuple[str, int | None]:
    """Who confirms, and the mail that the link stands in."""
    value = site.signer.verify(Purpose.CONFIRM, token, expires=True)
    public_id, _colon, delivery_id = value.partition(":")
    return public_id, int(delivery_id) if re.fullmatch(r"[0-9]{1,18}", delivery_id) else None


def _judge(session: Session, public_id: str, liked: tuple[int, ...]) -> None:
    """Record the papers picked at sign-up as relevant."""
    subscriber = accounts.find(session, public_id)
    if subscriber is None or not liked:
        return
    for paper_id in session.exec(select(Paper.id).where(col(Paper.id).in_(liked))).all():
        own = row_id(subscriber)
        feedback.record(session, own, paper_id or 0, Signal.RELEVANT)
