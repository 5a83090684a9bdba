"""What some sources tell of papers beside the usual: ORCIDs of authors, and papers they cite."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select
from sqlmodel import Session

from newsletter.core.batches import batched
from newsletter.papers.orcids import store_orcids
from newsletter.papers.tables import ALIAS, CITATION
from newsletter.sources import PaperRecord


def store_details(session: Session, sighted: Mapping[int, Sequence[PaperRecord]]) -> None:
    """Add what is new in these sightings, by paper id."""
    store_orcids(
        session,
        {
            paper_id: {orcid: name for record in records for name, orcid in record.orcids}
            for paper_id, records in sighted.items()
        },
    )
    store_citations(
        session,
        {
            paper_id: {key for record in records for key in record.references}
            for paper_id, records in sighted.items()
        },
    )


def store_citations(session: Session, cited: Mapping[int, set[tuple[str, str]]]) -> None:
    """Add citations of papers that are known here; the others are many, and nobody's evidence."""
    names: dict[str, set[str]] = defaultdict(set)
    for keys in cited.values():
        for kind, name in keys:
            names[kind].add(name)
    known: dict[tuple[str, str], int] = {}
    for kind, wanted in names.items():
        for some in batched(sorted(wanted), 5_000):
            query = select(ALIAS.c.external_id, ALIAS.c.paper_id).where(
                ALIAS.c.source == kind, ALIAS.c.external_id.in_(some)
            )
            known |= {(kind, name): paper_id for name, paper_id in session.execute(query)}
    pairs = {
        (paper_id, known[key])
        for paper_id, keys in cited.items()
        for key in keys
        if key in known and known[key] != paper_id
    }
    if not pairs:
        return
    column = CITATION.c
    query = select(column.paper_id, column.cited_id).where(
        column.paper_id.in_({paper_id for paper_id, _ in pairs})
    )
    new = pairs - {(paper_id, cited_id) for paper_id, cited_id in session.execute(query)}
    if new:
        rows = [{"paper_id": paper_id, "cited_id": cited_id} for paper_id, cited_id in sorted(new)]
        session.execute(insert(CITATION), rows)
