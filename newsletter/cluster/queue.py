"""The queue: its connection, the workers that live, and putting jobs into it."""

from datetime import timedelta
from typing import Any

from procrastinate import App, PsycopgConnector, exceptions
from sqlalchemy import Engine, text

from newsletter.core.database import PATIENCE, read_scope

NAMESPACE = "newsletter"  # of the tasks' names, beside the queue's own
# A worker says that it lives every ten seconds; after thirty its jobs are given to others.
ALIVE = timedelta(seconds=30)
# The queue's own connections of one worker: heartbeat, fetching and finishing take turns.
CONNECTIONS = 2


def connector_for(engine: Engine) -> PsycopgConnector:
    """The queue's connections to the database of ``engine``.

    Statements are not prepared on the server: behind a pooler of transactions the next one may
    come to another server.
    """
    url = engine.url.set(drivername="postgresql")
    patience = {name: value for name, value in PATIENCE.items() if name not in url.query}
    return PsycopgConnector(
        conninfo=url.render_as_string(hide_password=False),
        min_size=1,
        max_size=CONNECTIONS,
        kwargs={"prepare_threshold": None, "application_name": "newsletter queue", **patience},
    )


async def put(
    app: App, task: str, lock: str, *, delay: timedelta | None = None, **arguments: Any
) -> bool:
    """Queue a job unless one with its ``lock`` waits already; returns whether it was queued.

    Jobs with one lock run one after the other.
    """
    later = {} if delay is None else {"schedule_in": {"seconds": int(delay.total_seconds())}}
    options: dict[str, Any] = {"lock": lock, "queueing_lock": lock, **later}
    job = app.configure_task(f"{NAMESPACE}:{task}", allow_unknown=False, **options)
    try:
        await job.defer_async(**arguments)
    except exceptions.AlreadyEnqueued:
        return False
    return True


def workers_alive(engine: Engine) -> int:
    """How many workers have said lately that they live; by the database's clock."""
    query = text("SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - :alive")
    with read_scope(engine) as session:
        return int(session.connection().scalar(query, {"alive": ALIVE}) or 0)


def is_any_due(engine: Engine) -> bool:
    """Whether a job waits that may run now."""
    query = text(
        "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo' "
        "AND (scheduled_at IS NULL OR scheduled_at <= now()))"
    )
    with read_scope(engine) as session:
        return bool(session.connection().scalar(query))


def is_under_way(engine: Engine, task: str) -> bool:
    """Whether a job of this task waits or runs."""
    query = text(
        "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE task_name = :task "
        "AND status IN ('todo', 'doing'))"
    )
    with read_scope(engine) as session:
        return bool(session.connection().scalar(query, {"task": f"{NAMESPACE}:{task}"}))
