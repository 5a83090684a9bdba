"""Lists of papers as HTML, each paper's part made once for a state of the database."""

from collections.abc import Sequence
from itertools import starmap
from typing import NamedTuple

from markupsafe import Markup
from sqlalchemy import bindparam, func, select
from sqlmodel import Session

from newsletter.papers.tables import PAPER
from newsletter.web.site import Site

# Characters of an abstract: as much as any list shows, and one to tell that there is more.
_LONGEST = 261
# Columns and not rows of the table as objects: fifty of those take as long as the whole page.
_SHOWN = select(
    PAPER.c.id,
    PAPER.c.title,
    func.substr(PAPER.c.abstract, 1, _LONGEST),
    PAPER.c.authors,
    PAPER.c.categories,
    PAPER.c.venue,
    PAPER.c.source,
    PAPER.c.standing,
    PAPER.c.upvotes,
).where(PAPER.c.id.in_(bindparam("ids", expanding=True)))


class _Shown(NamedTuple):
    """What a list shows of a paper; fifty of SQLAlchemy's own rows take 1 ms longer to render."""

    id: int
    title: str
    abstract: str
    authors: Sequence[str]
    categories: Sequence[str]
    venue: str
    source: str
    standing: str
    upvotes: int


def cards(
    site: Site,
    session: Session,
    state: object,
    ids: Sequence[int],
    *,
    heading: str = "h3",
    teaser: int = 220,
) -> Markup:
    """The papers of a list one below the other; ``teaser`` is in characters, 260 at most.

    ``state`` is what `Kept.state` gave in this session.
    """
    keys = [("card", heading, teaser, number) for number in ids]
    made = dict(zip(ids, site.kept.several(state, keys), strict=True))
    missing = [number for number, card in made.items() if card is None]
    if missing:
        card = site.macro("papers.html", "card")
        for paper in starmap(_Shown, session.connection().execute(_SHOWN, {"ids": missing})):
            made[paper.id] = card(paper, heading, teaser, f"{site.root}/paper")
            site.kept.keep(state, ("card", heading, teaser, paper.id), made[paper.id])
    # One that was merged into another meanwhile has no card.
    # All are markup already: `Markup.join` would look at each again.
    return Markup("".join(card for card in made.values() if card is not None))  # noqa: S704
