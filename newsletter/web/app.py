"""The application: middleware, error pages, and the routers put together."""

from functools import partial

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from sqlalchemy import Engine
from starlette.exceptions import HTTPException

from newsletter.core.config import Settings
from newsletter.core.errors import TokenError
from newsletter.core.tokens import Signer
from newsletter.web import (
    account,
    archive,
    clicks,
    confirm,
    discover,
    feedback,
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
from newsletter.web.middleware import Failures, SecurityHeaders, UnderPath
from newsletter.web.operator import routes as operator
from newsletter.web.site import Site

MESSAGES = {
    400: ("We could not read that", "Your browser sent something that is not valid."),
    403: ("That came from another site", "Open the page on this site and send the form again."),
    408: ("That took too long", "Your data did not arrive in time. Please try again."),
    413: ("That is too large", "This page does not accept that much data."),
    415: ("This page does not accept files", "Send the form without a file."),
    401: ("This page needs a key", "It is for the operator only."),
    404: ("Page not found", "Check the address, or use a link from one of your emails."),
    405: ("Page not found", "Check the address, or use a link from one of your emails."),
    410: ("This link is out of date", "This subscription or digest no longer exists."),
    429: ("Too many requests", "Too many requests from your network. Try again in an hour."),
    500: ("Something went wrong", "This is our error, and we have recorded it. Try again later."),
    503: ("We are busy", "Please try again in a few seconds."),
}


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
        "This link does not work",
        f"{str(error).capitalize()}.",
        "Some mail programs break long links. Open the link from the email again, or copy all of "
        "it into the address bar.",
        status=404,
    )


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    page = _status_page(request.app.state.site, status)
    page.headers.update(getattr(error, "headers", None) or {})
    return page


def _status_page(site: Site, status: int) -> HTMLResponse:
    title, text = MESSAGES.get(status, ("Something went wrong", "Please try again."))
    page = site.message(title, text, status=status)
    if status == 503:
        page.headers["Retry-After"] = "10"
    return page


def _bad_request(request: Request, error: Exception) -> HTMLResponse:
    site: Site = request.app.state.site
    return site.message(
        "Page not found",
        "Something in the address, or in the data sent to this page, is not valid.",
        status=422,
    )
