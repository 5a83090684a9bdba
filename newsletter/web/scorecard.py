"""The reader's scorecard: how good our picks were, by what the reader judged. Looking only."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from newsletter.editions import scorecard as cards
from newsletter.editions.scorecard_counts import scorecard
from newsletter.subscribers.accounts import row_id
from newsletter.web.ratings import subscriber_of
from newsletter.web.site import READ, SiteDep

router = APIRouter()


@router.api_route("/preferences/{token}/scorecard", methods=READ)
def scorecard_page(site: SiteDep, token: str) -> HTMLResponse:
    """Per label, how many papers were mailed, judged and relevant."""
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        card = scorecard(session, subscriber_id=row_id(subscriber))
    return site.page(
        "scorecard.html", card=card, cards=cards, action=f"{site.root}/preferences/{token}"
    )
