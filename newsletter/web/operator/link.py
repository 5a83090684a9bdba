"""The door: a link that works once shows a button, and its POST opens a session."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from newsletter.core import operator_sessions
from newsletter.core.database import utc_now
from newsletter.web.operator.access import (
    LONGEST_SECRET,
    ChangeDep,
    OperatorDep,
    drop_cookie,
    set_cookie,
)
from newsletter.web.rate_limit import FromHere, Limited, limit
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()


@router.api_route("/open/{token}", methods=READ)
def link_page(site: SiteDep, token: str) -> HTMLResponse:
    """One button: what opens links before people do must not use this one up."""
    with site.reading() as session:
        works = len(token) <= LONGEST_SECRET and operator_sessions.works(
            session, site.signer, token, utc_now()
        )
    return site.page("operator/open.html") if works else _no_link(site)


@router.post("/open/{token}", dependencies=[FromHere])
def open_session(site: SiteDep, request: Request, token: str) -> Response:
    """Use the link up and give the browser a cookie."""
    limit(site, request, Limited.OPERATOR_LINK)
    if len(token) > LONGEST_SECRET:
        return _no_link(site)
    with site.writing() as session:
        opened = operator_sessions.open_session(session, site.signer, token, utc_now())
    if opened is None:
        return _no_link(site)
    answer = RedirectResponse(f"{site.root}/operator", 303)
    set_cookie(site, answer, opened)
    return answer


@router.post("/close")
def close(site: SiteDep, operator: OperatorDep, form: ChangeDep) -> Response:
    """Sign this browser out."""
    with site.writing() as session:
        operator_sessions.end(session, operator.session_id)
    answer = site.message("You are signed out", "A new link opens these pages again.")
    drop_cookie(site, answer)
    return answer


def _no_link(site: Site) -> HTMLResponse:
    return site.message(
        "This link does not work",
        "It works once and for 15 minutes only. Make another one where this one came from.",
        status=404,
    )
