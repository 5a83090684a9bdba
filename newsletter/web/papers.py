"""Public pages: days of papers, one paper, search, feeds, the style sheet."""

from calendar import monthrange
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from newsletter.core.database import utc_now
from newsletter.core.models import Paper
from newsletter.papers import browse, spelling
from newsletter.papers.browse import Order
from newsletter.papers.search import search
from newsletter.web import feeds
from newsletter.web.fields import code_of
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()
# Far enough to page by hand; a client that goes on is a crawler.
PageNumber = Annotated[int, Query(ge=1, le=200)]
Short = Annotated[str, Query(max_length=200)]
# The first and last days that a date on a page may name.
EARLIEST, LATEST = date(1991, 1, 1), date(2199, 12, 31)


@router.api_route("/", methods=READ)
def front_page(site: SiteDep, order: Order = Order.UPVOTES) -> HTMLResponse:
    """The newest day's papers, and the sign-up form."""
    with site.reading() as session:
        day = browse.newest_day(session)
    return _days(site, day or utc_now().date(), order=order, is_front=True)


@router.api_route("/day/{day}", methods=READ)
def day_page(
    site: SiteDep, day: date, page: PageNumber = 1, order: Order = Order.UPVOTES
) -> HTMLResponse:
    """One day's papers."""
    return _days(site, _checked(day), page=page, order=order)


@router.api_route("/week/{day}", methods=READ)
def week_page(
    site: SiteDep, day: date, page: PageNumber = 1, order: Order = Order.UPVOTES
) -> HTMLResponse:
    """The papers of the week that ``day`` is in."""
    monday = _checked(day) - timedelta(days=day.weekday())
    return _days(site, monday, days=7, page=page, order=order)


@router.api_route("/month/{day}", methods=READ)
def month_page(
    site: SiteDep, day: date, page: PageNumber = 1, order: Order = Order.UPVOTES
) -> HTMLResponse:
    """The papers of the month that ``day`` is in."""
    first = _checked(day).replace(day=1)
    days = monthrange(first.year, first.month)[1]
    return _days(site, first, days=days, page=page, order=order)


def _checked(day: date) -> date:
    if not EARLIEST <= day <= LATEST:
        raise HTTPException(404)
    return day


def _days(
    site: Site,
    first: date,
    *,
    days: int = 1,
    page: int = 1,
    order: Order = Order.UPVOTES,
    is_front: bool = False,
) -> HTMLResponse:
    with site.reading() as session:
        newest = browse.newest_id(session)
    key = ("days", newest, first, days, page, order, is_front)
    body = site.kept.body(
        key, lambda: _rendered_days(site, first, days, page, order, is_front=is_front)
    )
    return HTMLResponse(body)


