"""The nearest words to one that no paper has: "reenforcement" to "reinforcement"."""

import re
from collections import Counter
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein
from sqlalchemy import Engine, func, select
from sqlmodel import Session

from newsletter.papers.tables import PAPER

# Titles of the newest papers are enough to know a field's words; they take a second to read.
TITLES = 20_000
# Shorter words have too many neighbours to guess from.
SHORTEST = 4
_TITLES = select(PAPER.c.title).order_by(PAPER.c.id.desc()).limit(TITLES)
_WORD = re.compile(r"[^\W\d_]{3,40}")


def corrected(session: Session, text: str) -> str | None:
    """``text`` with each word that no title has replaced by the nearest one; None if none is near.

    One letter in four may be wrong, missing, added or swapped with its neighbour; of two words as
    near, the more frequent one is taken. Phrases and excluded words are corrected like others.
    """
    newest = session.connection().scalar(select(func.max(PAPER.c.id))) or 0
    # Ingest adds papers all the time; the words of a field hardly change within a thousand.
    known = _words(session, newest // 1_000)
    changed = False

    def nearest(match: re.Match[str]) -> str:
        nonlocal changed
        word = match[0].casefold()
        if word in known or len(word) < SHORTEST:
            return match[0]
        found = process.extract(
            word,
            known.keys(),
            scorer=DamerauLevenshtein.distance,
            score_cutoff=max(1, len(word) // 4),
            limit=5,
        )
        if not found:
            return match[0]
        changed = True
        return min(found, key=lambda each: (each[1], -known[each[0]], each[0]))[0]

    result = _WORD.sub(nearest, text[:200])
    return result if changed else None


def _words(session: Session, thousands: int) -> Counter[str]:
    """How many of the newest titles hold each word."""
    kept = _kept(session.get_bind().engine, thousands)
    if not kept:
        # In the caller's session: many who each wait for a second one would wait for one another.
        titles = session.connection().scalars(_TITLES)
        kept.append(
            Counter(word for title in titles for word in set(_WORD.findall(title.casefold())))
        )
    return kept[0]


@lru_cache(maxsize=4)
def _kept(_engine: Engine, _thousands: int) -> list[Counter[str]]:
    """A place for the words, once they are counted."""
    return []
