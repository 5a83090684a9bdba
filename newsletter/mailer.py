"""A send run: claim, render, begin, hand over, record. Everything async about sending is here.

One feeder keeps a short queue of begun messages; each connection takes from it. Begins and
results share a transaction a group, so the relay may have taken, without our having recorded
it, at most one group and one message a connection.
"""

import asyncio
import os
import random
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter import deliveries, digest
from newsletter.db import read_scope, session_scope, utc_now
from newsletter.deliveries import Result
from newsletter.errors import (
    PermanentTransportError,
    RenderError,
    TransientTransportError,
    UncertainTransportError,
)
from newsletter.models import Delivery, DeliveryKind, DeliveryStatus, Subscriber
from newsletter.render import Renderer
from newsletter.transports import Envelope, Transport

# Messages that share a commit. At 50 a row costs a tenth of what it costs alone, and a power
# cut leaves no more than that many in doubt.
GROUP = 50
# Rows leased at a time: a few groups, so that several processes share the work evenly.
CLAIM = 4 * GROUP
# First retry after five minutes, then doubling (RFC 5321 §4.5.4.1 wants at least 30 minutes
# between tries on the whole), each moved by up to a fifth so that a crowd does not come at once.
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=3)
# After this the next edition makes a daily digest old news (bulk-mail law 24).
STALE_AFTER = timedelta(hours=20)


@dataclass(slots=True)
class Tally:
    """Outcomes of a run so far, of ``total`` deliveries that waited at its start."""

    total: int
    outcomes: Counter[DeliveryStatus] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """How many deliveries this run has dealt with."""
        return self.outcomes.total()


