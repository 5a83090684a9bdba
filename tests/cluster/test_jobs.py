"""Jobs of the queue: what they do, that they may run twice, and what survives a dead worker."""

import asyncio
import json
import multiprocessing
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from procrastinate.periodic import PeriodicDeferrer
from pydantic import SecretStr
from sqlalchemy import Engine, text
from sqlmodel import col, func, select

from newsletter.cluster import queue, schema, work
from newsletter.cluster.site import Site
from newsletter.cluster.tasks import app, open_queue
from newsletter.cluster.worker import NewsletterWorker
from newsletter.core import database
from newsletter.core.database import read_scope, session_scope
from newsletter.core.errors import DatabaseError
from newsletter.core.models import Delivery, Edition, EditionStatus, Subscriber
from newsletter.sending import queue_overview
from newsletter.sources.http_client import Fetcher
from newsletter.subscribers import accounts
from tests.support import imap_server
from tests.support.readers import add_readers, digest_rows, settings_for
from tests.support.smtp_sink import running_sink
from tests.support.sources import answering


def run_worker(site: Site, said: list[str], concurrency: int = 2) -> None:
    """A worker that ends when no job is left."""
    worker = NewsletterWorker(site, concurrency=concurrency, say=said.append, wait=False)
    asyncio.run(worker.run())


def put(engine: Engine, task: str, lock: str, **arguments: int | str) -> None:
    given: dict[str, Any] = arguments

    async def once() -> None:
        async with open_queue(engine) as app:
            await queue.put(app, task, lock, **given)

    asyncio.run(once())


def jobs(engine: Engine) -> list[tuple[str, str, str]]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT task_name, status::text, args::text FROM procrastinate_jobs ORDER BY id")
        )
        return [(row[0], row[1], row[2]) for row in rows]


def statuses(engine: Engine) -> dict[str, int]:
    with read_scope(engine) as session:
        rows = session.exec(select(Delivery.status, func.count()).group_by(col(Delivery.status)))
        return {str(status): number for status, number in rows}


def test_a_worker_prepares_and_sends_to_all_who_are_due_and_a_second_one_finds_nothing_to_do(
    queue_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "SHARD", 7)  # so that 20 subscribers are several shards
    add_readers(queue_engine, 20)
    said: list[str] = []
    with running_sink() as sink:
        site = Site(settings_for(queue_engine, sink.port), queue_engine)
        put(queue_engine, "look", "look", timestamp=0)
        run_worker(site, said)
        assert statuses(queue_engine) == {"sent": 20}, said
        assert len(sink.accepted) == 20
        put(queue_engine, "look", "look", timestamp=60)
        run_worker(site, said)
        assert len(sink.accepted) == 20
    assert not [line for line in said if "error" in line]
    # What is done leaves no row behind, and no job named a person or a secret.
    assert not [job for job in jobs(queue_engine) if job[1] == "failed"]
    text_of_all = " ".join(said)
    assert "@there.example" not in text_of_all
    assert "0f9b8c7d" not in text_of_all


def shard_done(url: str, first: int, now: str) -> str:
    engine = database.connect(url)
    site = Site(settings_for(engine), engine)
    try:
        return work.prepare(site, range(first, first + 10), datetime.fromisoformat(now))
    finally:
        engine.dispose()


@pytest.mark.timeout(120)
def test_each_reader_gets_the_same_digest_from_one_two_or_four_workers(bare_engine: Engine) -> None:
    now = add_readers(bare_engine, 40).isoformat()
    work.refit(Site(settings_for(bare_engine), bare_engine))
    url = bare_engine.url.render_as_string(hide_password=False)
    with read_scope(bare_engine) as session:
        last = session.exec(select(func.max(Subscriber.id))).one() or 0
    shards = list(range(0, last + 1, 10))
    found = []
    for workers in (1, 2, 4):
        bare_engine.dispose()
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            pool.starmap(shard_done, [(url, first, now) for first in shards], chunksize=1)
        found.append(digest_rows(bare_engine))
        with session_scope(bare_engine) as session:
            for table in ("digest_item", "delivery", "no_digest", "edition_paper", "edition"):
                session.connection().execute(text(f"DELETE FROM {table}"))
    assert len({row[0] for row in found[0]}) == 40
    assert found[0] == found[1] == found[2]


