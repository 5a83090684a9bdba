"""full-text search over papers

SQLite keeps an FTS5 index beside the papers, which triggers hold up to date; PostgreSQL an
index over an expression. Neither is a table of ours, so neither stands in the models.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The words of a row: JSON lists are taken apart, for they hold escapes and not letters.
_ROW = """new.id, new.title, new.abstract,
    (SELECT group_concat(value, ' ') FROM json_each(new.authors))"""
_REMOVE = """INSERT INTO paper_search(paper_search, rowid, title, abstract, authors)
    VALUES ('delete', old.id, old.title, old.abstract,
        (SELECT group_concat(value, ' ') FROM json_each(old.authors)));"""
_ADD = f"INSERT INTO paper_search(rowid, title, abstract, authors) VALUES ({_ROW});"  # noqa: S608  (our own words)

SQLITE = (
    # Without content the index holds no second copy of the abstracts.
    """CREATE VIRTUAL TABLE paper_search USING fts5(
        title, abstract, authors, content='', tokenize='porter unicode61 remove_diacritics 2'
    )""",
    f"CREATE TRIGGER paper_search_insert AFTER INSERT ON paper BEGIN {_ADD} END",
    f"CREATE TRIGGER paper_search_delete AFTER DELETE ON paper BEGIN {_REMOVE} END",
    f"""CREATE TRIGGER paper_search_update AFTER UPDATE OF title, abstract, authors ON paper
        BEGIN {_REMOVE} {_ADD} END""",
    """INSERT INTO paper_search(rowid, title, abstract, authors)
        SELECT id, title, abstract,
            (SELECT group_concat(value, ' ') FROM json_each(paper.authors)) FROM paper""",
)
# PostgreSQL folds no accents by itself; SQLite's tokenizer does.
_ACCENTED = (
    "àáâãäåāăąçćčďđèéêëēęěìíîïīłñńňòóôõöøōőŕřśşšţťùúûüūůűýÿźżžÀÁÂ"
    "ÃÄÅĀĂĄÇĆČĎĐÈÉÊËĒĘĚÌÍÎÏĪŁÑŃŇÒÓÔÕÖØŌŐŔŘŚŞŠŢŤÙÚÛÜŪŮŰÝŸŹŻŽ"
)
_PLAIN = (
    "aaaaaaaaacccddeeeeeeeiiiiilnnnoooooooorrsssttuuuuuuuyyzzzAAA"
    "AAAAAACCCDDEEEEEEEIIIIILNNNOOOOOOOORRSSSTTUUUUUUUYYZZZ"
)
# browse.py asks by this function; a word in the title weighs more.
POSTGRESQL = (
    f"""CREATE FUNCTION paper_words(title text, abstract text, authors json) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT setweight(to_tsvector('english', translate(title, '{_ACCENTED}', '{_PLAIN}')), 'A')
            || to_tsvector('english', translate(
                abstract || ' ' || authors::jsonb::text, '{_ACCENTED}', '{_PLAIN}'))
    $$""",
    "CREATE INDEX ix_paper_search ON paper USING gin (paper_words(title, abstract, authors))",
)


def upgrade() -> None:
    statements = POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX ix_paper_search")
        op.execute("DROP FUNCTION paper_words")
        return
    for trigger in ("insert", "delete", "update"):
        op.execute(f"DROP TRIGGER paper_search_{trigger}")
    op.execute("DROP TABLE paper_search")
