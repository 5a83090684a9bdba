"""Lists of papers as HTML, each paper's part made once for a state of the database."""

from collections.abc import Sequence

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
    func.substr(PAPER.c.abstract, 1, _LONGEST).label("abstract"),
    PAPER.c.authors,
    PAPER.c.categories,
    PAPER.c.venue,
    PAPER.c.source,
    PAPER.c.standing,
    PAPER.c.upvotes,
).where(PAPER.c.id.in_(bindparam("ids", expanding=True)))


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
    made = {number: site.kept.get(state, ("card", heading, teaser, number)) for number in ids}
    missing = [number for number, card in made.items() if card is None]
    if missing:
        card = site.macro("papers.html", "card")
        for paper in session.connection().execute(_SHOWN, {"ids": missing}):
            made[paper.id] = card(paper, heading, teaser, f"{site.root}/paper")
            site.kept.keep(state, ("card", heading, teaser, paper.id), made[paper.id])
    # One that was merged into another meanwhile has no card.
    return Markup("").join(card for card in made.values() if card is not None)
