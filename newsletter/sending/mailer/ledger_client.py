"""One run's use of the ledger, in short transactions: recover, turn, put back.

A turn records results and begins the next deliveries in one commit; then the begun ones are read
for rendering, in a transaction that holds up nobody.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import sqlalchemy
from sqlalchemy import Engine, bindparam
from sqlmodel import Session, SQLModel, col, func, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Delivery, DeliveryStatus, EditionStatus
from newsletter.messages import digest
from newsletter.messages.digest import Contents
from newsletter.sending import ledger
from newsletter.sending.ledger import Of, OfBroadcast, Outlook, Result
from newsletter.sending.mailer import (
    broadcast_copies,
    domain_pauses,
    flight_log,
    lease_owner,
    rate_limit,
)
from newsletter.sending.mailer.begun import (
    Begun,
    BegunDelivery,
    Content,
    TransactionalMessage,
    domain_of,
)
from newsletter.sending.mailer.domain_pauses import DomainNews, DomainWatch
from newsletter.sending.mailer.options import RunOptions
from newsletter.sending.mailer.reputation import ReputationWatch
from newsletter.sending.mailer.shared_clock import SharedClock

logger = logging.getLogger(__name__)

# Rows leased at a time, as a multiple of what is begun at once: several processes share the work
# evenly, and a claim's cost disappears.
CLAIM_AHEAD = 4
# What other senders were told of recipient domains is heard of this soon.
HEAR_SECONDS = 1.0
_delivery = SQLModel.metadata.tables["delivery"].c
_sign_up = SQLModel.metadata.tables["sign_up"]
_NOTES = (
    sqlalchemy.select(
        _delivery.id,
        _delivery.kind,
        _delivery.to_address,
        _delivery.message_id,
        _delivery.created_at,
        SQLModel.metadata.tables["subscriber"].c.public_id,
        SQLModel.metadata.tables["subscriber"].c.link_generation,
        sqlalchemy.func.coalesce(_sign_up.c.remark, ""),
        _delivery.language,
    )
    .join_from(SQLModel.metadata.tables["delivery"], SQLModel.metadata.tables["subscriber"])
    .outerjoin(_sign_up, _sign_up.c.delivery_id == _delivery.id)
    .where(_delivery.id.in_(bindparam("ids", expanding=True)))
)
# A row whose digest cannot be read fails alone.
UNREADABLE = (LookupError, ValueError, TypeError, AttributeError)


@dataclass(slots=True)
class LedgerClient:
    """The ledger as one run sees it."""

    engine: Engine
    options: RunOptions
    owner: str
    domains: DomainWatch = field(default_factory=DomainWatch)
    reputation: ReputationWatch = field(init=False)
    clock: SharedClock = field(default_factory=SharedClock)
    _opened_at: datetime = field(default_factory=utc_now)
    _heard_at: float | None = None
    _claimed: list[int] = field(default_factory=list)
    _contents: Contents = field(default_factory=lambda: Contents({}))

    def __post_init__(self) -> None:
        """Watch what comes back about the run's edition."""
        self.reputation = ReputationWatch(self.of, self.options.threshold)

    @property
    def of(self) -> Of:
        """The edition or broadcast that is sent; None is for the messages of neither."""
        return self.options.of

    def open(self) -> int:
        """Take over from dead processes; returns how many deliveries wait."""
        with read_scope(self.engine) as session:
            self.clock.set_by(session)
        self.recover()
        with read_scope(self.engine) as session:
            waiting = ledger.statuses(session, self.of)
            if isinstance(self.of, int):
                self._contents = Contents(digest.load_contents(session, self.of))
        return sum(waiting[status] for status in ledger.UNFINISHED)

    def recover(self) -> None:
        """Settle rows of dead processes by their flight logs; without a log they are uncertain."""
        with read_scope(self.engine) as session:
            dead = lease_owner.dead(self.engine, ledger.owners(session))
        folder = flight_log.folder_for(self.engine)
        with session_scope(self.engine) as session:
            for owner in dead:
                _settle(session, owner, flight_log.read(folder, owner))
            ledger.recover(session, now=self.clock.now(), dead_owners=dead)
        for owner in dead:
            flight_log.forget(folder, owner)

    def renew(self) -> None:
        """Renew this run's leases."""
        with session_scope(self.engine) as session:
            self.clock.set_by(session)
            ledger.renew(session, self.owner, self.clock.now())

    def moments(self, want: int) -> list[datetime]:
        """When up to ``want`` messages may go, at least one; none are given without a rate."""
        if self.options.limits.rate is None:
            return []
        with session_scope(self.engine) as session:
            given = rate_limit.reserve_slots(
                session,
                "all",
                self.options.limits.rate,
                most=want,
                now=self.clock.now(),
                at_least=1,
            ).given
        return [self.clock.to_local(moment) for moment in given]

    def record_and_begin(
        self,
        results: Sequence[Result],
        want: int,
        moments: Sequence[datetime],
        news: DomainNews,
    ) -> Begun:
        """Record ``results``; begin up to ``want`` deliveries, each at one of ``moments``.

        ``news`` of recipient domains is for all senders.
        """
        turn, claimed = Begun(), self._claimed
        go_at: dict[int, datetime] = {}
        with session_scope(self.engine) as session:
            ledger.record(session, self.clock.to_record(results), owner=self.owner)
            self._exchange(session, news)
            begun: dict[int, int] = {}
            begun_at = 0.0
            if want:
                # A run with a limit leaves the rest to other processes.
                ahead = CLAIM_AHEAD if self.options.limit is None else 1
                claimed = claimed or self._claim(session, want * ahead)
                turn.is_empty = not claimed
                group, claimed = claimed[:want], claimed[want:]
                begun_at = time.monotonic()
                begun = self._begin(session, group, turn, go_at)
        self._claimed = claimed  # not before the commit: what was rolled back is not ours
        if begun:
            for delivery_id, at in zip(begun, moments, strict=False):
                go_at[delivery_id] = max(at, go_at.get(delivery_id, at))
            with read_scope(self.engine) as session:
                turn.jobs = self._load(session, begun, go_at, begun_at)
        return turn

    def _exchange(self, session: Session, news: DomainNews) -> None:
        """Tell what this run learnt of domains; hear of the others, at most once a second."""
        has_news = bool(news.overwhelmed or news.open)
        if has_news:
            domain_pauses.tell(session, news, self.clock.now(), self._since)
        at = time.monotonic()
        if has_news or self._heard_at is None or at - self._heard_at > HEAR_SECONDS:
            self._heard_at = at
            found = domain_pauses.paused(session, self._since, self.clock.now())
            self.domains.hear(found)

    @property
    def _since(self) -> datetime:
        """From when on it counts what senders were told of domains."""
        return self.clock.to_shared(self.options.listens_since or self._opened_at)

    def _claim(self, session: Session, limit: int) -> list[int]:
        return ledger.claim(
            session,
            self.of,
            owner=self.owner,
            now=self.clock.now(),
            limit=limit,
            subscriber_id=self.options.only,
            resends=self.options.resends,
        )

    def _begin(
        self, session: Session, ids: Sequence[int], turn: Begun, go_at: dict[int, datetime]
    ) -> dict[int, int]:
        """Begin those of ``ids`` that may go now; the others are postponed or given back.

        Returns the number of the attempt by delivery.
        """
        now = self.clock.now()
        group = self._within_domain_limits(session, ids, now, go_at)
        if self.options.limits.warm_up and group:
            allowed = rate_limit.reserve_today(
                session, self.options.limits.warm_up, most=len(group), now=now
            )
            if not allowed:
                turn.halted = "today's share of the warm-up is sent; the rest may go tomorrow"
            if allowed < len(group):
                ledger.release(session, self.owner, group[allowed:])
                group = group[:allowed]
        if not group:
            return {}
        begun = ledger.begin(session, group, owner=self.owner, now=now)
        if len(begun) == len(group):
            return begun
        if self.options.limits.warm_up:
            rate_limit.give_back_today(session, len(group) - len(begun), now=now)
        refused = set(group) - set(begun)
        turn.suppressed = session.exec(
            select(func.count()).where(
                col(Delivery.id).in_(refused), Delivery.status == DeliveryStatus.SUPPRESSED
            )
        ).one()
        turn.halted = turn.halted or self.halted(session)
        return begun

    def halted(self, session: Session) -> str:
        """Why no delivery may begin; "" while the edition or broadcast is being sent."""
        if self.of is None:
            return ""
        issue = ledger.issue(session, self.of)
        if issue.status in {EditionStatus.SENDING, EditionStatus.SENT}:
            return ""
        what = "broadcast" if isinstance(self.of, OfBroadcast) else "edition"
        return issue.note or f"the {what} of {issue.issue_date} is {issue.status}"

    def _within_domain_limits(
        self, session: Session, ids: Sequence[int], now: datetime, go_at: dict[int, datetime]
    ) -> list[int]:
        """Those of ``ids`` whose recipient domain may have mail now; the others are postponed."""
        if not self.options.limits.domains and self.domains.is_quiet:
            return list(ids)
        by_domain: dict[str, list[int]] = {}
        rows = session.exec(
            select(Delivery.id, Delivery.to_address).where(col(Delivery.id).in_(ids))
        )
        for delivery_id, address in rows:
            by_domain.setdefault(domain_of(address), []).append(delivery_id or 0)
        later: dict[int, datetime] = {}
        paused: dict[int, datetime] = {}
        # Sorted, since two senders that lock two domains' rows in two orders wait for each other.
        for domain, delivery_ids in sorted(by_domain.items()):
            paused_until = self.domains.paused_until(domain, now)
            rate = self.options.limits.domains.get(domain)
            if paused_until is not None:
                paused |= dict.fromkeys(delivery_ids, paused_until)
            elif rate is not None:
                moments = rate_limit.reserve_slots(
                    session, f"domain:{domain}", rate, most=len(delivery_ids), now=now
                )
                go_at |= zip(delivery_ids, map(self.clock.to_local, moments.given), strict=False)
                rest = delivery_ids[len(moments.given) :]
                later |= {
                    delivery_id: moments.following + timedelta(seconds=index / rate)
                    for index, delivery_id in enumerate(rest)
                }
        ledger.postpone(session, later, owner=self.owner)
        ledger.postpone(
            session, paused, owner=self.owner, reason="its domain defers all mail for now"
        )
        return [
            delivery_id
            for delivery_id in ids
            if delivery_id not in later and delivery_id not in paused
        ]

    def put_back(self, ids: Sequence[int]) -> None:
        """Undo the begin of deliveries whose content no relay was given."""
        with session_scope(self.engine) as session:
            count = ledger.put_back(session, ids, owner=self.owner)
            if self.options.limits.warm_up:
                rate_limit.give_back_today(session, count, now=self.clock.now())

    def outlook(self) -> tuple[str, Outlook]:
        """Why nothing may begin, or "", and what to wait for."""
        with read_scope(self.engine) as session:
            found = ledger.outlook(session, self.of, self.options.resends)
            at = found.next_queued and self.clock.to_local(found.next_queued)
            return self.halted(session), replace(found, next_queued=at)

    def why_pause(self) -> str:
        """Why bounces or complaints stop the run; "" if they do not."""
        with read_scope(self.engine) as session:
            return self.reputation.why_pause(session)

    def pause(self, reason: str, kind: str = "") -> bool:
        """Pause the edition or broadcast in all processes with a reason; returns True.

        Deliveries refused as ``kind`` says are queued again in the same commit, so that they
        are mailed when it is resumed, and nobody takes them for dead.
        """
        if self.of is not None:
            with session_scope(self.engine) as session:
                issue = ledger.issue(session, self.of)
                if issue.status is EditionStatus.SENDING:
                    issue.status, issue.note = EditionStatus.PAUSED, reason
                self._take_back(session, kind)
        return True

    def _take_back(self, session: Session, kind: str) -> None:
        if kind and self.of is not None:
            ledger.take_back(session, ledger.by_kind(session, self.of).get(kind, []))

    def close(self, kind: str = "") -> None:
        """Release deliveries that were not handed over; all results are recorded by now.

        Deliveries refused as ``kind`` says are queued again, like in `pause`.
        """
        with session_scope(self.engine) as session:
            self._take_back(session, kind)
            ledger.release(session, self.owner)
            # Begun by a commit whose acknowledgement was lost.
            ledger.put_back(session, ledger.sending(session, self.owner), owner=self.owner)

    def _load(
        self,
        session: Session,
        begun: Mapping[int, int],
        go_at: Mapping[int, datetime],
        begun_at: float,
    ) -> list[BegunDelivery]:
        contents = self._contents_of(session, [*begun])
        return [
            BegunDelivery(each, attempt, contents[each], go_at.get(each), begun_at)
            for each, attempt in begun.items()
            if each in contents
        ]

    def _contents_of(self, session: Session, ids: Sequence[int]) -> Mapping[int, Content | str]:
        if isinstance(self.of, int):
            return self._digests(session, self.of, ids)
        if self.of is None:
            rows = session.connection().execute(_NOTES, {"ids": ids})
            return {row.id: TransactionalMessage(*row) for row in rows}
        return {**broadcast_copies.load(session, ids)}

    def _digests(
        self, session: Session, edition_id: int, ids: Sequence[int]
    ) -> dict[int, Content | str]:
        """Digests by delivery, or the reason why one cannot be read."""
        try:
            return {**digest.load(session, ids, self._contents)}
        except UNREADABLE:
            pass
        # A preparation may have added papers since this run began; if not, a row is damaged.
        self._contents = Contents(digest.load_contents(session, edition_id))
        found: dict[int, Content | str] = {}
        for delivery_id in ids:
            try:
                found |= digest.load(session, [delivery_id], self._contents)
            except UNREADABLE as error:
                found[delivery_id] = f"its digest cannot be read: {type(error).__name__} {error}"
        return found


def _settle(session: Session, owner: str, left: flight_log.Flight | None) -> None:
    """Record the results in a dead owner's log; put back messages no relay has heard of."""
    if left is None:
        return
    begun = ledger.sending(session, owner)
    answered = [
        result
        for result in left.results.values()
        if begun.get(result.delivery_id) == result.attempt
    ]
    ledger.record(session, answered, owner=owner)
    # An earlier attempt in the log, recorded long ago, says nothing about this one.
    known = {result.delivery_id for result in answered}
    untouched = [
        delivery_id
        for delivery_id, attempt in begun.items()
        if delivery_id not in known and left.in_air.get(delivery_id) != attempt
    ]
    ledger.put_back(session, untouched, owner=owner)
    logger.info("took over from %s: %d begun, %d untouched", owner, len(begun), len(untouched))
