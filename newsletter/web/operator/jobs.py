"""The queue: what waits, runs and failed, where there is one."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, inspect, text

from newsletter.web.operator.access import OperatorDep
from newsletter.web.operator.shell import PER_PAGE, show
from newsletter.web.site import READ, SiteDep

router = APIRouter()
TABLE = "procrastinate_jobs"
_COUNTS = text("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status")
_OPEN = text(
    "SELECT id, task_name, args::text, status::text, attempts, scheduled_at "
    "FROM procrastinate_jobs WHERE status <> 'succeeded' ORDER BY id DESC LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is not done."""

    id: int
    task: str
    arguments: str
    status: str
    attempts: int
    not_before: datetime | None


@router.api_route("/jobs", methods=READ)
def jobs_page(site: SiteDep, operator: OperatorDep) -> HTMLResponse:
    """The newest jobs that are not done, and how many there are in each state."""
    with site.engine.connect() as connection:
        has_queue = _has_queue(connection)
        counts = dict(tuple(row) for row in connection.execute(_COUNTS)) if has_queue else {}
        rows = connection.execute(_OPEN, {"most": PER_PAGE}) if has_queue else ()
        jobs = [Job(*row) for row in rows]
    return show(
        site,
        operator,
        "jobs",
        here="/jobs",
        has_queue=has_queue,
        is_sqlite=site.engine.dialect.name == "sqlite",
        counts=counts,
        jobs=jobs,
    )


def _has_queue(connection: Connection) -> bool:
    return connection.dialect.name != "sqlite" and inspect(connection).has_table(TABLE)
