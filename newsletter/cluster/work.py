"""What the jobs do: the functions of the other rooms, a batch each.

Every one may be run twice, also at the same moment: what was done is found done. Each returns one
line about what it did. Arguments are numbers, dates and names of sources; never an address or a
secret, since a queue keeps them in clear.
"""

import asyncio
import time
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, IntegrityError, NoResultFound
from sqlmodel import col, func, select

from newsletter.cluster.site import Site
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import StoppedError, UsageError
from newsletter.core.models import Paper, Subscriber
from newsletter.core.tokens import Signer
from newsletter.editions import (
    lifecycle,
    overlooked,
    preparation,
    prune,
    schedule,
    scorecard_counts,
)
from newsletter.editions.scorecard import NAMES, judging_in_words, share_in_words
from newsletter.inbound import imap, rejections
from newsletter.inbound.apply import receive
from newsletter.inbound.files import Incoming
from newsletter.messages import digest
from newsletter.papers.harvest import ingest_source
from newsletter.papers.host_locks import DatabaseTurns
from newsletter.papers.wanted import look_up
from newsletter.ranking.profiles import feature_store, training
from newsletter.sending import ledger
from newsletter.sending.ledger import OfBroadcast
from newsletter.sending.mailer import SendPlan, SendRun, Tally
from newsletter.sources.http_client import Fetcher
from newsletter.sources.registry import build

# Ids of subscribers in a shard. A minute's look at a shard in which nobody is due reads 20,000
# narrow rows, some 50 ms; one in which all are due is prepared in half a minute.
SHARD = 20_000
# Ids of papers whose vectors are computed in one job.
PAPERS = 2_000
# A share of an edition ends after this long, so that what comes up meanwhile gets its turn.
SHARE = timedelta(seconds=60)
TICK_SECONDS = 0.25
CONNECTIONS = 4  # to the relay, of one share
# Retries of older editions are over (see `retry_policy.STALE_AFTER`).
WATCHED = timedelta(days=4)
WEEK = timedelta(days=7)


def ranges(engine: Engine, table: type[Subscriber | Paper], width: int) -> list[range]:
    """The ids of a table's rows in ranges; a range may hold fewer rows, or none."""
    number = col(table.id)
    with read_scope(engine) as session:
        first, last = session.exec(select(func.min(number), func.max(number))).one()
    if first is None or last is None:
        return []
    start = first // width * width
    return [range(at, at + width) for at in range(start, last + 1, width)]


def subscriber_shards(engine: Engine) -> list[range]:
    """Ranges of subscriber ids."""
    return ranges(engine, Subscriber, SHARD)


def paper_batches(engine: Engine) -> list[range]:
    """Ranges of paper ids, of the papers that may be candidates."""
    with read_scope(engine) as session:
        since = utc_now() - digest.CANDIDATE_WINDOW
        first = session.exec(
            select(func.min(Paper.id)).where(col(Paper.first_seen_at) >= since)
        ).one()
    return [each for each in ranges(engine, Paper, PAPERS) if first and each.stop > first]


def ingest(site: Site, source: str) -> str:
    """Read one source from where it was left."""
    settings = site.settings
    with Fetcher(DatabaseTurns(site.engine), contact=settings.contact) as fetcher:
        [wanted] = build(settings, [source])
        outcome = ingest_source(site.engine, wanted, fetcher, max_age=settings.max_paper_age)
    told = (
        f"{source}: {outcome.announced} announced, {outcome.new} new, {outcome.revised} revised, "
        f"{outcome.known} known, {outcome.failed} failed"
    )
    return f"{told}; {outcome.failure}" if outcome.failure else told


def look_up_named(site: Site) -> str:
    """Ask sources for a few of the papers that readers named and nobody announced."""
    if not site.settings.look_up_papers:
        return "looking up papers is switched off"
    with Fetcher(DatabaseTurns(site.engine), contact=site.settings.contact) as fetcher:
        done = look_up(site.engine, fetcher)
    told = f"{done.asked} papers that readers named asked for, {done.found} found"
    return "; ".join((told, *done.failures))


def prune_old(site: Site) -> str:
    """Remove old rows, in short transactions, as `newsletter prune` does."""
    gone = prune.prune(site.engine, utc_now())
    return f"{gone.total} old rows removed"


def scorecard(site: Site) -> str:
    """Say how good the picks of the last week were, by what readers judged."""
    since = utc_now().date() - WEEK
    with read_scope(site.engine) as session:
        card = scorecard_counts.scorecard(session, since=since)
    labels = "; ".join(
        f"{NAMES[label]}: {share_in_words(counts)}"
        for label, counts in card.labels.items()
        if counts.judged
    )
    return f"since {since}: {judging_in_words(card)}" + (f" {labels}" if labels else "")


def refit(site: Site) -> str:
    """Refit what all topics share."""
    rebuilt, others, match = training.refit(site.engine, site.settings.feature_model)
    said = f"{rebuilt or 'feature space kept'}; weight of what others liked {others.weight:g}"
    return f"{said}; {match.line()}"


