"""What somebody sees before they sign up: papers to pick from, and a first digest.

All of it comes out of what the form says. Nothing is stored.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray
from sqlmodel import Session, col, select

from newsletter.core.database import utc_now
from newsletter.core.language import gettext
from newsletter.core.models import Interest, Paper, Subscriber, SubscriberStatus, Topic
from newsletter.papers import browse
from newsletter.ranking import diverse, passages
from newsletter.ranking.candidates import Candidates
from newsletter.ranking.profiles.draft import Draft
from newsletter.subscribers.accounts import subscriber_values
from newsletter.subscribers.validation import Preferences, TopicRequest
from newsletter.web import fields, today
from newsletter.web.site import Site

# Papers to pick from at a time: a screen or two.
OFFERED = 12
# Four screens of papers, all of them picked.
MOST_PICKED = 48
# Papers that were offered before and are not offered again; the form carries their numbers.
MOST_OFFERED = 120
# In no row: keys below zero are nobody's.
_NOBODY = -1
# Seconds that one visitor waits for another's ranking.
_PATIENCE = 3.0
_turn = Lock()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form says so far: categories in small letters, and ids of papers.

    ``goes_on``: papers that were ``offered`` have been looked at, and others are wanted.
    """

    categories: frozenset[str] = frozenset()
    picked: tuple[int, ...] = ()
    offered: tuple[int, ...] = ()
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A paper to pick; ``in_short`` is a sentence of its abstract, or ""."""

    paper_id: int
    title: str
    in_short: str
    field: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a form offers: categories as chips, papers to pick, and those that were picked."""

    fields: tuple[str, ...]
    cards: tuple[Card, ...]
    picked: tuple[Card, ...]
    offered: tuple[int, ...]


@contextmanager
def one_visitor() -> Iterator[None]:
    """Rank for one visitor at a time; readers' previews keep a place of their own.

    Raises:
        HTTPException: 503, others are before them.
    """
    if not _turn.acquire(timeout=_PATIENCE):
        raise HTTPException(503, headers={"Retry-After": "5"})
    try:
        with today.one_preview(_NOBODY):
            yield
    finally:
        _turn.release()


def offer(site: Site, asked: Asked) -> Offer:
    """Papers that fit what was said so far; without anything said, papers of many kinds."""
    with site.reading() as session:
        candidates = site.pool.candidates(session)
        shown = set(asked.offered)
        if asked.goes_on or not shown:
            rows = _next(candidates, asked)
        else:
            # The same papers again: only the rest of the page is new.
            row_of = {number: row for row, number in enumerate(candidates.ids)}
            last = asked.offered[-OFFERED:]
            rows = [
                row_of[number] for number in last if number in row_of and number not in asked.picked
            ]
        cards = _cards(candidates, rows)
        if not cards and not shown:
            cards = _newest(session)
        picked = _titled(session, asked.picked)
    return Offer(
        fields=tuple(fields.common(candidates.categories)),
        cards=cards,
        picked=picked,
        offered=tuple(dict.fromkeys((*asked.offered, *(card.paper_id for card in cards)))),
    )


def _next(candidates: Candidates, asked: Asked) -> list[int]:
    """Rows to offer: of the chosen fields first, then of all."""
    known = set(asked.picked) | set(asked.offered)
    fresh = np.array([number not in known for number in candidates.ids], np.bool_)
    liked = np.isin(np.array(candidates.ids, np.int64), asked.picked)
    rows: list[int] = []
    for allowed in (fresh & _of_fields(candidates, asked.categories), fresh):
        left = allowed.copy()
        left[rows] = False
        rows += diverse.to_ask_about(candidates, left, liked, OFFERED - len(rows))
    return rows


def _of_fields(candidates: Candidates, wanted: frozenset[str]) -> NDArray[np.bool_]:
    return np.array(
        [not wanted.isdisjoint(map(str.casefold, names)) for names in candidates.categories],
        np.bool_,
    )


def _cards(candidates: Candidates, rows: list[int]) -> tuple[Card, ...]:
    said = passages.in_short_for_anybody(candidates, rows)
    return tuple(
        Card(candidates.ids[row], candidates.titles[row], text, _field(candidates.categories[row]))
        for row, text in zip(rows, said, strict=True)
    )


def _newest(session: Session) -> tuple[Card, ...]:
    """Papers of the newest day there is, where the last weeks brought none."""
    day = browse.newest_day(session)
    papers = browse.between(session, day, day)[0][:OFFERED] if day else []
    return tuple(Card(p.id or 0, p.title, "", _field(p.categories)) for p in papers)


def _titled(session: Session, numbers: tuple[int, ...]) -> tuple[Card, ...]:
    papers = session.exec(select(Paper).where(col(Paper.id).in_(numbers)).order_by(col(Paper.id)))
    return tuple(Card(p.id or 0, p.title, "", "") for p in papers)


def _field(names: tuple[str, ...] | list[str]) -> str:
    """The first category in plain words, as it is where there are none, or ""."""
    return gettext(fields.IN_WORDS.get(names[0], names[0])) if names else ""


def preview(site: Site, wanted: TopicRequest, liked: tuple[int, ...]) -> today.Today:
    """The digest of somebody who signs up with these wishes, ranked in memory."""
    subscriber = Subscriber(
        id=_NOBODY,
        **subscriber_values(
            address="",
            address_hash="",
            name="",
            preferences=Preferences(),
            status=SubscriberStatus.PENDING,
            source="",
            now=utc_now(),
        ),
    )
    topic = Topic(id=_NOBODY, subscriber_id=_NOBODY, name=wanted.name, paused=False)
    interests = tuple(
        Interest(topic_id=_NOBODY, kind=clue.kind, value=clue.value, weight=clue.weight)
        for clue in wanted.clues
    )
    draft = Draft(subscriber, (topic,), interests, frozenset(), liked)
    with site.reading() as session:
        profile = today.profile_of(site, session, subscriber, draft)
    return today.rank_today(site, subscriber, profile)
