"""Pause, resume, cancel and retry an edition, by the functions that the commands call."""

from collections.abc import Callable
from datetime import date as Date  # noqa: N812  (`date` is the parameter's name here)

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from newsletter.core.database import utc_now
from newsletter.core.errors import UsageError
from newsletter.editions import lifecycle
from newsletter.editions.overview import overview
from newsletter.web.operator.access import ChangeDep, Operator, OperatorDep
from newsletter.web.operator.editions import edition_of, edition_shown
from newsletter.web.operator.shell import done, show
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()
NONE_CHOSEN = "Choose at least one kind of delivery to try again."


@router.post("/editions/{date}/pause")
def pause(site: SiteDep, operator: OperatorDep, date: Date, form: ChangeDep) -> Response:
    """Let no further delivery begin."""
    return _changed(site, operator, date, "paused", lambda: lifecycle.pause(site.engine, date))


@router.post("/editions/{date}/resume")
def resume(site: SiteDep, operator: OperatorDep, date: Date, form: ChangeDep) -> Response:
    """Let a send run go on."""
    return _changed(site, operator, date, "resumed", lambda: lifecycle.resume(site.engine, date))


@router.api_route("/editions/{date}/cancel", methods=READ)
def ask(site: SiteDep, operator: OperatorDep, date: Date) -> HTMLResponse:
    """Ask first: it cannot be taken back."""
    with site.reading() as session:
        seen = overview(session, edition_of(session, date), utc_now())
    return show(site, operator, "cancel", here="/editions", seen=seen)


@router.post("/editions/{date}/cancel")
def cancel(site: SiteDep, operator: OperatorDep, date: Date, form: ChangeDep) -> Response:
    """End the edition for good."""
    return _changed(site, operator, date, "cancelled", lambda: lifecycle.cancel(site.engine, date))


@router.post("/editions/{date}/retry")
def retry(site: SiteDep, operator: OperatorDep, date: Date, form: ChangeDep) -> Response:
    """Queue deliveries of the ticked kinds again."""
    ticked = {value for value in form.getlist("status") if isinstance(value, str)}
    chosen = [each for each in lifecycle.RETRYABLE if each.value in ticked]
    if not chosen:
        return edition_shown(site, operator, date, error=NONE_CHOSEN)
    return _changed(
        site, operator, date, "retried", lambda: lifecycle.retry(site.engine, date, chosen)
    )


def _changed(
    site: Site, operator: Operator, date: Date, what: str, change: Callable[[], int | None]
) -> Response:
    """Make a change; where it is no longer possible, the page says why."""
    try:
        number = change()
    except UsageError as error:
        return edition_shown(site, operator, date, error=f"Nothing was changed: {error}.")
    return done(site, f"/editions/{date}", what, number or 0)
