"""Unsubscribing: the one-click POST of mail programs, and the page with one button.

The token alone says who it is, and never expires (bulk-mail rules 3, 4 and 7). A body is not
even read: RFC 8058 sends ``List-Unsubscribe=One-Click``, urlencoded or multipart, and a mail
program that sends it wrongly means the same.
"""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter.core import language
from newsletter.core.language import N_, _, gettext
from newsletter.core.models import Cadence, Subscriber, SubscriberStatus
from newsletter.core.tokens import Purpose
from newsletter.sending import ledger
from newsletter.subscribers import accounts
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()


@router.api_route("/unsubscribe/{token}", methods=READ)
def unsubscribe_page(site: SiteDep, token: str) -> HTMLResponse:
    """One button, or "you are unsubscribed" if that is already so or the subscriber was erased."""
    public_id = site.signer.verify(Purpose.UNSUBSCRIBE, token)
    with site.reading() as session:
        subscriber = accounts.find(session, public_id)
    _speak_to(subscriber)
    if subscriber is None or subscriber.status == SubscriberStatus.UNSUBSCRIBED:
        return _done(site)
    return site.page(
        "unsubscribe.html",
        action=f"{site.root}/unsubscribe/{token}",
        active=subscriber.status == SubscriberStatus.ACTIVE,
        weekly=subscriber.cadence == Cadence.WEEKLY,
    )


@router.post("/unsubscribe/{token}/weekly")
def weekly(site: SiteDep, token: str) -> HTMLResponse:
    """One digest a week instead of none."""
    return _fewer(site, token, accounts.make_weekly, N_("You get one digest a week"))


@router.post("/unsubscribe/{token}/pause")
def pause(site: SiteDep, token: str) -> HTMLResponse:
    """No digests for now, instead of none ever."""
    return _fewer(site, token, accounts.pause, N_("Your digests are paused"))


def _fewer(
    site: Site, token: str, change: Callable[[Session, str], object], title: str
) -> HTMLResponse:
    """The link may be forwarded, and opens no preferences: it can only mean less mail."""
    public_id = site.signer.verify(Purpose.UNSUBSCRIBE, token)
    with site.writing() as session:
        change(session, public_id)
        _speak_to(accounts.find(session, public_id))
    return site.message(
        gettext(title),
        _("To change it again, follow the link to your preferences in any digest."),
    )


@router.post("/unsubscribe/{token}")
def unsubscribe(site: SiteDep, token: str) -> HTMLResponse:
    """Stop all mail from the next message on; the same answer however often it is asked."""
    public_id = site.signer.verify(Purpose.UNSUBSCRIBE, token)
    with site.writing() as session:
        accounts.unsubscribe(session, public_id)
        if (leaver := accounts.find(session, public_id)) is not None:
            # The link is in every mail: who has used it got one.
            ledger.settle_arrived(session, subscriber_id=leaver.id)
            _speak_to(leaver)
    return _done(site)


def _speak_to(subscriber: Subscriber | None) -> None:
    if subscriber is not None:
        language.use(subscriber.language)


def _done(site: Site) -> HTMLResponse:
    # A provider's wave of one-click requests is thousands of this one page, which shows nothing
    # of the database.
    spoken = language.current()
    if spoken not in site.goodbyes:
        site.goodbyes[spoken] = _rendered(site)
    return HTMLResponse(site.goodbyes[spoken])


def _rendered(site: Site) -> bytes:
    return site.rendered(
        "message.html",
        title=_("You are unsubscribed"),
        paragraphs=(
            _(
                "You will get no more email from {site}. A message that is already on its way "
                "may still arrive.",
                site=site.settings.site_name,
            ),
            _("You can sign up again at any time on the front page."),
            _("To delete what we still keep about you, use the link “Your data” below."),
        ),
    )
