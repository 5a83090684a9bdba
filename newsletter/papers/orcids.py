"""The ORCIDs of a paper's authors, from sources that tell them."""

from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select
from sqlmodel import Session

from newsletter.core.persons import fit
from newsletter.papers.tables import AUTHOR_ORCID


def store_orcids(session: Session, told: Mapping[int, Mapping[str, str]]) -> None:
    """Add those that are not there yet; ``told`` are names by ORCID, by paper id."""
    if not told:
        return
    column = AUTHOR_ORCID.c
    query = select(column.paper_id, column.orcid).where(column.paper_id.in_(told))
    there = {(paper, orcid) for paper, orcid in session.execute(query)}
    new = [
        {"paper_id": paper, "orcid": orcid, "name": name}
        for paper, names in told.items()
        for orcid, name in names.items()
        if (paper, orcid) not in there
    ]
    if new:
        session.execute(insert(AUTHOR_ORCID), new)


def orcids_of(session: Session, paper_id: int, authors: Sequence[str]) -> dict[str, str]:
    """The ORCIDs of those ``authors`` whom exactly one of those known for the paper fits."""
    column = AUTHOR_ORCID.c
    query = select(column.name, column.orcid).where(column.paper_id == paper_id)
    known = [(name, orcid) for name, orcid in session.execute(query)]
    found = {
        author: {orcid for name, orcid in known if name == author}
        or {orcid for name, orcid in known if fit(author, name)}
        for author in (authors if known else ())
    }
    return {author: next(iter(own)) for author, own in found.items() if len(own) == 1}
