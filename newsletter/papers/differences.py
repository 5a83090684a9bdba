"""What a new version of a paper changed in its abstract, word by word."""

import re
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from sqlmodel import Session, col, select

from newsletter.core.models import ChangeKind, PaperChange


class Piece(NamedTuple):
    """Words that both versions have, or that are gone, or new."""

    kind: Literal["same", "gone", "new"]
    text: str


class Difference(NamedTuple):
    """What changed with one version."""

    version: int
    pieces: tuple[Piece, ...]


def latest_difference(session: Session, paper_id: int) -> Difference | None:
    """What the newest version that changed the abstract changed; None if none is known."""
    found = session.exec(
        select(PaperChange)
        .where(PaperChange.paper_id == paper_id, PaperChange.kind == ChangeKind.REVISED)
        .order_by(col(PaperChange.version).desc())
    ).first()
    return (
        None if found is None else Difference(found.version, difference(found.before, found.after))
    )


def difference(before: str, after: str) -> tuple[Piece, ...]:
    """Both texts in one, with what is gone before what is new in its place."""
    old, new = re.findall(r"\S+", before), re.findall(r"\S+", after)
    pieces: list[Piece] = []
    for what, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
        if what == "equal":
            pieces.append(Piece("same", " ".join(new[c:d])))
            continue
        if b > a:
            pieces.append(Piece("gone", " ".join(old[a:b])))
        if d > c:
            pieces.append(Piece("new", " ".join(new[c:d])))
    return tuple(pieces)
