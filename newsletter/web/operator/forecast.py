"""What the coming days hold, and whether it fits."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from newsletter.core.database import utc_now
from newsletter.editions.forecast import forecast, rate_of
from newsletter.web.operator.access import OperatorDep
from newsletter.web.operator.pictures import stacked
from newsletter.web.operator.shell import show
from newsletter.web.site import READ, SiteDep

router = APIRouter()
DaysDep = Annotated[int, Query(ge=1, le=31)]
SOURCES = {
    "set": "as NEWSLETTER_RATE sets it",
    "measured": "as in the last edition",
    "assumed": "which is assumed: nothing is set or measured yet",
}


@router.api_route("/forecast", methods=READ)
def forecast_page(site: SiteDep, operator: OperatorDep, days: DaysDep = 14) -> HTMLResponse:
    """A bar and a line for each day; what `newsletter forecast` prints."""
    with site.reading() as session:
        rate = rate_of(session, site.settings.rate)
        found = forecast(session, utc_now().date(), days, rate, site.settings.warm_up)
    return show(
        site,
        operator,
        "forecast",
        here="/forecast",
        days=days,
        found=found,
        rate=rate,
        rate_source=SOURCES[rate.source],
        picture=stacked(
            [f"{day.date:%d %b}" for day in found],
            [[day.due if day.fits else 0, 0 if day.fits else day.due] for day in found],
        ),
    )
