"""What every operator's page has around it, and pages of long lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from newsletter.core import one_line
from newsletter.core.config import bundled
from newsletter.web.middleware import CONTENT_SECURITY_POLICY
from newsletter.web.operator.access import Operator
from newsletter.web.site import Site

# The other pages run no script at all; these may run ours, which asks this site for new counts.
POLICY = f"{CONTENT_SECURITY_POLICY}; connect-src 'self'"
PER_PAGE = 50
LONGEST_SEARCH = 100
# Answers of relays are as long as they like.
LONGEST_CELL = 300
TABS = (
    ("", "Today"),
    ("/editions", "Editions"),
    ("/subscribers", "Subscribers"),
    ("/sign-ups", "Sign-ups"),
    ("/addresses", "Address"),
    ("/suppressions", "Suppressions"),
    ("/bounces", "Bounces"),
    ("/scorecard", "Scorecard"),
    ("/forecast", "Forecast"),
    ("/jobs", "Jobs"),
)
# What a redirect after a change says; its address holds a word of these, and a number.
DONE = {
    "added": "Added.",
    "address": "The address was changed.",
    "cancelled": "Cancelled: {n:,} will not be sent.",
    "invited": "Confirmations queued: {n:,}. The next `newsletter send` mails them.",
    "left": "Unsubscribed: no more mail from the next message on.",
    "paused": "Paused: messages in flight will finish, no others will start.",
    "restored": "The address may get mail again.",
    "resumed": "No longer paused. A send run continues it: `newsletter send --due` of the timer, "
    "or run `newsletter send`.",
    "retried": "Queued again: {n:,}. Run `newsletter send` to try them (skips subscribers who left "
    "or are suppressed).",
    "saved": "Saved.",
    "suppressed": "Suppressed: the address gets no mail.",
    "unchanged": "Nothing to change: it was so already.",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """Which part of a long list: ``page`` counts from 1."""

    page: int
    of: int
    size: int = PER_PAGE

    @property
    def pages(self) -> int:
        """How many pages there are; an empty list has one."""
        return max(1, -(-self.of // self.size))

    @property
    def offset(self) -> int:
        """How many rows come before."""
        return (self.page - 1) * self.size


def part_of(total: int, page: int, size: int = PER_PAGE) -> Shown:
    """Page ``page`` of a list of ``total`` rows, or its last one."""
    return Shown(min(page, Shown(1, total, size).pages), total, size)


PageDep = Annotated[int, Query(alias="page", ge=1, le=10_000_000)]


def _search(q: str = "") -> str:
    return one_line.harmless(q, LONGEST_SEARCH)


def _done(done: str = "", n: Annotated[int, Query(ge=0, lt=10**9)] = 0) -> str:
    return DONE.get(done, "").format(n=n)


SearchDep = Annotated[str, Depends(_search)]
DoneDep = Annotated[str, Depends(_done)]


def show(
    site: Site, operator: Operator, name: str, *, here: str, status: int = 200, **values: Any
) -> HTMLResponse:
    """The template ``name`` in the operator's frame; ``here`` is the tab it belongs to."""
    values.setdefault("done", "")
    values.setdefault("error", "")
    page = site.page(
        f"operator/{name}.html",
        status=status,
        operator=operator,
        base=f"{site.root}/operator",
        here=here,
        tabs=TABS,
        assets=_versions(),
        cell=cell,
        marked=marked,
        number=number,
        duration=duration,
        query=query,
        **values,
    )
    page.headers["Content-Security-Policy"] = POLICY
    return page


def done(site: Site, path: str, what: str, n: int = 0) -> RedirectResponse:
    """Go on to a page that says what was done; reloading it does nothing again."""
    return RedirectResponse(f"{site.root}/operator{path}{query(done=what, n=n or None)}", 303)


def query(**values: object) -> str:
    """A query string of what is not empty, with its question mark."""
    given = {name: value for name, value in values.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""


def cell(text: object) -> str:
    """A value from outside as one line, without what could turn its direction."""
    return one_line.harmless("" if text is None else str(text), LONGEST_CELL)


def marked(text: str) -> Markup:
    """Text with commands between backticks."""
    parts = cell(text).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )


def number(value: int) -> str:
    """``12,345``."""
    return f"{value:,}"


def duration(seconds: float) -> str:
    """``45 seconds``, ``12 minutes``, ``2 hours 5 minutes``."""
    if seconds < 90:
        return _many(round(seconds), "second")
    minutes = round(seconds / 60)
    if minutes < 90:
        return _many(minutes, "minute")
    hours, rest = divmod(minutes, 60)
    return f"{_many(hours, 'hour')} {_many(rest, 'minute')}" if rest else _many(hours, "hour")


def _many(value: int, word: str) -> str:
    return f"{value:,} {word}{'s' * (value != 1)}"


@cache
def asset(name: str) -> bytes:
    """The style sheet or the script."""
    return (bundled("templates") / "pages" / "operator" / name).read_bytes()


@cache
def _versions() -> Mapping[str, str]:
    # Their addresses change with their text, so browsers may keep them.
    return {
        name: f"{name}?{sha256(asset(name)).hexdigest()[:12]}" for name in ("style.css", "live.js")
    }
