"""The queue's tasks: when each runs, which may not run twice at once, what follows it.

Thin on purpose: what a task does is in `work`. What a job raises, it is tried again for, later
each time; a job whose worker died is given to another by `rescue`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy
from procrastinate.jobs import Status
from sqlalchemy import Engine

from newsletter.cluster import queue, work
from newsletter.cluster.site import Site
from newsletter.core.database import utc_now
from newsletter.sending.ledger import OfBroadcast

# Opened by `open_queue` only: importing this connects to nothing.
app = App(connector=PsycopgConnector())
# After 4, 16, 64 and 256 seconds; then the job counts as failed, and the next look, a minute or a
# day later, makes a new one.
AGAIN = RetryStrategy(max_attempts=4, exponential_wait=4)
# A job that took its worker with it this often, perhaps by its memory, is not given to a fourth.
MOST_DEATHS = 3
# Preparing goes before sending, and what people wait for goes before both.
URGENT, SOON, LATER = 20, 10, 0
AFTER_INGEST = timedelta(seconds=30)
BUSY = timedelta(seconds=5)
KEEP_FAILED = timedelta(days=14)


def site_of(context: JobContext) -> Site:
    """The means of the worker that runs the job."""
    return cast("Site", context.additional_context["site"])


@asynccontextmanager
async def open_queue(engine: Engine) -> AsyncIterator[App]:
    """The queue with all tasks, in the database of ``engine``, until the block ends."""
    with app.replace_connector(queue.connector_for(engine)):
        async with app.open_async():
            yield app


async def _put_shards(context: JobContext, task: str, shards: list[range], **more: Any) -> None:
    for shard in shards:
        lock = f"{task}:{shard.start}"
        await queue.put(context.app, task, lock, first=shard.start, stop=shard.stop, **more)


@app.periodic(cron="* * * * *")
@app.task(name="newsletter:look", pass_context=True, queueing_lock="look", priority=URGENT)
async def look(context: JobContext, timestamp: int) -> str:
    """Every minute: queue the shards to be looked through, and shares of what is to be sent."""
    site, now = site_of(context), utc_now().isoformat()
    shards = await asyncio.to_thread(work.subscriber_shards, site.engine)
    await _put_shards(context, "prepare", shards, now=now)
    editions = await _put_shares(context)
    if not editions:
        await queue.put(context.app, "send_notes", "send_notes")
    return f"{len(shards)} shards, {editions} editions to send"


async def _put_shares(context: JobContext) -> int:
    """Queue a share for each worker of each edition that goes out; returns of how many."""
    site = site_of(context)
    wanted = await asyncio.to_thread(work.unfinished, site)
    workers = await asyncio.to_thread(queue.workers_alive, site.engine)
    for of in wanted:
        for share in range(max(1, workers)):
            await _put_share(context, of, share)
    return len(wanted)


async def _put_share(
    context: JobContext, of: int | OfBroadcast, share: int, delay: timedelta | None = None
) -> None:
    kind, number = ("broadcast", of.id) if isinstance(of, OfBroadcast) else ("edition", of)
    lock = f"send:{kind}:{number}:{share}"
    more = {"kind": kind, "number": number, "share": share}
    await queue.put(context.app, "send", lock, delay=delay, **more)


@app.periodic(cron="* * * * *", periodic_id="rescue")
@app.task(name="newsletter:rescue", pass_context=True, queueing_lock="rescue", priority=URGENT)
async def rescue(context: JobContext, timestamp: int) -> str:
    """Every minute: give the jobs of dead workers to others."""
    manager = context.app.job_manager
    again = given_up = 0
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=queue.ALIVE.total_seconds()):
        if job.attempts >= MOST_DEATHS:
            await manager.finish_job(job, status=Status.FAILED, delete_job=False)
            given_up += 1
        else:
            await manager.retry_job(job)
            again += 1
    return f"{again} jobs of dead workers again, {given_up} given up"


@app.periodic(cron="30 5 * * *")
@app.task(name="newsletter:daily", pass_context=True, queueing_lock="daily", priority=SOON)
async def daily(context: JobContext, timestamp: int) -> str:
    """Every morning: read all sources, remove old rows; training follows."""
    site = site_of(context)
    for source in site.settings.sources:
        await queue.put(context.app, "ingest", f"ingest:{source}", source=source)
    await context.app.job_manager.delete_old_jobs(
        nb_hours=int(KEEP_FAILED.total_seconds() // 3600), include_failed=True
    )
    await queue.put(context.app, "look_up", "look_up")
    await queue.put(context.app, "prune", "prune")
    await queue.put(context.app, "refit", "refit", delay=AFTER_INGEST)
    return f"{len(site.settings.sources)} sources to read"


@app.task(name="newsletter:ingest", pass_context=True, retry=AGAIN, priority=SOON)
def ingest(context: JobContext, source: str) -> str:
    """Read one source."""
    return work.ingest(site_of(context), source)


@app.task(name="newsletter:look_up", pass_context=True, retry=AGAIN, priority=SOON)
def look_up(context: JobContext) -> str:
    """Ask sources for papers that readers named."""
    return work.look_up_named(site_of(context))


@app.task(name="newsletter:prune", pass_context=True, retry=AGAIN, priority=LATER)
def prune(context: JobContext) -> str:
    """Remove old rows."""
    return work.prune_old(site_of(context))


@app.periodic(cron="15 6 * * *")
@app.task(name="newsletter:scorecard", pass_context=True, queueing_lock="scorecard", retry=AGAIN)
def scorecard(context: JobContext, timestamp: int) -> str:
    """Every morning: say how good the picks of the last week were."""
    return work.scorecard(site_of(context))


@app.task(name="newsletter:refit", pass_context=True, retry=AGAIN, priority=SOON)
async def refit(context: JobContext) -> str:
    """When all sources are read: refit what topics share; vectors and profiles follow."""
    site = site_of(context)
    if await asyncio.to_thread(queue.is_under_way, site.engine, "ingest"):
        await queue.put(context.app, "refit", "refit", delay=AFTER_INGEST)
        return "sources are being read: later"
    told = await asyncio.to_thread(work.refit, site)
    papers = await asyncio.to_thread(work.paper_batches, site.engine)
    await _put_shards(context, "vectors", papers)
    shards = await asyncio.to_thread(work.subscriber_shards, site.engine)
    await _put_shards(context, "train", shards)
    return f"{told}; {len(papers)} batches of papers, {len(shards)} shards"


@app.task(name="newsletter:vectors", pass_context=True, retry=AGAIN, priority=SOON)
def vectors(context: JobContext, first: int, stop: int) -> str:
    """Store the vectors of a batch of papers."""
    return work.compute_vectors(site_of(context), range(first, stop))


@app.task(name="newsletter:train", pass_context=True, retry=AGAIN, priority=LATER)
def train(context: JobContext, first: int, stop: int) -> str:
    """Train the topics of a shard of subscribers."""
    return work.train(site_of(context), range(first, stop))


@app.task(name="newsletter:prepare", pass_context=True, retry=AGAIN, priority=SOON)
async def prepare(context: JobContext, first: int, stop: int, now: str) -> str:
    """Open due editions and freeze the digests of a shard of subscribers; sending follows."""
    shard, moment = range(first, stop), datetime.fromisoformat(now)
    told = await asyncio.to_thread(work.prepare, site_of(context), shard, moment)
    await _put_shares(context)
    return told


@app.task(name="newsletter:send", pass_context=True, retry=AGAIN, priority=LATER)
async def send(context: JobContext, kind: str, number: int, share: int) -> str:
    """Send a share of an edition until its time is up; another follows while there is more."""
    site = site_of(context)
    of = OfBroadcast(number) if kind == "broadcast" else number
    if site.sending.locked():
        # Two shares in one process get no more done than one: another worker may take it.
        await _put_share(context, of, share, delay=BUSY)
        return "left to another worker: this one is sending"
    async with site.sending:
        told, goes_on = await work.send(site, of)
    if goes_on:
        await _put_share(context, of, share)
    return told


@app.task(name="newsletter:send_notes", pass_context=True, priority=URGENT)
async def send_notes(context: JobContext) -> str:
    """Send confirmations and account links."""
    return await work.send_notes(site_of(context))


@app.periodic(cron="*/5 * * * *")
@app.task(name="newsletter:inbound", pass_context=True, queueing_lock="inbound", lock="inbound")
def inbound(context: JobContext, timestamp: int) -> str:
    """Every five minutes: read the mailbox that receives bounces, if there is one."""
    site = site_of(context)
    return work.poll_inbound(site) if site.settings.imap_url else "no mailbox is set"
