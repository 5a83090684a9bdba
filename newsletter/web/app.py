"""The application: middleware, error pages, and the routers put together."""

from functools import partial

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from sqlalchemy import Engine
from starlette.exceptions import HTTPException

from newsletter.core.config import Settings
from newsletter.core.errors import TokenError
from newsletter.core.language import N_, _, gettext, sentence
from newsletter.core.tokens import Signer
from newsletter.web import (
    account,
    archive,
    clicks,
    confirm,
    discover,
    feedback,
    figures,
    groups,
    learned_reset,
    library,
    metrics,
    paper,
    papers,
    preferences,
    ratings,
    receipts,
    saved,
    scorecard,
    signup,
    today,
    unsubscribe,
    webhooks,
)
from newsletter.web.bodies import Bodies
from newsletter.web.middleware import Failures, SecurityHeaders, Speaks, UnderPath
from newsletter.web.operator import routes as operator
from newsletter.web.site import Site

MESSAGES = {
    400: (N_("We could not read that"), N_("Your browser sent something that is not valid.")),
    403: (
        N_("That came from another site"),
        N_("Open the page on this site and send the form again."),
    ),
    408: (N_("That took too long"), N_("Your data did not arrive in time. Please try again.")),
    413: (N_("That is too large"), N_("This page does not accept that much data.")),
    415: (N_("This page does not accept files"), N_("Send the form without a file.")),
    401: (N_("This page needs a key"), N_("It is for the operator only.")),
    404: (N_("Page not found"), N_("Check the address, or use a link from one of your emails.")),
    405: (N_("Page not found"), N_("Check the address, or use a link from one of your emails.")),
    410: (N_("This link is out of date"), N_("This subscription or digest no longer exists.")),
    429: (
        N_("Too many requests"),
        N_("Too many requests from your network. Try again in an hour."),
    ),
    500: (
        N_("Something went wrong"),
        N_("This is our error, and we have recorded it. Try again later."),
    ),
    503: (N_("We are busy"), N_("Please try again in a few seconds.")),
}
_OTHER = (N_("Something went wrong"), N_("Please try again."))


def create_app(engine: Engine, settings: Settings) -> FastAPI:
    """The site on ``engine``; `newsletter serve` runs it."""
    site = Site(engine, settings, Signer(settings.keys))
    app = FastAPI(
        title=settings.site_name,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # A one-click POST must never be answered 3xx (RFC 8058 §3.1).
        redirect_slashes=False,
    )
    app.state.site = site
    page = partial(_status_page, site)
    app.add_middleware(Bodies, page=page)
    app.add_middleware(Failures, page=page)
    app.add_middleware(SecurityHeaders, is_https=settings.base_url.startswith("https:"))
    app.add_middleware(Speaks, site=settings.language)
    app.add_middleware(UnderPath, root=site.root)
    parts = (
        papers,
        paper,
        discover,
        signup,
        confirm,
        preferences,
        library,
        ratings,
        learned_reset,
        saved,
        scorecard,
        receipts,
        today,
        feedback,
        figures,
        groups,
        archive,
        clicks,
        unsubscribe,
        account,
        metrics,
        operator,
    )
    for part in parts:
        app.include_router(part.router)
    app.include_router(webhooks.router_for(engine, settings))
    app.add_exception_handler(TokenError, _bad_token)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    return app


def _bad_token(request: Request, error: Exception) -> HTMLResponse:
    site: Site = request.app.state.site
    return site.message(
        _("This link does not work"),
        _("{what}.", what=sentence(gettext(str(error)))),
        _(
            "Some mail programs break long links. Open the link from the email again, or copy "
            "all of it into the address bar."
        ),
        status=404,
    )


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    page = _status_page(request.app.state.site, status)
    page.headers.update(getattr(error, "headers", None) or {})
    return page


def _status_page(site: Site, status: int) -> HTMLResponse:
    title, text = MESSAGES.get(status, _OTHER)
    page = site.message(gettext(title), gettext(text), status=status)
    if status == 503:
        page.headers["Retry-After"] = "10"
    return page


def _bad_request(request: Request, error: Exception) -> HTMLResponse:
    site: Site = request.app.state.site
    return site.message(
        _("Page not found"),
        _("Something in the address, or in the data sent to this page, is not valid."),
        status=422,
    )