def test_the_same_shard_prepared_by_two_workers_at_once_is_prepared_once(
    bare_engine: Engine,
) -> None:
    now = add_readers(bare_engine, 30).isoformat()
    url = bare_engine.url.render_as_string(hide_password=False)
    work.refit(Site(settings_for(bare_engine), bare_engine))
    bare_engine.dispose()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.starmap(shard_done, [(url, 0, now), (url, 0, now), (url, 0, now)], chunksize=1)
    with read_scope(bare_engine) as session:
        first = session.exec(select(Subscriber.id).where(col(Subscriber.id) < 10)).all()
        mailed = session.exec(select(Delivery.subscriber_id)).all()
    assert sorted(mailed) == sorted(number or 0 for number in first)


def test_a_shard_whose_subscribers_are_gone_and_an_edition_that_never_was_are_no_errors(
    queue_engine: Engine,
) -> None:
    said: list[str] = []
    put(queue_engine, "prepare", "p", first=500, stop=600, now="2026-11-20T07:00:00+00:00")
    put(queue_engine, "train", "t", first=500, stop=600)
    put(queue_engine, "vectors", "v", first=500, stop=600)
    put(queue_engine, "prune", "prune")
    put(queue_engine, "send", "s", kind="edition", number=99, share=0)
    run_worker(Site(settings_for(queue_engine), queue_engine), said, concurrency=1)
    assert "prepare: subscribers 500 to 599: nobody is due" in " ".join(said)
    assert "prune: 0 old rows removed" in " ".join(said)
    assert "train: subscribers 500 to 599: 0 topics" in " ".join(said)
    assert "send: there is no edition or broadcast 99" in " ".join(said)
    assert jobs(queue_engine) == []


def a_day(now: str) -> list[dict[str, dict[str, int | str]]]:
    """All tasks with what their jobs are given, in groups that run one after the other."""
    return [
        {"ingest": {"source": "feeds"}, "look_up": {}},
        {"refit": {}, "vectors": {"first": 0, "stop": 99}, "train": {"first": 0, "stop": 99}},
        {"prepare": {"first": 0, "stop": 99, "now": now}},
        {
            "look": {"timestamp": 0},
            "send": {"kind": "edition", "number": 1, "share": 0},
            "send_notes": {},
            "inbound": {"timestamp": 0},
        },
        {"scorecard": {"timestamp": 0}, "prune": {}, "rescue": {"timestamp": 0}},
        {"daily": {"timestamp": 0}},
    ]


KEPT = ["paper", "paper_vector", "profile", "subscriber", "edition", "edition_paper", "delivery"]
KEPT += ["digest_item", "no_digest", "delivery_event", "suppression", "kept_mail"]
FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "A publisher's papers",
    "items": [
        {
            "id": f"https://feed.example/{number}",
            "url": f"https://feed.example/{number}",
            "title": f"{name} are repaired by machines that learn",
            "content_text": f"We show that {name.lower()} can be repaired by machines.",
        }
        for number, name in enumerate(("Programs", "Bridges", "Proofs"))
    ],
}
STRAY = b"From: who@else.example\r\nTo: bounce@site.example\r\nSubject: Hello\r\n\r\nHi.\r\n"


def rows_of(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            table: connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in KEPT
        }


