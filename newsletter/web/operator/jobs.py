"""The queue: what waits, runs and failed, where there is one."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import inspect

from newsletter.sending.queue_overview import Overview, look_at
from newsletter.web.operator.access import OperatorDep
from newsletter.web.operator.shell import show
from newsletter.web.site import READ, SiteDep

router = APIRouter()


@router.api_route("/jobs", methods=READ)
def jobs_page(site: SiteDep, operator: OperatorDep) -> HTMLResponse:
    """What `newsletter jobs` prints."""
    with site.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        has_tables = not is_sqlite and inspect(connection).has_table("procrastinate_jobs")
        found = look_at(connection) if has_tables else Overview({}, (), ())
    return show(
        site,
        operator,
        "jobs",
        here="/jobs",
        is_sqlite=is_sqlite,
        is_used=bool(found.workers or found.jobs),
        found=found,
    )
