"""`/metrics`: figures for Prometheus, with the bearer token."""

from secrets import compare_digest
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response

from newsletter.sending import metrics
from newsletter.web.site import SiteDep

router = APIRouter()


@router.get("/metrics")
def metrics_page(site: SiteDep, authorization: Annotated[str, Header()] = "") -> Response:
    """Counts only, nothing about a person. The page exists only if a token is set."""
    token = site.settings.metrics_token
    if token is None:
        raise HTTPException(404)
    wanted = f"Bearer {token.get_secret_value()}"
    if not compare_digest(authorization.encode(), wanted.encode()):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return Response(
        metrics.exposition(site.engine),
        headers={"Cache-Control": "no-store"},
        media_type=metrics.CONTENT_TYPE,
    )
