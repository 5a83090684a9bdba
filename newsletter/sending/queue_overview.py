"""What waits, runs and failed in the queue, read from its tables alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

# More lines tell nobody more.
MOST_JOBS = 200
_JOBS = text(
    """
    SELECT job.id, job.task_name, job.args, job.status::text, job.attempts,
           max(event.at) AS since, job.scheduled_at
    FROM procrastinate_jobs AS job LEFT JOIN procrastinate_events AS event ON event.job_id = job.id
    WHERE job.status IN ('todo', 'doing', 'failed', 'aborted')
    GROUP BY job.id
    ORDER BY job.status <> 'doing', job.status, job.id DESC LIMIT :most
    """
)
_COUNTS = text("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status")
_WORKERS = text(
    """
    SELECT worker.id, extract(epoch FROM now() - worker.last_heartbeat)::float,
           count(job.id)
    FROM procrastinate_workers AS worker
    LEFT JOIN procrastinate_jobs AS job ON job.worker_id = worker.id AND job.status = 'doing'
    GROUP BY worker.id ORDER BY worker.id
    """
)
# The queue's words, and ours.
STATES = {"todo": "waiting", "doing": "running", "failed": "failed", "aborted": "failed"}


@dataclass(frozen=True, slots=True)
class Job:
    """A job that waits, runs or failed; ``not_before`` is when it is tried, or tried again."""

    id: int
    task: str
    arguments: dict[str, Any]
    state: str
    attempts: int
    since: datetime | None
    not_before: datetime | None


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker: seconds since it said that it lives, and how many jobs it runs."""

    id: int
    silent_seconds: float
    running: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The queue at a moment; ``counts`` has every job, ``jobs`` the first `MOST_JOBS`."""

    counts: dict[str, int]
    jobs: tuple[Job, ...]
    workers: tuple[WorkerState, ...]


def look_at(connection: Connection) -> Overview:
    """Read the queue."""
    counts = dict.fromkeys(("waiting", "running", "failed"), 0)
    for status, number in connection.execute(_COUNTS):
        if status in STATES:
            counts[STATES[status]] += number
    jobs = tuple(
        Job(
            id=row[0],
            task=row[1].rpartition(":")[2],
            arguments=row[2],
            state=STATES[row[3]],
            attempts=row[4],
            since=row[5],
            not_before=row[6],
        )
        for row in connection.execute(_JOBS, {"most": MOST_JOBS})
    )
    workers = tuple(WorkerState(*row) for row in connection.execute(_WORKERS))
    return Overview(counts, jobs, workers)
