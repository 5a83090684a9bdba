"""Middleware around every page: headers that keep strangers out, and answers to failures."""

import logging
import traceback
from collections.abc import Callable

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.core import language

logger = logging.getLogger(__name__)

# Nothing from elsewhere, nothing inline, no frames: a page is its HTML, one style sheet and, as an
# extra, one script.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    # Addresses hold tokens: no other site may learn where a reader came from (bulk-mail rule 30).
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    # Pages behind tokens are one person's: no shared cache, no search engine.
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}

# Browsers come back over https for a year (RFC 6797 §6.1); other hosts of the domain are not ours.
YEAR = "max-age=31536000"


class SecurityHeaders:
    """Adds `HEADERS` to every answer that does not set them itself."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self.app = app
        headers = HEADERS | ({"Strict-Transport-Security": YEAR} if is_https else {})
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; put the headers on its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                added = [each for each in self.headers if each[0] not in there]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class Speaks:
    """Answers in the best language that the browser accepts, else in that of the site.

    A link with a token then turns on its subscriber's own; the operator's pages are in English.
    """

    def __init__(self, app: ASGIApp, *, site: str) -> None:
        """``site`` is the language of the site."""
        self.app = app
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and say that the answer depends on the header."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = b",".join(value for name, value in scope["headers"] if name == b"accept-language")
        is_operators = scope["path"].startswith("/operator")
        spoken = language.SOURCE if is_operators else language.accepted(wanted.decode("latin-1"))

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.add_vary_header("Accept-Language")
            await send(message)

        language.set_site(self.site)
        with language.speaking(spoken or self.site):
            await self.app(scope, receive, send_with_header)


class UnderPath:
    """Serves the site under the base URL's path, whether or not a proxy removes the path."""

    def __init__(self, app: ASGIApp, *, root: str) -> None:
        self.app = app
        self.root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Remove the path if it is still there."""
        if self.root and scope["type"] == "http" and scope["path"].startswith(f"{self.root}/"):
            scope = {**scope, "path": scope["path"].removeprefix(self.root)}
        await self.app(scope, receive, send)


class Failures:
    """Answers 503 where the database is busy and 500 where a page failed, and logs neither values
    nor addresses: a statement's parameters and a path's token are private.
    """

    def __init__(self, app: ASGIApp, *, page: Callable[[int], Response]) -> None:
        """``page`` makes the answer for a status."""
        self.app = app
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer what it raises."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_begun = False

        async def watched(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001  (whatever it is, it must not reach the log)
            status = 503 if is_busy(error) else 500
            _log(scope, error, status)
            if not is_begun:
                await self.page(status)(scope, receive, send)


def is_busy(error: BaseException) -> bool:
    """Whether the database could not be asked just now: locked, restarting, or all lines taken."""
    return isinstance(error, OperationalError | InterfaceError | PoolTimeoutError)


def _log(scope: Scope, error: Exception, status: int) -> None:
    """Where it failed, without the values involved."""
    page = scope["path"].split("/")[1][:20]
    shown = page if page.isalnum() else "?"
    frames = "".join(traceback.format_tb(error.__traceback__)[-6:]) if status == 500 else ""
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None) or ""
    named = f"{type(error).__name__} {code}".strip()
    logger.error("%s /%s answered %d: %s\n%s", scope["method"], shown, status, named, frames)
