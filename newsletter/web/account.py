"""Export or erase one's data. Only a new link, mailed to the address, opens these pages.

Digests get forwarded with all their links, so none of those is enough (bulk-mail rule 28).
"""

import io
import json
import time
from contextlib import suppress

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter.core.errors import InputError, TokenError
from newsletter.core.language import _, gettext, sentence
from newsletter.core.models import Subscriber
from newsletter.core.tokens import Purpose
from newsletter.ranking.profiles import feedback
from newsletter.subscribers import accounts, data_export, signup
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.bibliography.writing import as_bibtex
from newsletter.subscribers.csv_writing import export_rows, write_csv
from newsletter.subscribers.preferences import topics_of
from newsletter.subscribers.validation import normalise_email
from newsletter.web import forms
from newsletter.web.rate_limit import FromHere, Limited, limit, may_mail
from newsletter.web.site import READ, Site, SiteDep
from newsletter.web.steady import SteadyPage

router = APIRouter()


@router.api_route("/account", methods=READ)
def account_link_page(site: SiteDep) -> HTMLResponse:
    """The form that asks for a new link."""
    return site.page("account_link.html", error="", email="")


@router.post("/account", dependencies=[FromHere])
def request_account_link(site: SiteDep, request: Request, form: forms.FormDep) -> HTMLResponse:
    """Mail the link if a subscriber has that address; the answer does not reveal it."""
    begun = time.monotonic()
    limit(site, request, Limited.ACCOUNT_LINK)
    email = forms.text_of(form, "email")
    try:
        if may_mail(site, normalise_email(email)):
            domain = site.settings.from_domain
            with site.writing() as session:
                signup.request_account_link(session, email, message_domain=domain)
    except InputError as error:
        return site.page("account_link.html", status=422, error=forms.said(error), email=email)
    page = site.message(
        _("Check your inbox"),
        _(
            "If that address belongs to a subscriber, a link is on its way to it. It works for "
            "one hour; we send at most one a day."
        ),
    )
    return SteadyPage(page, begun=begun)


def _subscriber(session: Session, site: Site, token: str) -> Subscriber:
    """Find the subscriber of this link.

    Raises:
        HTTPException: 410, the subscriber was erased.
        TokenError: the link is not ours, or has expired.
    """
    return site.subscriber_of(session, Purpose.ERASE, token, expires=True)


@router.api_route("/account/{token}", methods=READ)
def account_page(site: SiteDep, token: str) -> Response:
    """A summary of what we keep, and the buttons."""
    try:
        with site.reading() as session:
            subscriber = _subscriber(session, site, token)
            judged = len(feedback.judged(session, row_id(subscriber)))
            topics = len(topics_of(session, row_id(subscriber)))
    except TokenError as error:
        return site.page(
            "account_link.html", status=404, error=sentence(gettext(str(error))), email=""
        )
    return site.page(
        "account.html",
        action=f"{site.root}/account/{token}",
        judged=judged,
        topics=topics,
        preferences_url=site.preferences_url(subscriber),
    )


@router.post("/account/{token}/export.json")
def export_json(site: SiteDep, token: str) -> Response:
    """Everything that is kept about the subscriber, as JSON."""
    with site.reading() as session:
        subscriber = _subscriber(session, site, token)
        value = data_export.export(session, subscriber) | {
            "feedback": feedback.as_json(feedback.judged(session, row_id(subscriber)))
        }
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return attachment(text, "application/json", "my-papers.json")


@router.post("/account/{token}/export.bib")
def export_bibtex(site: SiteDep, token: str) -> Response:
    """What the subscriber liked and saved, as BibTeX."""
    with site.reading() as session:
        subscriber = _subscriber(session, site, token)
        judged = feedback.judged(session, row_id(subscriber))
    return attachment(as_bibtex(feedback.liked(judged)), "application/x-bibtex", "my-papers.bib")


@router.post("/account/{token}/profile.csv")
def export_profile(site: SiteDep, token: str) -> Response:
    """Topics, preferences and ratings in the form that another site takes over."""
    text = io.StringIO()
    with site.reading() as session:
        subscriber = _subscriber(session, site, token)
        write_csv(export_rows(session, subscriber.email), text)
    return attachment(text.getvalue(), "text/csv", "my-profile.csv")


@router.post("/account/{token}/erase")
def erase(site: SiteDep, token: str) -> HTMLResponse:
    """Delete everything but the keyed hash that keeps the address from coming back."""
    # Erased already: the answer stays true.
    with suppress(HTTPException), site.writing() as session:
        accounts.erase(session, _subscriber(session, site, token).public_id)
    return site.message(
        _("Your data is deleted"),
        _(
            "We keep only a one-way hash of your address, which cannot be turned back into the "
            "address. It prevents others from signing you up again."
        ),
        _("If you ever want to come back, sign up on the front page."),
    )


def attachment(text: str, media_type: str, name: str) -> Response:
    """A file to keep."""
    return Response(
        text.encode("utf-8", "replace"),
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
