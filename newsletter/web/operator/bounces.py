"""Bounces by domain over weeks, as a picture and as a table."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from newsletter.core.database import utc_now
from newsletter.sending.ledger.weekly import bounces_by_week, largest_domains
from newsletter.web.operator.access import OperatorDep
from newsletter.web.operator.pictures import stacked
from newsletter.web.operator.shell import show
from newsletter.web.site import READ, SiteDep

router = APIRouter()
# As many as the picture has colours for, besides that of all others.
DOMAINS = 5
WeeksDep = Annotated[int, Query(ge=1, le=52)]


@router.api_route("/bounces", methods=READ)
def bounces_page(site: SiteDep, operator: OperatorDep, weeks: WeeksDep = 12) -> HTMLResponse:
    """The domains with the most bounces each with a colour, all others together with one."""
    with site.reading() as session:
        found = bounces_by_week(session, utc_now().date(), weeks)
    names = largest_domains(found, DOMAINS)
    bars = []
    for week in found:
        own = [week.domains.get(name, 0) for name in names]
        bars.append([*own, week.total - sum(own)])
    has_others = any(bar[-1] for bar in bars)
    return show(
        site,
        operator,
        "bounces",
        here="/bounces",
        weeks=weeks,
        found=found,
        # The last colour is that of all others, however few domains there are.
        parts=[*enumerate(names), *([(DOMAINS, "other domains")] if has_others else [])],
        bars=bars,
        total=sum(week.total for week in found),
        picture=stacked(
            [f"{week.start:%d %b}" for week in found],
            [[*bar[:-1], *[0] * (DOMAINS - len(names)), bar[-1]] for bar in bars],
        ),
        has_others=has_others,
    )