def _rendered_days(
    site: Site, first: date, days: int, page: int, order: Order, *, is_front: bool
) -> bytes:
    last = first + timedelta(days=days - 1)
    with site.reading() as session:
        found, total = browse.between(session, first, last, page=page, order=order)
        around = browse.neighbours(session, first, last)
    return site.rendered(
        "days.html",
        first=first,
        last=last,
        papers=found,
        total=total,
        page=page,
        start=(page - 1) * browse.PAGE,
        pages=max(1, -(-total // browse.PAGE)),
        before=around.before,
        after=around.after,
        span={1: "day", 7: "week"}.get(days, "month"),
        order=order.value,
        half_life=browse.HALF_LIFE.days,
        fewest_saves=browse.FEWEST_SAVES,
        is_front=is_front,
    )


@router.api_route("/day/{day}/feed.atom", methods=READ)
def day_atom(site: SiteDep, day: date) -> Response:
    """One day's papers as Atom (RFC 4287)."""
    return _feed(site, _checked(day), f"/day/{day}/feed.atom", as_json=False)


@router.api_route("/day/{day}/feed.json", methods=READ)
def day_json(site: SiteDep, day: date) -> Response:
    """One day's papers as JSON Feed 1.1."""
    return _feed(site, _checked(day), f"/day/{day}/feed.json", as_json=True)


@router.api_route("/feed.atom", methods=READ)
def newest_atom(site: SiteDep) -> Response:
    """The newest day's papers, for feed readers to subscribe to."""
    with site.reading() as session:
        day = browse.newest_day(session)
    return _feed(site, day or utc_now().date(), "/feed.atom", as_json=False)


@router.api_route("/feed.json", methods=READ)
def newest_json(site: SiteDep) -> Response:
    """The same as JSON Feed."""
    with site.reading() as session:
        day = browse.newest_day(session)
    return _feed(site, day or utc_now().date(), "/feed.json", as_json=True)


def _feed(site: Site, day: date, path: str, *, as_json: bool) -> Response:
    with site.reading() as session:
        newest = browse.newest_id(session)
    body = site.kept.body((path, newest, day), lambda: _rendered_feed(site, day, path, as_json))
    return feeds.answer(body, as_json=as_json)


def _rendered_feed(site: Site, day: date, path: str, as_json: bool) -> bytes:
    with site.reading() as session:
        found, _ = browse.between(session, day, day)
    base = site.settings.base_url
    feed = feeds.Feed(
        title=f"{site.settings.site_name}: papers of {day}",
        home=f"{base}/day/{day}",
        address=f"{base}{path}",
        entries=tuple(paper_entry(base, paper) for paper in found),
    )
    return feeds.json_feed(feed) if as_json else feeds.atom(feed)


def paper_entry(base: str, paper: Paper) -> feeds.Entry:
    """A paper in a feed."""
    return feeds.Entry(
        address=f"{base}/paper/{paper.id}",
        title=paper.title,
        text=paper.abstract,
        authors=tuple(paper.authors),
        updated=paper.first_seen_at,
    )


class SearchFields(BaseModel):
    """What the search form sends."""

    q: Short = ""
    category: Short = ""
    source: Short = ""
    venue: Short = ""
    since: Short = ""
    until: Short = ""
    sort: Literal["best", "newest"] = "best"
    page: PageNumber = 1

    def given(self) -> dict[str, str]:
        """The fields that hold something, but for the page."""
        values = self.model_dump(exclude={"page"})
        return {name: value for name, value in values.items() if value.strip() and value != "best"}


@router.api_route("/search", methods=READ)
def search_page(site: SiteDep, fields: Annotated[SearchFields, Query()]) -> HTMLResponse:
    """Full text, narrowed by category, source and date."""
    if not fields.given():
        return site.page("search.html", fields=fields, papers=None, error="")
    try:
        since, until = (moment_of(fields.since), moment_of(fields.until))
    except ValueError:
        error = "Dates are written like 2026-11-22."
        return site.page("search.html", status=422, fields=fields, papers=None, error=error)
    start = (fields.page - 1) * browse.PAGE
    words, instead = line_of(fields.q), None
    with site.reading() as session:
        matching = partial(
            search,
            session,
            newest_first=fields.sort == "newest",
            category=code_of(line_of(fields.category)) or None,
            source=line_of(fields.source) or None,
            venue=line_of(fields.venue) or None,
            since=since,
            until=until + timedelta(days=1) if until else None,
        )
        # For an interest typed as a sentence, papers with some of its words are useful.
        found = matching(words, limit=browse.PAGE + 1, offset=start)
        if not found and not matching(words, limit=1):
            instead = spelling.corrected(session, words)
            found = matching(instead or words, limit=browse.PAGE + 1, offset=start)
        any_word = not found and not matching(instead or words, limit=1)
        if any_word:
            instead = None
            found = matching(words, any_word=True, limit=browse.PAGE + 1, offset=start)
    return site.page(
        "search.html",
        fields=fields,
        papers=found[: browse.PAGE],
        error="",
        start=start,
        more=len(found) > browse.PAGE,
        any_word=any_word,
        instead=instead,
        again=urlencode(fields.given()),
    )


def moment_of(typed: str) -> datetime | None:
    """The start of a day as the search form takes it; raises ValueError if it is none."""
    return browse.start_of(_checked(date.fromisoformat(typed))) if typed else None


def line_of(typed: str) -> str:
    """What was typed, as one line."""
    return typed.replace("\x00", "").strip()


@router.api_route("/privacy", methods=READ)
def privacy_page(site: SiteDep) -> HTMLResponse:
    """The privacy page, built from the settings so that it is true."""
    return site.page("privacy.html", settings=site.settings)


@router.api_route("/style.css", methods=READ)
def style_sheet(site: SiteDep) -> Response:
    """The one style sheet; its address changes with its text."""
    return Response(
        site.style, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000"}
    )


@router.api_route("/reader.js", methods=READ)
def script(site: SiteDep) -> Response:
    """The one script: extras that no page needs; its address changes with its text."""
    return Response(
        site.script,
        media_type="text/javascript",
        headers={"Cache-Control": "public, max-age=31536000"},
    )


@router.api_route("/healthz", methods=READ)
async def sign_of_life() -> dict[str, str]:
    """Answers while the server lives, also when threads and database are busy."""
    return {"status": "ok"}


@router.api_route("/robots.txt", methods=READ)
def robots() -> Response:
    """Asks crawlers to leave the pages behind tokens alone."""
    paths = ("account", "archive", "click", "confirm", "feed", "feedback", "preferences",
             "receipt", "unsubscribe", "view")  # fmt: skip
    lines = "".join(f"Disallow: /{path}/\n" for path in paths)
    # Sign-up forms that are filled in already, one a paper, author and category.
    lines += "Disallow: /sign-up?\n"
    return Response(f"User-agent: *\n{lines}", media_type="text/plain")
