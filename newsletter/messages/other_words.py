"""Papers in words that a model wrote, as an edition freezes them; shown in their language."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from newsletter.core import language
from newsletter.core.models import OtherWords


class InWords(NamedTuple):
    """One sentence on a paper, and in other languages than English its title."""

    language: str
    sentence: str
    title: str


def frozen(session: Session, paper_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What joins the frozen content of those papers of which a sentence was kept."""
    found: dict[int, dict[str, Any]] = {}
    for row in session.exec(
        select(OtherWords)
        .where(col(OtherWords.paper_id).in_(paper_ids), OtherWords.sentence != "")
        .order_by(col(OtherWords.paper_id), col(OtherWords.language))
    ):
        words = found.setdefault(row.paper_id, {"words": []})["words"]
        words.append([row.language, row.sentence, row.title])
    return found


def thawed(content: Mapping[str, Any]) -> tuple[InWords, ...]:
    """The sentences in a frozen paper."""
    return tuple(InWords(*each) for each in content.get("words", ()))


def spoken(words: Sequence[InWords]) -> InWords | None:
    """Those in the language that is on."""
    return next((each for each in words if each.language == language.current()), None)
