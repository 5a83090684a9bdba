"""What a reader saved or found relevant, as a file for a reference manager."""

from collections.abc import Callable, Iterable

from fastapi import APIRouter, Response

from newsletter.core.models import Paper
from newsletter.ranking.profiles import feedback
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.bibliography.exchange import as_csl, as_ris
from newsletter.subscribers.bibliography.writing import as_bibtex
from newsletter.web.account import attachment
from newsletter.web.ratings import subscriber_of
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()


@router.api_route("/preferences/{token}/saved.bib", methods=READ)
def saved_bibtex(site: SiteDep, token: str) -> Response:
    """As BibTeX."""
    return _file(site, token, as_bibtex, "application/x-bibtex", "my-papers.bib")


@router.api_route("/preferences/{token}/saved.ris", methods=READ)
def saved_ris(site: SiteDep, token: str) -> Response:
    """As RIS."""
    return _file(site, token, as_ris, "application/x-research-info-systems", "my-papers.ris")


@router.api_route("/preferences/{token}/saved.json", methods=READ)
def saved_csl(site: SiteDep, token: str) -> Response:
    """As CSL JSON."""
    return _file(site, token, as_csl, "application/vnd.citationstyles.csl+json", "my-papers.json")


def _file(
    site: Site, token: str, write: Callable[[Iterable[Paper]], str], media_type: str, name: str
) -> Response:
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        text = write(feedback.liked(feedback.judged(session, row_id(subscriber))))
    return attachment(text, media_type, name)
