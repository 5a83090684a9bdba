"""Thumbnails of figures: one address for all readers, no token, nothing fetched, no row read."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Response

from newsletter.papers.figures import path_of
from newsletter.web.site import READ, SiteDep

router = APIRouter()


@router.api_route("/figures/{name}", methods=READ)
def figure(site: SiteDep, name: Annotated[str, Path(pattern=r"^[0-9]{1,10}\.jpg$")]) -> Response:
    """The thumbnail of a paper, if there is one and the operator shows them."""
    if not site.settings.figures:
        raise HTTPException(404)
    paper_id = int(name.removesuffix(".jpg"))
    try:
        data = path_of(site.settings.figures_folder, paper_id).read_bytes()
    except OSError as error:
        raise HTTPException(404) from error
    # Mailboxes show it on pages of their own.
    headers = {
        "Cache-Control": "public, max-age=604800",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return Response(data, media_type="image/jpeg", headers=headers)
