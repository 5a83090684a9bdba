"""Public pages: days of papers, one paper, search, feeds, the style sheet."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from sqlmodel import Session

from newsletter.core.database import utc_now
from newsletter.core.models import Paper
from newsletter.papers import browse, spelling
from newsletter.papers.browse import Order
from newsletter.papers.search import search_ids
from newsletter.web import feeds
from newsletter.web.fields import code_of
from newsletter.web.paper_lists import cards
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()
# Far enough to page by hand; a client that goes on is a crawler.
PageNumber = Annotated[int, Query(ge=1, le=200)]
Short = Annotated[str, Query(max_length=200)]
# The first and last days that a date on a page may name.
EARLIEST, LATEST = date(1991, 1, 1), date(2199, 12, 31)


@router.api_route("/", methods=READ)
async def front_page(site: SiteDep, order: Order = Order.UPVOTES) -> HTMLResponse:
    """The newest day's papers, and the sign-up form."""
    today = utc_now().date()

    def make(session: Session, state: object) -> bytes:
        day = browse.newest_day(session) or today
        return _rendered_days(site, session, state, Days(day, order=order), is_front=True)

    return await site.shared_page(("front", today, order), make)


@router.api_route("/day/{day}", methods=READ)
async def day_page(
    site: SiteDep, day: date, page: PageNumber = 1, order: Order = Order.UPVOTES
) -> HTMLResponse:
    """One day's papers."""
    return await _days(site, Days(_checked(day), 1, page, order))


@router.api_route("/week/{day}", methods=READ)
async def week_page(
    site: SiteDep, day: date, page: PageNumber = 1, order: Order = Order.UPVOTES
) -> HTMLResponse:
    """The papers of the week that ``day`` is in."""
    monday = _checked(day) - timedelta(days=day.weekday())
    return await _days(site, Days(monday, 7, page, order))


@router.api_route("/month/{day}", methods=READ)
async def month_page(
    site: SiteDep, day: date, page: PageNumber = 1, order: Order = Order.UPVOTES
) -> HTMLResponse:
    """The papers of the month that ``day`` is in."""
    first = _checked(day).replace(day=1)
    return await _days(site, Days(first, monthrange(first.year, first.month)[1], page, order))


def _checked(day: date) -> date:
    if not EARLIEST <= day <= LATEST:
        raise HTTPException(404)
    return day


@dataclass(frozen=True, slots=True)
class Days:
    """A page of the papers of some days in a row."""

    first: date
    days: int = 1
    page: int = 1
    order: Order = Order.UPVOTES


async def _days(site: Site, asked: Days) -> HTMLResponse:
    return await site.shared_page(asked, partial(_rendered_days, site, asked=asked))


def _rendered_days(
    site: Site, session: Session, state: object, asked: Days, *, is_front: bool = False
) -> bytes:
    first, last = asked.first, asked.first + timedelta(days=asked.days - 1)
    ids, total = browse.ids_between(session, first, last, page=asked.page, order=asked.order)
    around = browse.neighbours(session, first, last)
    heading = "h3" if is_front else "h2"
    return site.rendered(
        "days.html",
        first=first,
        last=last,
        papers=cards(site, session, state, ids, heading=heading, teaser=260),
        total=total,
        page=asked.page,
        start=(asked.page - 1) * browse.PAGE,
        pages=max(1, -(-total // browse.PAGE)),
        before=around.before,
        after=around.after,
        span={1: "day", 7: "week"}.get(asked.days, "month"),
        order=asked.order.value,
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
    return _feed(site, None, "/feed.atom", as_json=False)


@router.api_route("/feed.json", methods=READ)
def newest_json(site: SiteDep) -> Response:
    """The same as JSON Feed."""
    return _feed(site, None, "/feed.json", as_json=True)


def _feed(site: Site, day: date | None, path: str, *, as_json: bool) -> Response:
    """The papers of a day, of the newest unless told, as a feed at ``path``."""
    today = utc_now().date()

    def make(session: Session, state: object) -> bytes:
        shown = day or browse.newest_day(session) or today
        return _rendered_feed(site, session, shown, path, as_json)

    return feeds.answer(site.shared((path, today), make), as_json=as_json)


def _rendered_feed(site: Site, session: Session, day: date, path: str, as_json: bool) -> bytes:
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
    with site.reading() as session:
        state = site.kept.state(session)
        key = ("search", *fields.model_dump().values())
        found = site.kept.made(state, key, lambda: _found(session, fields, since, until))
        papers = cards(site, session, state, found.ids)
    return site.page(
        "search.html",
        fields=fields,
        papers=papers,
        error="",
        start=(fields.page - 1) * browse.PAGE,
        more=found.more,
        any_word=found.any_word,
        instead=found.instead,
        again=urlencode(fields.given()),
    )


class Found(NamedTuple):
    """What a search found: papers of one page, and whether there are more.

    They may have only some of the words (``any_word``), or other words, spelled right.
    """

    ids: tuple[int, ...]
    more: bool
    any_word: bool
    instead: str | None


def _found(
    session: Session, fields: SearchFields, since: datetime | None, until: datetime | None
) -> Found:
    start = (fields.page - 1) * browse.PAGE
    words, instead = line_of(fields.q), None
    matching = partial(
        search_ids,
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
    return Found(tuple(found[: browse.PAGE]), len(found) > browse.PAGE, any_word, instead)


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
