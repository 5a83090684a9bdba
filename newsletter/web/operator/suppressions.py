"""Suppressions: addresses that get no mail, and why; suppress one, or lift one with a reason."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter.core import one_line
from newsletter.core.database import utc_now
from newsletter.core.errors import InputError, UsageError
from newsletter.core.models import SuppressionReason
from newsletter.subscribers import suppression_list
from newsletter.subscribers.suppression import OWN_DECISION
from newsletter.subscribers.suppression_list import LONGEST_NOTE
from newsletter.web.bodies import Form
from newsletter.web.forms import text_of
from newsletter.web.operator.access import ChangeDep, Operator, OperatorDep
from newsletter.web.operator.shell import PER_PAGE, DoneDep, PageDep, done, part_of, show
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()
LIFTED_SHOWN = 10


@router.api_route("/suppressions", methods=READ)
def suppressions_page(
    site: SiteDep,
    operator: OperatorDep,
    done: DoneDep,
    reason: Annotated[SuppressionReason | None, Query()] = None,
    page: PageDep = 1,
) -> HTMLResponse:
    """A page of suppressed addresses, the newest first."""
    return _page(site, operator, done=done, reason=reason, page=page)


@router.post("/suppressions")
def suppress(site: SiteDep, operator: OperatorDep, form: ChangeDep) -> Response:
    """Suppress an address, as `newsletter suppressions add` does."""

    def add(session: Session, email: str, note: str) -> str:
        is_new = suppression_list.add(session, site.signer, email, note=note)
        return "suppressed" if is_new else "unchanged"

    return _changed(site, operator, form, add)


@router.post("/suppressions/lift")
def lift(site: SiteDep, operator: OperatorDep, form: ChangeDep) -> Response:
    """Let an address get mail again, as `newsletter suppressions remove` does.

    Who left by themselves cannot be brought back.
    """

    def remove(session: Session, email: str, note: str) -> str:
        was_there = suppression_list.remove(session, site.signer, email, note=note, now=utc_now())
        if not was_there:
            raise UsageError(f"{email} is not suppressed")
        return "restored"

    return _changed(site, operator, form, remove)


def _changed(
    site: Site, operator: Operator, form: Form, change: Callable[[Session, str, str], str]
) -> Response:
    email = text_of(form, "email").strip()
    note = one_line.harmless(text_of(form, "note"), LONGEST_NOTE)
    try:
        if not note:
            raise InputError("is needed: say why, so that others can tell", where="reason")
        with site.writing() as session:
            what = change(session, email, note)
    except (InputError, UsageError) as error:
        return _page(site, operator, error=f"Nothing was changed. {error}", email=email, note=note)
    return done(site, "/suppressions", what)


def _page(
    site: Site,
    operator: Operator,
    *,
    done: str = "",
    error: str = "",
    reason: SuppressionReason | None = None,
    page: int = 1,
    email: str = "",
    note: str = "",
) -> HTMLResponse:
    with site.reading() as session:
        counted = suppression_list.counted(session)
        shown = part_of(counted[reason] if reason else sum(counted.values()), page)
        rows = suppression_list.listing(session, reason=reason, limit=PER_PAGE, offset=shown.offset)
        lifted = suppression_list.lifted(session, LIFTED_SHOWN)
    return show(
        site,
        operator,
        "suppressions",
        here="/suppressions",
        status=422 if error else 200,
        done=done,
        error=error,
        counted=counted,
        wanted=reason,
        shown=shown,
        rows=rows,
        lifted=lifted,
        own=OWN_DECISION,
        email=email,
        note=note,
    )
