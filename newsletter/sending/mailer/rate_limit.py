"""How fast mail may go: one total rate, rates by recipient domain, and a warm-up by days.

The moments for sending are given away from rows of ``pace``, so that all processes and machines
together keep a rate, and a restart cannot exceed it (the generic cell rate algorithm, ITU-T
I.371, without bursts).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from newsletter.core.database import upsert
from newsletter.core.models import Pace

# How far ahead times are given away: a begun delivery waits at most this long for
# its turn, and an unsubscribe can come in between.
AHEAD = timedelta(seconds=0.4)
# A next moment further off than this was written before the clock was set back.
CLOCK_JUMP = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Limits:
    """Messages per second in total and by recipient domain; messages on each day of a warm-up."""

    rate: float | None = None
    domains: Mapping[str, float] = field(default_factory=dict)
    warm_up: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SendSlots:
    """Send times given away, ``1/rate`` seconds apart, and the first that is not."""

    given: tuple[datetime, ...]
    following: datetime


def reserve_slots(
    session: Session, name: str, rate: float, *, most: int, now: datetime, at_least: int = 0
) -> SendSlots:
    """Up to ``most`` moments within `AHEAD` of now; ``at_least`` so many, however late."""
    return give_away(locked(session, name), rate, most=most, now=now, at_least=at_least)


def give_away(row: Pace, rate: float, *, most: int, now: datetime, at_least: int = 0) -> SendSlots:
    """The same from a row that is `locked`."""
    step = timedelta(seconds=1 / rate)
    next_at = row.next_at if row.next_at and row.next_at > now else now
    if next_at > now + max(CLOCK_JUMP, 2 * step):
        next_at = now
    given: list[datetime] = []
    while len(given) < at_least or (len(given) < most and next_at <= now + AHEAD):
        given.append(next_at)
        next_at += step
    row.next_at = next_at
    return SendSlots(tuple(given), next_at)


def reserve_today(session: Session, warm_up: Sequence[int], *, most: int, now: datetime) -> int:
    """How many of ``most`` messages today's share of the warm-up still allows; they are taken."""
    name = f"day:{now.date().isoformat()}"
    row = locked(session, name)
    days_before = session.exec(
        select(func.count()).where(
            col(Pace.name).like("day:%"), col(Pace.name) < name, Pace.used > 0
        )
    ).one()
    if days_before >= len(warm_up):
        return most
    count = max(0, min(most, warm_up[days_before] - row.used))
    row.used += count
    return count


def give_back_today(session: Session, count: int, *, now: datetime) -> None:
    """Return messages of today's share that were not sent."""
    row = locked(session, f"day:{now.date().isoformat()}")
    row.used = max(0, row.used - count)


def locked(session: Session, name: str) -> Pace:
    """The row of that name, created if missing, locked until the transaction ends."""
    new = upsert(session, "pace").values(name=name, used=0)
    session.connection().execute(new.on_conflict_do_nothing())
    return session.exec(select(Pace).where(Pace.name == name).with_for_update()).one()
