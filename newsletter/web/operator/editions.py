"""Editions: all of them, and one with who did not get it and why."""

from datetime import date as Date  # noqa: N812  (`date` is the parameter's name here)
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, func, select

from newsletter.core.database import utc_now
from newsletter.core.models import DeliveryStatus, Edition
from newsletter.editions import lifecycle, report
from newsletter.editions.overview import overview, what_now
from newsletter.sending import ledger
from newsletter.sending.ledger.rates import rates_of, verdict, worth_showing
from newsletter.web.operator.access import OperatorDep
from newsletter.web.operator.shell import PER_PAGE, DoneDep, PageDep, SearchDep, part_of, show
from newsletter.web.site import READ, SiteDep

router = APIRouter()
# Counting the deliveries of one takes as long as a whole page of subscribers.
EDITIONS_PER_PAGE = 14
# Under these a delivery did not arrive, or not yet, and nobody is about to try it.
TROUBLED = (
    *ledger.MISSED,
    DeliveryStatus.COMPLAINED,
    DeliveryStatus.SUPPRESSED,
    DeliveryStatus.CANCELLED,
)
StatusDep = Annotated[DeliveryStatus | None, Query(alias="status")]


@router.api_route("/editions", methods=READ)
def editions_page(site: SiteDep, operator: OperatorDep, page: PageDep = 1) -> HTMLResponse:
    """All editions, the newest first, with their counts."""
    with site.reading() as session:
        total = session.exec(select(func.count()).select_from(Edition)).one()
        shown = part_of(total, page, EDITIONS_PER_PAGE)
        rows = session.exec(
            select(Edition)
            .order_by(col(Edition.issue_date).desc())
            .offset(shown.offset)
            .limit(EDITIONS_PER_PAGE)
        ).all()
        found = [(each, ledger.counts(session, each.id)) for each in rows]
    return show(site, operator, "editions", here="/editions", shown=shown, found=found)


@router.api_route("/editions/{date}", methods=READ)
def edition_page(
    site: SiteDep,
    operator: OperatorDep,
    date: Date,
    *,
    done: DoneDep,
    search: SearchDep,
    status: StatusDep = None,
    page: PageDep = 1,
) -> HTMLResponse:
    """One edition: where it stands, who did not get it, and what can be done."""
    return edition_shown(site, operator, date, done=done, search=search, status=status, page=page)


def edition_shown(
    site: SiteDep,
    operator: OperatorDep,
    date: Date,
    *,
    done: str = "",
    error: str = "",
    search: str = "",
    status: DeliveryStatus | None = None,
    page: int = 1,
) -> HTMLResponse:
    """The page of an edition, with what a change has to say.

    Raises:
        HTTPException: 404, there is no such edition.
    """
    now = utc_now()
    wanted = [status] if status else list(TROUBLED)
    with site.reading() as session:
        edition = edition_of(session, date)
        edition_id = edition.id or 0
        seen = overview(session, edition, now)
        by_status = seen.by_status
        total = (
            report.count_undelivered(session, edition_id, wanted, search)
            if search
            else sum(by_status[each] for each in wanted)
        )
        shown = part_of(total, page)
        rows = report.undelivered_page(
            session,
            edition_id,
            statuses=wanted,
            search=search,
            offset=shown.offset,
            limit=PER_PAGE,
        )
        rates = [each for each in worth_showing(rates_of(session, edition_id)) if each.tried]
    return show(
        site,
        operator,
        "edition",
        here="/editions",
        status=409 if error else 200,
        done=done,
        error=error,
        now=now,
        seen=seen,
        what_now=what_now,
        by_status={each: by_status[each] for each in DeliveryStatus if by_status[each]},
        retryable={each: by_status[each] for each in lifecycle.RETRYABLE if by_status[each]},
        rows=rows,
        shown=shown,
        search=search,
        wanted=status,
        rates=rates,
        verdict=verdict,
    )


@router.api_route("/editions/{date}/counts", methods=READ)
def counts(site: SiteDep, operator: OperatorDep, date: Date) -> HTMLResponse:
    """Its counts alone, for the script that keeps them moving."""
    now = utc_now()
    with site.reading() as session:
        seen = overview(session, edition_of(session, date), now)
    return show(site, operator, "edition_counts", here="", seen=seen, what_now=what_now, now=now)


@router.api_route("/editions/{date}/without", methods=READ)
def without_page(
    site: SiteDep, operator: OperatorDep, date: Date, page: PageDep = 1
) -> HTMLResponse:
    """Who was due and gets no mail, and why."""
    with site.reading() as session:
        edition = edition_of(session, date)
        seen = overview(session, edition, utc_now())
        shown = part_of(seen.without_digest, page)
        rows = report.without_digest_page(
            session, edition.id or 0, offset=shown.offset, limit=PER_PAGE
        )
    return show(site, operator, "without", here="/editions", date=date, shown=shown, rows=rows)


def edition_of(session: Session, date: Date) -> Edition:
    """The edition of a date.

    Raises:
        HTTPException: 404, there is none.
    """
    found = session.exec(select(Edition).where(Edition.issue_date == date)).first()
    if found is None:
        raise HTTPException(404)
    return found