def new_owner() -> str:
    """A name for this run's leases: machine, process, and a part nobody else has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def dead_owners(owners: Sequence[str]) -> list[str]:
    """Those of ``owners`` whose process ran on this machine and is gone."""
    return [owner for owner in owners if _is_dead(owner)]


def _is_dead(owner: str) -> bool:
    machine, _, rest = owner.partition(":")
    process = rest.partition(":")[0]
    if machine != socket.gethostname() or not process.isdigit():
        return False  # another machine's: only its lease can tell
    if int(process) == os.getpid():
        return True  # an earlier process had our number; ours has not claimed anything yet
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def retry_at(attempts: int, created_at: datetime, now: datetime) -> datetime | None:
    """When to try a deferred delivery again; None when its digest would be stale by then."""
    pause = min(FIRST_RETRY * 2 ** (attempts - 1), LONGEST_RETRY)
    moment = now + pause * random.uniform(0.8, 1.2)  # noqa: S311  (spread, not a secret)
    return moment if moment < created_at + STALE_AFTER else None


class SendRun:
    """Drains what is due of one edition, or with ``edition_id`` None the messages of none.

    ``only`` limits the run to one subscriber, ``limit`` to so many deliveries. Set ``stop`` to
    drain: nothing more begins, what is in flight is finished and recorded. ``on_progress`` is
    called after each attempt.
    """

    def __init__(
        self,
        engine: Engine,
        renderer: Renderer,
        transport: Callable[[], Transport],
        *,
        edition_id: int | None,
        connections: int = 4,
        limit: int | None = None,
        only: int | None = None,
    ) -> None:
        self.stop = asyncio.Event()
        self._engine = engine
        self._renderer = renderer
        self._transport = transport
        self._edition_id = edition_id
        self._connections = connections
        self._left = limit
        self._only = only
        self.on_progress: Callable[[Tally], None] = lambda tally: None
        self._owner = new_owner()
        self._results: list[Result] = []
        self._tally = Tally(0)
        self._contents: Mapping[int, Mapping[str, Any]] = {}

    async def run(self) -> Tally:
        """Send until nothing is due, the limit is reached, or ``stop`` is set."""
        with session_scope(self._engine) as session:
            dead = dead_owners(deliveries.owners(session))
            deliveries.recover(session, now=utc_now(), dead_owners=dead)
        with read_scope(self._engine) as session:
            waiting = deliveries.statuses(session, self._edition_id)
            self._tally.total = sum(waiting[status] for status in deliveries.UNFINISHED)
            if self._edition_id is not None:
                self._contents = digest.load_contents(session, self._edition_id)
        queue: asyncio.Queue[Delivery | None] = asyncio.Queue(maxsize=GROUP)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._connections):
                tasks.create_task(self._work(queue))
            await self._feed(queue)
            for _ in range(self._connections):
                await queue.put(None)
        self._flush()
        with session_scope(self._engine) as session:
            deliveries.release(session, self._owner)
        return self._tally

    async def _feed(self, queue: asyncio.Queue[Delivery | None]) -> None:
        """Keep the queue full of begun deliveries; record results with each group's begins."""
        claimed: list[int] = []
        while not self.stop.is_set():
            claimed = claimed or self._claim()
            if not claimed:
                return
            group, claimed = claimed[:GROUP], claimed[GROUP:]
            for delivery in self._begin(group):
                await queue.put(delivery)

    def _claim(self) -> list[int]:
        wanted = CLAIM if self._left is None else min(CLAIM, self._left)
        if wanted == 0:
            return []
        with session_scope(self._engine) as session:
            claimed = deliveries.claim(
                session,
                self._edition_id,
                owner=self._owner,
                now=utc_now(),
                limit=wanted,
                subscriber_id=self._only,
            )
        if self._left is not None:
            self._left -= len(claimed)
        return claimed

    def _begin(self, ids: Sequence[int]) -> list[Delivery]:
        with session_scope(self._engine) as session:
            self._record(session)
            begun = deliveries.begin(session, ids, owner=self._owner, now=utc_now())
            rows = session.exec(select(Delivery).where(col(Delivery.id).in_(begun))).all()
        if len(rows) < len(ids):
            self._count_refused(ids, begun)
        return list(rows)

    def _count_refused(self, ids: Sequence[int], begun: Sequence[int]) -> None:
        """Suppressed ones are outcomes of this run; those given back are not."""
        with read_scope(self._engine) as session:
            refused = session.exec(
                select(Delivery.id).where(
                    col(Delivery.id).in_(set(ids) - set(begun)),
                    Delivery.status == DeliveryStatus.SUPPRESSED,
                )
            ).all()
        self._tally.outcomes[DeliveryStatus.SUPPRESSED] += len(refused)
        if not refused and not begun:
            self.stop.set()  # paused or cancelled from elsewhere: there is nothing to wait for

    async def _work(self, queue: asyncio.Queue[Delivery | None]) -> None:
        """One connection: take a begun delivery, hand it over, note the result."""
        transport = self._transport()
        try:
            while (delivery := await queue.get()) is not None:
                result = await self._attempt(transport, delivery)
                self._results.append(result)
                self._tally.outcomes[result.status] += 1
                self.on_progress(self._tally)
        finally:
            await transport.close()

    async def _attempt(self, transport: Transport, delivery: Delivery) -> Result:
        status, code, retry = DeliveryStatus.SENT, 250, None
        try:
            answer = await transport.send(self._render(delivery))
            if answer[:3].isdigit():
                code = int(answer[:3])
        except RenderError as error:
            status, code, answer = DeliveryStatus.FAILED, 0, str(error)
        except PermanentTransportError as error:
            status, code, answer = DeliveryStatus.FAILED, error.code, error.response
        except UncertainTransportError as error:
            status, code, answer = DeliveryStatus.UNCERTAIN, error.code, error.response
        except TransientTransportError as error:
            code, answer = error.code, error.response
            retry = retry_at(delivery.attempts, delivery.created_at, utc_now())
            status = DeliveryStatus.DEFERRED if retry else DeliveryStatus.EXPIRED
        return Result(delivery.id or 0, status, code, answer, utc_now(), retry)

    def _render(self, delivery: Delivery) -> Envelope:
        with read_scope(self._engine) as session:
            if delivery.kind == DeliveryKind.DIGEST:
                loaded = digest.load(session, [delivery.id or 0], self._contents)
                return self._renderer.digest(loaded[delivery.id or 0])
            public_id = session.get_one(Subscriber, delivery.subscriber_id).public_id
        make = {
            DeliveryKind.CONFIRMATION: self._renderer.confirmation,
            DeliveryKind.ACCOUNT_LINK: self._renderer.account_link,
        }[delivery.kind]
        return make(
            delivery_id=delivery.id or 0,
            to_address=delivery.to_address,
            message_id=delivery.message_id,
            created_at=delivery.created_at,
            public_id=public_id,
        )

    def _flush(self) -> None:
        with session_scope(self._engine) as session:
            self._record(session)

    def _record(self, session: Session) -> None:
        results, self._results = self._results, []
        deliveries.record(session, results)
