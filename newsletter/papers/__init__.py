"""Papers: ingest them, and find them again. One paper is one row, however often it is seen."""

from newsletter.papers.coverage import (
    Coverage,
    NothingToSend,
    SourceCondition,
    SourceCoverage,
    coverage,
)
from newsletter.papers.ingest import Outcome, ingest_file, ingest_pages
from newsletter.papers.network import ingest_source
from newsletter.papers.search import search
from newsletter.papers.store import Tally, store
from newsletter.papers.turns import DatabaseTurns

__all__ = [
    "Coverage",
    "DatabaseTurns",
    "NothingToSend",
    "Outcome",
    "SourceCondition",
    "SourceCoverage",
    "Tally",
    "coverage",
    "ingest_file",
    "ingest_pages",
    "ingest_source",
    "search",
    "store",
]