def compute_vectors(site: Site, papers: range) -> str:
    """Store the vectors of a batch of papers."""
    since = utc_now() - digest.CANDIDATE_WINDOW
    feature_store.ensure_vectors(site.engine, since, site.settings.feature_model, within=papers)
    return f"papers {papers.start} to {papers.stop - 1}"


def train(site: Site, subscribers: range) -> str:
    """Train the topics of one shard."""
    _, topics = training.train_topics(site.engine, subscribers, model=site.settings.feature_model)
    return f"subscribers {subscribers.start} to {subscribers.stop - 1}: {topics} topics"


def prepare(site: Site, subscribers: range, now: datetime) -> str:
    """Open the editions that have come due in a shard, and freeze their digests.

    ``now`` is the same for all shards of one look, whenever their jobs run: who is due and which
    papers are candidates does not depend on the worker.
    """
    with read_scope(site.engine) as session:
        waiting = schedule.waiting(session, now, subscribers)
    overlooked.record(site.engine, waiting.overlooked, now)
    told = []
    for issue_date, ids in waiting.due.items():
        try:
            with site.ranking:
                done = preparation.prepare(
                    site.engine,
                    issue_date,
                    message_domain=site.settings.from_domain,
                    sources=site.settings.sources,
                    subscriber_ids=ids,
                    model=site.settings.feature_model,
                    now=now,
                    find_ranker=site.ranker.find,
                )
        except UsageError as error:
            told.append(str(error))  # cancelled
            continue
        told.append(f"{issue_date}: {done}")
    shard = f"subscribers {subscribers.start} to {subscribers.stop - 1}"
    return f"{shard}: {'; '.join(told) or 'nobody is due'}"


def unfinished(site: Site) -> list[int | OfBroadcast]:
    """Editions and broadcasts that go out: of the last days, not paused, with mail to send."""
    since, resends = utc_now() - WATCHED, _plan(site).resends
    broadcasts = lifecycle.unfinished_broadcasts(site.engine, since, resends)
    return [
        *lifecycle.unfinished(site.engine, since, resends),
        *(OfBroadcast(number) for number in broadcasts),
    ]


async def send(site: Site, of: int | OfBroadcast) -> tuple[str, bool]:
    """Send a share of an edition until its time is up; also says whether there is more to send now.

    Raises:
        StoppedError: the relay or the database was lost, or too much was refused.
    """
    try:
        with read_scope(site.engine) as session:
            name = lifecycle.called(ledger.issue(session, of))
        is_open = lifecycle.continue_sending(site.engine, of)
    except NoResultFound:
        return f"there is no edition or broadcast {of}", False
    if not is_open:
        return f"{name}: nothing to send", False
    # People who have just asked for a confirmation or account link come first.
    await send_notes(site)
    plan = _plan(site, of)
    run = plan.run(site.engine)
    tally, is_cut = await _until(site, run, SHARE)
    why = rejections.apply(site.engine, site.settings, of, kind=tally.refused_as)
    status = lifecycle.finish_if_done(site.engine, of, plan.resends)
    if reason := tally.stopped or why:
        raise StoppedError(f"{name}: {reason}")
    counts = ", ".join(f"{number} {name}" for name, number in tally.outcomes.items() if number)
    return f"{name}: {counts or 'nothing sent'}; {status}", is_cut


async def send_notes(site: Site) -> str:
    """Send the messages of no edition: confirmations and account links."""
    tally, _ = await _until(site, _plan(site).run(site.engine), SHARE)
    if tally.stopped:
        raise StoppedError(tally.stopped)
    return f"{tally.done} confirmations and account links"


async def _until(site: Site, run: SendRun, limit: timedelta) -> tuple[Tally, bool]:
    """Run until nothing is due, the time is up, or the worker stops; also whether it was the time.

    What is in flight then is finished and recorded.
    """
    until = time.monotonic() + limit.total_seconds()
    is_cut = False

    async def watch() -> None:
        nonlocal is_cut
        while not (site.is_stopping() or is_cut):
            await asyncio.sleep(TICK_SECONDS)
            is_cut = time.monotonic() > until
        run.stop.set()

    watching = asyncio.create_task(watch())
    try:
        return await run.run(), is_cut
    finally:
        watching.cancel()


def _plan(site: Site, of: int | OfBroadcast | None = None) -> SendPlan:
    plan = SendPlan(settings=site.settings, connections=CONNECTIONS, listens_since=site.began_at)
    if isinstance(of, OfBroadcast):
        return replace(plan, broadcast_id=of.id)
    return replace(plan, edition_id=of)


def poll_inbound(site: Site) -> str:
    """Read the unseen mail of the mailbox that receives bounces."""
    url = site.settings.imap_url
    mailbox = imap.parse_mailbox(url.get_secret_value() if url else "")
    signer = Signer(site.settings.keys)
    refused: list[str] = []

    def take(incoming: Incoming) -> None:
        try:
            with session_scope(site.engine) as session:
                receive(session, signer, incoming.data, size=incoming.size, now=utc_now())
        except (DataError, IntegrityError):
            refused.append(incoming.name)  # one mail does not stop the others

    taken = imap.poll(mailbox, take)
    return f"{taken} new mails" + "".join(f"; {name} cannot be recorded" for name in refused)
