"""A mailed paper's receipt: the parts of its score, "less of this" on each, what comes instead."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from newsletter.core.models import InterestKind, Paper, Signal, Subscriber
from newsletter.editions.why import Asking, Frozen, Why
from newsletter.ranking.profiles import evidence, feedback, groups
from newsletter.ranking.standing import Share, Standing, instead
from newsletter.subscribers.preferences import FULL, StatedInterest, interests_of, lessen, weigh

_INTERESTS = {kind.value for kind in InterestKind}
_SIGNALS = {signal.value for signal in Signal}
POPULARITY = "popularity"


@dataclass(frozen=True, slots=True)
class Line:
    """A part of a score, and what "less of it" is called; "" where there is nothing to press."""

    share: Share
    handle: str = ""
    halved: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a reader sees of one mailed paper. ``instead`` is the paper that would be there."""

    why: Why
    lines: tuple[Line, ...]
    instead: Paper | None


def receipt(asking: Asking, paper: Paper, frozen: Frozen) -> Receipt:
    """The receipt of a paper in a frozen digest. Reads only."""
    delivery = frozen.delivery
    why = asking.mailed(paper, frozen)
    candidates = asking.load(asking.session, delivery.created_at)
    profile = asking.profile(delivery)
    item = type(frozen.item)
    had = asking.session.exec(select(item.paper_id).where(item.delivery_id == delivery.id)).all()
    other = instead(candidates, profile, frozen.item.paper_id, had)
    found = asking.standing(frozen.item.paper_id, delivery)
    return Receipt(
        why,
        _lines(asking.session, asking.subscriber, why.shares, found),
        asking.session.get(Paper, other.paper_id) if other else None,
    )


def _lines(
    session: Session, subscriber: Subscriber, shares: Sequence[Share], found: Standing | None
) -> tuple[Line, ...]:
    if groups.keeper_of(session, [subscriber.id or 0]):
        return tuple(Line(share) for share in shares)  # only the keeper changes what these are
    topic_id = found.topic.topic_id if found and found.topic else None
    stated = interests_of(session, topic_id) if topic_id else []
    names = [each.value for each in stated if each.kind is InterestKind.SEED_PAPER]
    seeds = evidence.seed_papers(session, names)
    return tuple(_line(share, stated, seeds, subscriber) for share in shares)


def _line(
    share: Share, stated: Sequence[StatedInterest], seeds: dict[str, int], subscriber: Subscriber
) -> Line:
    if share.kind in _INTERESTS:
        for each in stated:
            if each.kind.value == share.kind and _names(each, share.key, seeds):
                return Line(share, f"interest-{each.id}", halved=each.weight < FULL)
    if share.kind in _SIGNALS:
        return Line(share, f"{share.kind}-{share.key}")
    if share.kind == POPULARITY and subscriber.popularity:
        return Line(share, f"{POPULARITY}-{subscriber.popularity}")
    return Line(share)


def _names(interest: StatedInterest, key: int | str, seeds: dict[str, int]) -> bool:
    if interest.kind is InterestKind.SEED_PAPER:
        return seeds.get(interest.value) == key
    if interest.kind in {InterestKind.AUTHOR, InterestKind.CATEGORY}:
        return interest.value.casefold() == key
    return interest.value == key


def less(session: Session, subscriber: Subscriber, handle: str) -> bool:
    """Do what "less of this" does: halve an interest or popularity, take a judgement back.

    Returns whether there was such a thing.
    """
    return _change(session, subscriber, handle, back=False)


def undo(session: Session, subscriber: Subscriber, handle: str) -> bool:
    """Take `less` back; returns whether there was such a thing."""
    return _change(session, subscriber, handle, back=True)


def _change(session: Session, subscriber: Subscriber, handle: str, *, back: bool) -> bool:
    own = subscriber.id or 0
    kind, _, digits = handle.partition("-")
    key = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
    if kind == POPULARITY:
        return _popularity(session, subscriber, key, back=back)
    if kind == "interest":
        return weigh(session, own, key, FULL) if back else lessen(session, own, key)
    if kind not in _SIGNALS or session.get(Paper, key) is None:
        return False
    if not back:
        return feedback.withdraw(session, own, key, Signal(kind))
    feedback.record(session, own, key, Signal(kind))
    return True


def _popularity(session: Session, subscriber: Subscriber, whole: int, *, back: bool) -> bool:
    """Halve the slider that stood at ``whole``; a second press finds it halved already."""
    before, after = (whole // 2, whole) if back else (whole, whole // 2)
    if not 0 < whole <= 100:
        return False
    if subscriber.popularity == before:
        subscriber.popularity = after
        session.add(subscriber)
        session.flush()
    return True
