"""How good the picks were, over all readers: as a picture and as tables."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from newsletter.core.database import utc_now
from newsletter.editions import scorecard as cards
from newsletter.editions.scorecard_counts import scorecard
from newsletter.web.operator.access import OperatorDep
from newsletter.web.operator.pictures import stacked
from newsletter.web.operator.shell import show
from newsletter.web.site import READ, SiteDep

router = APIRouter()
# A week of 100,000 readers is counted in seconds; longer is for those who choose it.
DaysDep = Annotated[int, Query(ge=1, le=366)]


@router.api_route("/scorecard", methods=READ)
def scorecard_page(site: SiteDep, operator: OperatorDep, days: DaysDep = 7) -> HTMLResponse:
    """Per label what was judged, and what a minimum would have left out."""
    with site.reading() as session:
        card = scorecard(session, since=utc_now().date() - timedelta(days=days - 1))
    return show(
        site,
        operator,
        "scorecard",
        here="/scorecard",
        days=days,
        card=card,
        cards=cards,
        picture=stacked(
            [cards.NAMES[label] for label in card.labels],
            [[counts.relevant, counts.not_relevant] for counts in card.labels.values()],
        ),
    )
