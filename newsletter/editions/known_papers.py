"""News of papers that a reader got, liked or saved: told once, in the next digest.

A retraction, a publication and, for who asked for it, a new abstract are no new papers: they
point at the row of the digest that brought the paper.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import insert
from sqlmodel import Session, SQLModel

from newsletter.core import language
from newsletter.core.language import N_, _, gettext
from newsletter.core.models import ChangeKind, Signal
from newsletter.ranking.profiles.history import NEVER_SENT

# A change is told this long after it was seen; who reads no digest for longer misses it.
REACH = timedelta(days=90)
# In one digest; the rest waits for the next.
MOST = 10

_change = SQLModel.metadata.tables["paper_change"].c
_item = SQLModel.metadata.tables["digest_item"].c
_delivery = SQLModel.metadata.tables["delivery"].c
_feedback = SQLModel.metadata.tables["feedback"].c
_paper = SQLModel.metadata.tables["paper"].c
_subscriber = SQLModel.metadata.tables["subscriber"].c
_news = SQLModel.metadata.tables["digest_news"]

# In the order in which they are told.
_SAID = {
    ChangeKind.RETRACTED: N_("It was retracted."),
    ChangeKind.WITHDRAWN: N_("It was withdrawn."),
    ChangeKind.PUBLISHED: N_("It is published now: doi:{after}."),
    ChangeKind.REVISED: N_(
        "Version {version} has another abstract; its page shows the difference."
    ),
}
_ORDER = {kind: place for place, kind in enumerate(_SAID)}
_JUDGED = {
    Signal.SAVED: N_("You saved it."),
    Signal.RELEVANT: N_("You marked it as relevant."),
}


@dataclass(frozen=True, slots=True)
class News:
    """One change to tell one reader of; ``item_id`` is the row of the digest that had the paper."""

    change_id: int
    paper_id: int
    kind: ChangeKind
    title: str
    said: str
    url: str
    item_id: int | None


def untold(session: Session, ids: Sequence[int], now: datetime) -> dict[int, list[News]]:
    """What each of these subscribers is to be told in the next digest, by subscriber id."""
    recent = _change.at > now - REACH
    if session.execute(sa.select(_change.id).where(recent).limit(1)).first() is None:
        return {}
    got = {
        (row.subscriber_id, row.id): row
        for row in session.execute(_about(_item, ids, recent).add_columns(_delivery.created_at))
    }
    judged = {
        (row.subscriber_id, row.id): row
        for row in session.execute(_about(_feedback, ids, recent).order_by(_feedback.signal))
    }
    told: dict[int, list[News]] = defaultdict(list)
    for (subscriber_id, _change_id), row in sorted({**judged, **got}.items(), key=_in_order):
        with language.speaking(row.language):
            told[subscriber_id].append(_one(row, got, judged))
    return {subscriber_id: several[:MOST] for subscriber_id, several in told.items()}


def _about(table: Any, ids: Sequence[int], recent: Any) -> Any:
    """Changes of papers that came to these subscribers by ``table`` before they happened."""
    columns = [table.subscriber_id, _change, _paper.title, _subscriber.language]
    known_to = sa.select(*columns).join_from(
        SQLModel.metadata.tables["paper_change"],
        SQLModel.metadata.tables["paper"],
        _paper.id == _change.paper_id,
    )
    if table is _item:
        known_to = (
            known_to.add_columns(_item.id.label("item_id"))
            .join(SQLModel.metadata.tables["digest_item"], _item.paper_id == _change.paper_id)
            .join(SQLModel.metadata.tables["delivery"], _delivery.id == _item.delivery_id)
            .where(_delivery.created_at < _change.at, _delivery.status.not_in(NEVER_SENT))
        )
    else:
        known_to = (
            known_to.add_columns(_feedback.signal)
            .join(SQLModel.metadata.tables["feedback"], _feedback.paper_id == _change.paper_id)
            .where(_feedback.created_at < _change.at, _feedback.signal.in_(list(_JUDGED)))
        )
    before = sa.exists().where(
        _news.c.subscriber_id == table.subscriber_id, _news.c.change_id == _change.id
    )
    reader = SQLModel.metadata.tables["subscriber"]
    return known_to.join(reader, _subscriber.id == table.subscriber_id).where(
        recent,
        table.subscriber_id.in_(ids),
        sa.or_(_change.kind != ChangeKind.REVISED, _subscriber.tell_revisions),
        ~before,
    )


def _in_order(entry: tuple[tuple[int, int], Any]) -> tuple[int, int, int]:
    row = entry[1]
    return row.subscriber_id, _ORDER[row.kind], -row.id


def _one(row: Any, got: Mapping[Any, Any], judged: Mapping[Any, Any]) -> News:
    key = (row.subscriber_id, row.id)
    mailed = got.get(key)
    if key in judged:
        why = gettext(_JUDGED[judged[key].signal])
    else:
        at = mailed.created_at if mailed else row.at
        why = _("You got it on {day}.", day=language.long_day(at))
    said = _(_SAID[row.kind], after=row.after, version=row.version)
    return News(
        change_id=row.id,
        paper_id=row.paper_id,
        kind=row.kind,
        title=row.title,
        said=f"{said} {why}",
        url=f"https://doi.org/{row.after}" if row.kind is ChangeKind.PUBLISHED else "",
        item_id=mailed.item_id if mailed else None,
    )


def freeze(
    session: Session, delivery_of: Mapping[int, int], told: Mapping[int, Sequence[News]]
) -> None:
    """Write what each digest tells; ``delivery_of`` has the ids of deliveries by subscriber."""
    rows = [
        {
            "delivery_id": delivery_of[subscriber_id],
            "subscriber_id": subscriber_id,
            "change_id": each.change_id,
            "item_id": each.item_id,
            "paper_id": each.paper_id,
            "position": position,
            "title": each.title,
            "said": each.said,
            "url": each.url,
        }
        for subscriber_id, several in told.items()
        if subscriber_id in delivery_of
        for position, each in enumerate(several, 1)
    ]
    if rows:
        session.execute(insert(_news), rows)
