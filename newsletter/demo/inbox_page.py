"""The demo's inbox: every message that arrived, as a reader and as an engineer would look at it."""

from enum import StrEnum

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from newsletter.demo.mailbox import Letter, Mailbox
from newsletter.messages.lint import check_message
from newsletter.web.site import SiteDep

# A mail is a stranger's HTML: it may style itself and nothing else, and its links leave the frame.
FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class View(StrEnum):
    """Ways to look at a message."""

    HTML = "html"
    NARROW = "narrow"
    DARK = "dark"
    TEXT = "text"
    HEADERS = "headers"
    SOURCE = "source"
    CHECKS = "checks"


def make_router(mailbox: Mailbox) -> APIRouter:
    """Pages over ``mailbox``, to be included in the site's application."""
    router = APIRouter()

    @router.get("/inbox")
    def inbox(site: SiteDep) -> HTMLResponse:
        letters = [(letter, len(letter.source) / 1024) for letter in reversed(mailbox.letters())]
        return site.page("inbox.html", title="Inbox", letters=letters)

    @router.get("/inbox/{name}")
    def letter(site: SiteDep, request: Request, name: str, view: View = View.HTML) -> HTMLResponse:
        found = _letter(mailbox, name)
        page = site.page(
            "inbox_letter.html",
            title=str(found.message["Subject"]),
            letter=found,
            view=view,
            views=list(View),
            checks=check_message(found.source, spam=True) if view is View.CHECKS else [],
            kilobytes=len(found.source) / 1024,
            html_kilobytes=len(found.part("html").encode()) / 1024,
        )
        page.headers["Content-Security-Policy"] = PAGE_POLICY
        return page

    @router.get("/inbox/{name}/frame")
    def frame(name: str, dark: bool = False) -> HTMLResponse:
        html = _letter(mailbox, name).part("html")
        if dark:
            # What a mail program in dark mode does: the dark rules apply.
            html = html.replace("(prefers-color-scheme: dark)", "all")
            html = html.replace("(prefers-color-scheme:dark)", "all")
        html = html.replace("<head>", '<head><base target="_blank">', 1)
        return HTMLResponse(html, headers={"Content-Security-Policy": FRAME_POLICY})

    @router.get("/inbox/", include_in_schema=False)
    def with_slash() -> RedirectResponse:
        return RedirectResponse("/inbox")

    return router


def _letter(mailbox: Mailbox, name: str) -> Letter:
    found = mailbox.letter(name)
    if found is None:
        raise HTTPException(404)
    return found
