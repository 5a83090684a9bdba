"""Sign-ups that wait for their owner's confirmation."""

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from sqlmodel import func, select

from newsletter.core.errors import SettingsError
from newsletter.core.models import Subscriber, SubscriberStatus
from newsletter.subscribers import directory, transactional
from newsletter.web.operator.access import ChangeDep, Operator, OperatorDep
from newsletter.web.operator.shell import PER_PAGE, DoneDep, PageDep, done, part_of, show
from newsletter.web.operator.subscriber import subscriber_of
from newsletter.web.site import READ, RowId, Site, SiteDep

router = APIRouter()
HERE = "/sign-ups"
# Each takes a few statements while nobody else writes; more are for the command line.
MOST_AT_ONCE = 500


@router.api_route("/sign-ups", methods=READ)
def sign_ups_page(
    site: SiteDep, operator: OperatorDep, done: DoneDep, page: PageDep = 1
) -> HTMLResponse:
    """Who signed up and has not confirmed, and what became of the mail that asks them."""
    return _page(site, operator, done=done, page=page)


@router.post("/sign-ups")
def invite_all(site: SiteDep, operator: OperatorDep, form: ChangeDep) -> Response:
    """Ask everybody again, as `newsletter subscribers invite` does: nobody twice within a day."""
    with site.reading() as session:
        pending = session.exec(
            select(func.count()).where(Subscriber.status == SubscriberStatus.PENDING)
        ).one()
    if pending > MOST_AT_ONCE:
        return _page(
            site,
            operator,
            error=f"{pending:,} are too many for a page: run `newsletter subscribers invite`.",
        )
    return _invited(site, operator, None)


@router.post("/sign-ups/{subscriber_id}")
def invite_one(
    site: SiteDep, operator: OperatorDep, subscriber_id: RowId, form: ChangeDep
) -> Response:
    """Ask one of them again."""
    with site.reading() as session:
        email = subscriber_of(session, subscriber_id).email
    return _invited(site, operator, email)


def _invited(site: Site, operator: Operator, email: str | None) -> Response:
    try:
        site.settings.require("from_address")
    except SettingsError as error:
        return _page(site, operator, error=f"Nothing was queued. {error}")
    with site.writing() as session:
        queued, _ = transactional.invite(
            session, email=email, message_domain=site.settings.from_domain
        )
    return done(site, HERE, "invited" if queued else "unchanged", queued)


def _page(
    site: Site, operator: Operator, *, done: str = "", error: str = "", page: int = 1
) -> HTMLResponse:
    with site.reading() as session:
        shown = part_of(directory.count_waiting(session), page)
        rows = directory.waiting(session, offset=shown.offset, limit=PER_PAGE)
    return show(
        site,
        operator,
        "sign_ups",
        here=HERE,
        status=409 if error else 200,
        done=done,
        error=error,
        shown=shown,
        rows=rows,
        most=MOST_AT_ONCE,
    )
