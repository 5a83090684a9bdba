"""Reset what was learned from ratings, and undo it. Interests and the ratings themselves stay."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from newsletter.ranking.profiles import feedback
from newsletter.subscribers.accounts import row_id
from newsletter.web.ratings import Back, subscriber_of
from newsletter.web.site import Site, SiteDep

router = APIRouter()


@router.post("/preferences/{token}/learned/reset")
def reset(site: SiteDep, token: str) -> RedirectResponse:
    """Let no rating until now count any more."""
    with site.writing() as session:
        feedback.reset(session, row_id(subscriber_of(session, site, token)))
    return _learned(site, token)


@router.post("/preferences/{token}/learned/reset/undo")
def undo(site: SiteDep, token: str) -> RedirectResponse:
    """Let every rating count again."""
    with site.writing() as session:
        feedback.undo_reset(session, row_id(subscriber_of(session, site, token)))
    return _learned(site, token)


def _learned(site: Site, token: str) -> RedirectResponse:
    return RedirectResponse(f"{site.root}/preferences/{token}/{Back.LEARNED}#reset", 303)
