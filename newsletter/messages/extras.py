"""What steps of their own add to a paper, as an edition freezes it: a figure, other words."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from newsletter.messages import figures, other_words


def frozen(session: Session, paper_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What joins the frozen content of those papers that have any."""
    pictures, words = figures.frozen(session, paper_ids), other_words.frozen(session, paper_ids)
    return {
        paper: pictures.get(paper, {}) | words.get(paper, {})
        for paper in sorted(pictures.keys() | words.keys())
    }