@pytest.mark.timeout(120)
def test_a_whole_day_of_every_task_run_twice_changes_no_more_than_once(
    queue_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = httpx.MockTransport(answering(json.dumps(FEED).encode()))
    monkeypatch.setattr(work, "Fetcher", partial(Fetcher, transport=answer))
    day = a_day(add_readers(queue_engine, 10).isoformat())
    names = {f"newsletter:{task}" for group in day for task in group}
    assert names == {name for name in app.tasks if name.startswith("newsletter:")}
    said: list[str] = []
    found = []
    with running_sink() as sink, imap_server.imap_server() as (mailbox, maildir):
        settings = settings_for(queue_engine, sink.port).model_copy(
            update={
                "imap_url": SecretStr(mailbox),
                "sources": ("feeds",),
                "feeds": ("https://feed.example/f.json",),
            }
        )
        site = Site(settings, queue_engine)
        for turn in range(2):
            imap_server.put(maildir, f"{turn}.mail", STRAY)
            for group in day:
                for task, given in group.items():
                    put(queue_engine, task, task, **given)
                run_worker(site, said)
            found.append((rows_of(queue_engine), sorted(sink.recipients())))
    assert found[0] == found[1]
    assert [line for line in said if "error" in line] == []
    before, mailed = found[0]
    assert before["paper"] == 24 + 3
    assert len(mailed) == before["delivery"] == 10
    assert sum(line.startswith("scorecard: since ") for line in said) == 2


def test_a_reader_who_is_erased_between_two_jobs_is_mailed_nothing_and_harms_nobody(
    queue_engine: Engine,
) -> None:
    now = add_readers(queue_engine, 6)
    with running_sink() as sink:
        site = Site(settings_for(queue_engine, sink.port), queue_engine)
        put(queue_engine, "prepare", "p", first=0, stop=100, now=now.isoformat())
        with session_scope(queue_engine) as session:
            first = session.exec(select(Subscriber)).first()
            assert first is not None
            accounts.erase(session, first.public_id)
        work.prepare(site, range(100), now)
        with session_scope(queue_engine) as session:
            waiting = session.exec(select(Delivery)).all()
            gone = session.get_one(Subscriber, waiting[0].subscriber_id)
            address = gone.email
            accounts.erase(session, gone.public_id)
        said: list[str] = []
        run_worker(site, said)
        assert len(sink.accepted) == 4
        assert address not in sink.recipients()
    assert not [line for line in said if "error" in line]
    assert jobs(queue_engine) == []


def test_a_paused_or_cancelled_edition_is_not_resumed_by_a_job(queue_engine: Engine) -> None:
    site = Site(settings_for(queue_engine), queue_engine)
    now = add_readers(queue_engine, 3)
    work.prepare(site, range(100), now)
    for status in (EditionStatus.PAUSED, EditionStatus.CANCELLED):
        with session_scope(queue_engine) as session:
            edition = session.exec(select(Edition)).one()
            edition.status = status
            number = edition.id or 0
        told, goes_on = asyncio.run(work.send(site, number))
        assert (told, goes_on) == (f"the edition of {now.date()}: nothing to send", False)
        with read_scope(queue_engine) as session:
            assert session.exec(select(Edition.status)).one() is status
    assert statuses(queue_engine) == {"queued": 3}


def test_a_job_that_waits_is_not_queued_again(queue_engine: Engine) -> None:
    for _ in range(3):
        put(queue_engine, "refit", "refit")
    assert [job[0] for job in jobs(queue_engine)] == ["newsletter:refit"]


def test_two_schedulers_at_one_moment_make_one_job_of_each_task(queue_engine: Engine) -> None:
    at = 1_795_000_000.0  # a moment in the past of these clocks is as good as any

    async def schedule_twice() -> None:
        for _ in range(2):
            async with open_queue(queue_engine) as app:
                deferrer = PeriodicDeferrer(app.periodic_registry)
                await deferrer.defer_jobs(deferrer.get_previous_tasks(at=at))

    asyncio.run(schedule_twice())
    names = [job[0] for job in jobs(queue_engine)]
    assert {"newsletter:look", "newsletter:rescue"} <= set(names)
    assert len(names) == len(set(names))


def leave_running(engine: Engine, attempts: int, silent: timedelta) -> None:
    """A job in the hands of a worker that has been silent for so long."""
    put(engine, "train", "t", first=0, stop=10)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - :silent)"),
            {"silent": silent},
        )
        connection.execute(
            text(
                "UPDATE procrastinate_jobs SET status = 'doing', attempts = :attempts, "
                "worker_id = (SELECT max(id) FROM procrastinate_workers)"
            ),
            {"attempts": attempts},
        )


