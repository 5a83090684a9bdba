"""The front page, the style sheet, and the sign of life."""

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from sqlmodel import text

from newsletter.web.site import SiteDep

router = APIRouter()
READ = ["GET", "HEAD"]


@router.api_route("/", methods=READ)
def front_page(site: SiteDep) -> HTMLResponse:
    """What this site is."""
    return site.page("front.html")


@router.api_route("/style.css", methods=READ)
def style_sheet(site: SiteDep) -> Response:
    """The one style sheet; its address changes with its text."""
    return Response(
        site.style, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000"}
    )


@router.api_route("/healthz", methods=READ)
def sign_of_life(site: SiteDep) -> dict[str, str]:
    """Answers when the database does."""
    with site.reading() as session:
        session.connection().execute(text("SELECT 1"))
    return {"status": "ok"}


@router.api_route("/robots.txt", methods=READ)
def robots() -> Response:
    """Asks crawlers to leave the pages behind tokens alone."""
    paths = ("unsubscribe", "preferences", "feedback", "confirm", "view")
    lines = "".join(f"Disallow: /{path}/\n" for path in paths)
    return Response(f"User-agent: *\n{lines}", media_type="text/plain")
