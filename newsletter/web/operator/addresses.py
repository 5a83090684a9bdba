"""Everything that happened to one address, and why it gets no mail."""

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session, select

from newsletter.core.errors import InputError
from newsletter.core.models import Subscriber, Suppression
from newsletter.inbound.history import history_of
from newsletter.subscribers.suppression import OWN_DECISION
from newsletter.subscribers.validation import normalise_email
from newsletter.web.forms import text_of
from newsletter.web.operator.access import ChangeDep, Operator, OperatorDep
from newsletter.web.operator.shell import DoneDep, show
from newsletter.web.operator.subscriber import subscriber_of
from newsletter.web.site import READ, RowId, Site, SiteDep

router = APIRouter()
HERE = "/addresses"


@router.api_route("/addresses", methods=READ)
def search_page(site: SiteDep, operator: OperatorDep) -> HTMLResponse:
    """The form that asks for an address."""
    return show(site, operator, "address", here=HERE, email="", found=None)


@router.post("/addresses")
def found_page(site: SiteDep, operator: OperatorDep, form: ChangeDep) -> Response:
    """What happened to the address. Changes nothing: posted, so that no log holds the address."""
    email = text_of(form, "email").strip()
    try:
        with site.reading() as session:
            return _shown(site, operator, session, normalise_email(email))
    except InputError as error:
        return show(
            site,
            operator,
            "address",
            here=HERE,
            status=422,
            error=str(error),
            email=email,
            found=None,
        )


@router.api_route("/subscribers/{subscriber_id}/mail", methods=READ)
def mail_page(
    site: SiteDep, operator: OperatorDep, subscriber_id: RowId, done: DoneDep
) -> HTMLResponse:
    """The same for a subscriber's address."""
    with site.reading() as session:
        email = subscriber_of(session, subscriber_id).email
        return _shown(site, operator, session, email, done=done)


def _shown(
    site: Site, operator: Operator, session: Session, email: str, *, done: str = ""
) -> HTMLResponse:
    """The history of an address as it is stored."""
    found = history_of(session, site.signer, email)
    suppression = session.get(Suppression, site.signer.hash_address(found.email))
    return show(
        site,
        operator,
        "address",
        here=HERE,
        done=done,
        email=found.email,
        found=found,
        subscriber=session.exec(select(Subscriber).where(Subscriber.email == email)).first(),
        suppression=suppression,
        is_own=suppression is not None and suppression.reason in OWN_DECISION,
    )
