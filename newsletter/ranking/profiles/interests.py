"""What readers stated, read for many of them at once, and what a topic follows and mutes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, SQLModel

from newsletter.core.batches import batched
from newsletter.core.models import Interest, InterestKind
from newsletter.core.one_of import one_of

MOST_NAMES = 5  # words of a muted phrase that may be a person's name

_interest = SQLModel.metadata.tables["interest"].c


class Stated(NamedTuple):
    """One interest as ranking takes it; a negative weight mutes."""

    kind: InterestKind
    value: str
    weight: float
    reference: str | None


def stated(interest: Interest) -> Stated:
    """The same out of a row."""
    return Stated(interest.kind, interest.value, interest.weight, interest.reference)


def interests_of(session: Session, topic_ids: Sequence[int]) -> dict[int, list[Stated]]:
    """Interests by topic, mutes among them; the same one of several readers is one object.

    Two readers in three share theirs with others, so little is made for each: a third of the time
    that a row with all its columns takes.
    """
    found: dict[int, list[Stated]] = defaultdict(list)
    known: dict[tuple[str, str, float, str | None], Stated] = {}
    for some in batched([number for number in topic_ids if number > 0]):
        query = sa.select(
            _interest.topic_id,
            sa.type_coerce(_interest.kind, sa.Text),
            _interest.value,
            _interest.weight,
            _interest.reference,
        ).where(one_of(_interest.topic_id, some))
        for topic_id, *told in session.execute(query).all():
            key = tuple(told)
            each = known.get(key)
            if each is None:
                kind, value, weight, reference = key
                each = known[key] = Stated(InterestKind(kind), value, weight, reference)
            found[topic_id].append(each)
    return found


def followed(
    interests: Iterable[Stated],
) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Categories and authors among ``interests``, and those of both that count half."""
    categories, authors, halved = set[str](), set[str](), set[str]()
    for kind, value, weight, _ in interests:
        if kind is InterestKind.CATEGORY:
            named = value.casefold()
            categories.add(named)
        elif kind is InterestKind.AUTHOR:
            named = value  # as written: capitals tell initials
            authors.add(named)
        else:
            continue
        if weight < 1:
            halved.add(named)
    return frozenset(categories), frozenset(authors), frozenset(halved)


def muted_people(mutes: Iterable[Stated]) -> tuple[str, ...]:
    """Muted authors; and muted words that can be a name, since one list takes both."""
    return tuple(
        each.value
        for each in mutes
        if each.kind is InterestKind.AUTHOR
        or (each.kind is InterestKind.KEYWORD and 1 < len(each.value.split()) <= MOST_NAMES)
    )


def values_of(interests: Iterable[Stated], *kinds: InterestKind) -> tuple[str, ...]:
    """What the reader wrote of some kinds, in small letters."""
    return tuple(each.value.casefold() for each in interests if each.kind in kinds)
