"""Thumbnails of papers as an edition freezes them: size and caption; the picture is a file."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from newsletter.core.language import _
from newsletter.core.models import Figure
from newsletter.core.one_line import shortened
from newsletter.messages import wording

LONGEST_ALT = 160
SHOWN = 2  # pixels of the file for one that is shown: sharp screens have twice as many


class Thumbnail(NamedTuple):
    """The frozen thumbnail of a paper, in pixels of its file."""

    width: int
    height: int
    caption: str


class Picture(NamedTuple):
    """A thumbnail as templates show it."""

    url: str
    width: int
    height: int
    alt: str


def frozen(session: Session, paper_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What joins the frozen content of those papers that have a thumbnail."""
    rows = session.exec(select(Figure).where(col(Figure.paper_id).in_(paper_ids), Figure.width > 0))
    return {row.paper_id: {"figure": [row.width, row.height, row.caption]} for row in rows}


def thawed(content: Mapping[str, Any]) -> Thumbnail | None:
    """The thumbnail in a frozen paper, if it has one."""
    return Thumbnail(*content["figure"]) if content.get("figure") else None


def shown(thumbnail: Thumbnail | None, folder: str, paper_id: int, title: str) -> Picture | None:
    """As a card shows it; None where there is none, or where ``folder`` is "" (they are off)."""
    if thumbnail is None or not folder:
        return None
    caption = shortened(wording.one_line(thumbnail.caption), LONGEST_ALT)
    return Picture(
        f"{folder}/{paper_id}.jpg",
        max(1, thumbnail.width // SHOWN),
        max(1, thumbnail.height // SHOWN),
        caption or _("First figure of {title}", title=title),
    )
