"""The tables for bulk statements in SQLAlchemy Core, without objects."""

from sqlalchemy import Table

from newsletter.core.models import (
    AuthorOrcid,
    Citation,
    DigestItem,
    DigestNews,
    EditionPaper,
    Feedback,
    FetchLog,
    Paper,
    PaperAlias,
    PaperChange,
    SourceState,
)


def _table(model: type) -> Table:
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


PAPER = _table(Paper)
ALIAS = _table(PaperAlias)
AUTHOR_ORCID = _table(AuthorOrcid)
STATE = _table(SourceState)
LOG = _table(FetchLog)
DIGEST_ITEM = _table(DigestItem)
CITATION = _table(Citation)
CHANGE = _table(PaperChange)
NEWS = _table(DigestNews)
EDITION_PAPER = _table(EditionPaper)
FEEDBACK = _table(Feedback)
