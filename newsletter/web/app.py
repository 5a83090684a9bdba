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
    feedback,
    metrics,
    papers,
    preferences,
    ratings,
    signup,
    today,
    unsubscribe,
    webhooks,
)
from newsletter.web.bodies import Bodies
from newsletter.web.middleware import Failures, SecurityHeaders, UnderPath
from newsletter.web.site import Site

MESSAGES = {
    400: ("We could not read that", "Something in what your browser sent is not in order."),
    403: ("That came from another site", "Open the page here, and send the form again."),
    408: ("That took too long", "What you sent did not arrive in time. Please try again."),
    413: ("That is too large", "What you sent is larger than this page takes."),
    415: ("This page takes no files", "Send the form without a file."),
    401: ("This page needs a key", "It is for the operator only."),
    404: ("There is no such page", "The links in your mail lead to the right places."),
    405: ("This page cannot do that", "The links in your mail lead to the right places."),
    410: ("This is gone", "The subscription, or the digest, that this link was for is no more."),
    500: ("Something went wrong", "The error is ours, and has been noted. Please try again later."),
    503: ("We are busy", "Please try again in a few seconds."),
    429: ("Too often", "Somebody in your network asked for this many times. Try again in an hour."),
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
        signup,
        confirm,
        preferences,
        ratings,
        today,
        feedback,
        archive,
        clicks,
        unsubscribe,
        account,
        metrics,
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
        "Mail programs sometimes break long links. Open the link from the mail again, or copy "
        "all of it into the address bar.",
        status=404,
    )


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    page = _status_page(request.app.state.site, status)
    page.headers.update(getattr(error, "headers", None) or {})
    return page


def _status_page(site: Site, status: int) -> HTMLResponse:
    title, text = MESSAGES.get(status, ("That did not work", "Please try again."))
    page = site.message(title, text, status=status)
    if status == 503:
        page.headers["Retry-After"] = "10"
    return page


def _bad_request(request: Request, error: Exception) -> HTMLResponse:
    site: Site = request.app.state.site
    return site.message(
        "There is no such page",
        "Something in the address, or in what was sent, is not what this page takes.",
        status=422,
    )
