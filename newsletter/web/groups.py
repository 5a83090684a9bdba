"""A member leaves their group; what else a group is, its keeper and the operator decide."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from newsletter.subscribers import groups
from newsletter.web.ratings import subscriber_of
from newsletter.web.site import SiteDep

router = APIRouter()


@router.post("/preferences/{token}/group/leave")
def leave(site: SiteDep, token: str) -> RedirectResponse:
    """Go back to one's own topics; pressing twice is the same."""
    with site.writing() as session:
        groups.leave(session, subscriber_of(session, site, token))
    return RedirectResponse(f"{site.root}/preferences/{token}", 303)