@pytest.mark.parametrize(
    ("attempts", "silent", "then"),
    [(0, 300, "rescued"), (0, 5, "left alone"), (3, 300, "given up")],
)
def test_a_dead_workers_job_goes_to_another_until_it_has_killed_three(
    queue_engine: Engine, attempts: int, silent: int, then: str
) -> None:
    leave_running(queue_engine, attempts, timedelta(seconds=silent))
    said: list[str] = []
    put(queue_engine, "rescue", "rescue", timestamp=0)
    run_worker(Site(settings_for(queue_engine), queue_engine), said, concurrency=1)
    left = {job[0]: job[1] for job in jobs(queue_engine)}
    expected = {
        "rescued": {},
        "left alone": {"newsletter:train": "doing"},
        "given up": {"newsletter:train": "failed"},
    }
    assert left == expected[then], said


def test_a_job_that_fails_waits_for_its_next_try_and_the_line_has_no_traceback(
    queue_engine: Engine,
) -> None:
    said: list[str] = []
    put(queue_engine, "ingest", "ingest:nowhere", source="nowhere")
    run_worker(Site(settings_for(queue_engine), queue_engine), said, concurrency=1)
    [line] = [line for line in said if line.startswith("ingest")]
    assert line.startswith("ingest source=nowhere: error: ")
    assert "\n" not in line
    assert [job[:2] for job in jobs(queue_engine)] == [("newsletter:ingest", "todo")]
    with queue_engine.connect() as connection:
        found = queue_overview.look_at(connection)
    assert found.counts == {"waiting": 1, "running": 0, "failed": 0}
    assert found.jobs[0].attempts == 1
    assert found.jobs[0].not_before is not None


def test_the_queues_tables_are_made_once_and_migrated_from_an_older_version(
    bare_engine: Engine,
) -> None:
    with pytest.raises(DatabaseError, match="no tables yet: run `newsletter db upgrade`"):
        schema.require_current(bare_engine)
    older, *newer = list(reversed(schema._migrations()))[1:], schema._migrations()[-1]
    with bare_engine.begin() as connection:
        for path in reversed(older):
            connection.connection.cursor().execute(path.read_text())
        connection.exec_driver_sql(
            f"COMMENT ON TABLE procrastinate_jobs IS 'schema {older[0].stem}'"
        )
    with pytest.raises(DatabaseError, match=f"of version {older[0].stem}, not"):
        schema.require_current(bare_engine)
    assert schema.upgrade(bare_engine) == (older[0].stem, newer[0].stem)
    schema.require_current(bare_engine)
    assert schema.upgrade(bare_engine) == (newer[0].stem, newer[0].stem)
    put(bare_engine, "train", "t", first=0, stop=10)
    assert len(jobs(bare_engine)) == 1


@pytest.mark.parametrize(
    ("comment", "line"),
    [
        ("'schema 99.00.00_01_of_tomorrow'", "does not know: install a newer one"),
        ("NULL", "were not made by `newsletter db upgrade`"),
    ],
)
def test_a_queue_of_a_newer_or_unknown_version_is_left_alone(
    queue_engine: Engine, comment: str, line: str
) -> None:
    with queue_engine.begin() as connection:
        connection.exec_driver_sql(f"COMMENT ON TABLE procrastinate_jobs IS {comment}")
    for use in (schema.require_current, schema.upgrade):
        with pytest.raises(DatabaseError, match=line):
            use(queue_engine)
