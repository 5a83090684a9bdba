"""Today: sources, editions that are open, what is wrong and the command that helps."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter.core.database import utc_now
from newsletter.editions import broadcasts
from newsletter.editions import overview as overviews
from newsletter.editions.advice import advice, people
from newsletter.editions.overview import Overview
from newsletter.editions.report import sources_now
from newsletter.sending.ledger.progress import unfinished_notes
from newsletter.web.operator.access import OperatorDep
from newsletter.web.operator.shell import DoneDep, asset, show
from newsletter.web.site import READ, SiteDep

router = APIRouter()
# Broadcasts of this long ago are still shown.
BROADCASTS = timedelta(days=4)
# An asset's address changes with its text.
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.api_route("", methods=READ)
def today_page(site: SiteDep, operator: OperatorDep, done: DoneDep) -> HTMLResponse:
    """Where everything stands."""
    now = utc_now()
    with site.reading() as session:
        found = open_editions(session, now)
        sources = sources_now(session, site.settings.sources)
        counted = people(session)
        todays = next((each for each in found if each.edition.issue_date == now.date()), None)
        lines = advice(
            now.date(),
            todays.edition if todays else None,
            missed=todays.missed if todays else 0,
            sources=sources,
            people=counted,
        )
        waiting = unfinished_notes(session)
        sent = broadcasts.shown(session, now.date() - BROADCASTS)
    return show(
        site,
        operator,
        "today",
        here="",
        done=done,
        editions=found,
        what_now=overviews.what_now,
        now=now,
        sources=sources,
        people=counted,
        advice=lines,
        waiting=waiting,
        broadcasts=sent,
    )


@router.api_route("/counts", methods=READ)
def counts(site: SiteDep, operator: OperatorDep) -> HTMLResponse:
    """The open editions alone, for the script that keeps the counts moving."""
    now = utc_now()
    with site.reading() as session:
        found = open_editions(session, now)
    return show(
        site, operator, "counts", here="", editions=found, what_now=overviews.what_now, now=now
    )


def open_editions(session: Session, now: datetime) -> list[Overview]:
    """The editions that `today_page` shows."""
    return [
        overviews.overview(session, each, now) for each in overviews.current(session, now.date())
    ]


@router.api_route("/style.css", methods=READ)
def style_sheet(operator: OperatorDep) -> Response:
    """How these pages look, on top of the site's own style sheet."""
    return Response(asset("style.css"), media_type="text/css", headers=FOREVER)


@router.api_route("/live.js", methods=READ)
def script(operator: OperatorDep) -> Response:
    """Fetches the counts anew while a page is looked at."""
    return Response(asset("live.js"), media_type="text/javascript", headers=FOREVER)
