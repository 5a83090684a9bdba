"""search finds words with and without accents on PostgreSQL too

The index holds plain Latin letters. PostgreSQL's own ``unaccent`` may not stand in a generated
column, and is an extension that not every server has; ``translate`` is always there.

Revision ID: 0008
Revises: 0007
"""

import unicodedata

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ACCENTED = [chr(code) for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))]
PAIRS = [
    (letter, unicodedata.normalize("NFD", letter)[0])
    for letter in ACCENTED
    if unicodedata.normalize("NFD", letter)[0].isascii()
] + list(zip("ØøŁłĐđĦħŦŧı", "OoLlDdHhTti", strict=True))
WITH_ACCENTS = "".join(letter for letter, _ in PAIRS)
WITHOUT = "".join(plain for _, plain in PAIRS)


def upgrade() -> None:
    # Names are stemmed like the words that are typed, or "Jones" and "Erdős" are never found.
    _rebuild(lambda column: f"translate({column}, '{WITH_ACCENTS}', '{WITHOUT}')", "english")


def downgrade() -> None:
    _rebuild(lambda column: column, "simple")


def _rebuild(plain, config: str) -> None:  # type: ignore[no-untyped-def]
    if op.get_bind().dialect.name == "sqlite":
        return  # its tokenizer removes accents by itself
    op.drop_index("ix_paper_search_document", "paper")
    op.drop_column("paper", "search_document")
    op.execute(
        "ALTER TABLE paper ADD COLUMN search_document tsvector GENERATED ALWAYS AS ("
        f"setweight(to_tsvector('english', {plain('title')}), 'A') || "
        f"setweight(to_tsvector('{config}', {plain('authors::text')}), 'B') || "
        f"to_tsvector('english', {plain('abstract')})) STORED"
    )
    op.execute("CREATE INDEX ix_paper_search_document ON paper USING gin (search_document)")
