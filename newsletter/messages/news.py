"""News of papers that a reader knows: what became of them, as a section of a digest."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import ColumnElement, bindparam
from sqlmodel import SQLModel

from newsletter.core.language import N_, _
from newsletter.core.models import ChangeKind
from newsletter.core.one_line import shortened
from newsletter.messages import wording

LONGEST_TITLE, LONGEST_SAID, IN_SUBJECT = 400, 400, 60
_FIRST_WORDS = {
    ChangeKind.RETRACTED: N_("Retracted: {title}"),
    ChangeKind.WITHDRAWN: N_("Withdrawn: {title}"),
    ChangeKind.PUBLISHED: N_("Published: {title}"),
    ChangeKind.REVISED: N_("New version: {title}"),
}
_told = SQLModel.metadata.tables["digest_news"].c
_ITEMS = (
    sqlalchemy.select(_told.delivery_id, _told.paper_id, _told.title, _told.said, _told.url)
    .where(_told.delivery_id.in_(bindparam("ids", expanding=True)))
    .order_by(_told.delivery_id, _told.position)
)


class NewsItem(NamedTuple):
    """What became of a paper that the reader knows; without a ``url`` its page says more."""

    paper_id: int
    title: str
    said: str
    url: str = ""


def subject_line(kind: ChangeKind, titles: Sequence[str]) -> str:
    """The subject of a digest that holds only news: the first, and how many more there are."""
    more = len(titles) - 1
    first = _(_FIRST_WORDS[kind], title=shortened(titles[0], IN_SUBJECT))
    return _("{first} + {count} more", first=first, count=more) if more else first


def has_news(delivery_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a digest tells any: few do, and a query for all costs more than it."""
    return sqlalchemy.exists().where(_told.delivery_id == delivery_id)


def load_news(connection: Any, delivery_ids: Sequence[int]) -> dict[int, tuple[NewsItem, ...]]:
    """What digests tell, frozen in rows, by delivery id."""
    found: dict[int, tuple[NewsItem, ...]] = {}
    for delivery_id, *told in connection.execute(_ITEMS, {"ids": delivery_ids}):
        found[delivery_id] = (*found.get(delivery_id, ()), NewsItem(*told))
    return found


def news_cards(items: Sequence[NewsItem], base_url: str) -> tuple[NewsItem, ...]:
    """News as a template fills it in; what has no address of its own leads to the paper's page."""
    return tuple(
        NewsItem(
            item.paper_id,
            shortened(wording.one_line(item.title), LONGEST_TITLE) or _("Untitled"),
            shortened(wording.one_line(item.said), LONGEST_SAID),
            (item.url and wording.safe_url(item.url)) or f"{base_url}/paper/{item.paper_id}",
        )
        for item in items
    )
