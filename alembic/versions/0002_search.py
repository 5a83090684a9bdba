"""full text search over papers

SQLite keeps an FTS5 index beside the table and follows it by triggers; a migration that builds
``paper`` anew (batch mode does) drops them and must run `follow_by_triggers` again.
PostgreSQL keeps a generated column with a GIN index.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TRIGGERS = {
    "paper_search_insert": """
        AFTER INSERT ON paper BEGIN
            INSERT INTO paper_search (rowid, title, abstract, authors)
            VALUES (new.id, new.title, new.abstract, new.authors);
        END""",
    "paper_search_delete": """
        AFTER DELETE ON paper BEGIN
            INSERT INTO paper_search (paper_search, rowid, title, abstract, authors)
            VALUES ('delete', old.id, old.title, old.abstract, old.authors);
        END""",
    "paper_search_update": """
        AFTER UPDATE OF title, abstract, authors ON paper
        WHEN old.title IS NOT new.title OR old.abstract IS NOT new.abstract
            OR old.authors IS NOT new.authors
        BEGIN
            INSERT INTO paper_search (paper_search, rowid, title, abstract, authors)
            VALUES ('delete', old.id, old.title, old.abstract, old.authors);
            INSERT INTO paper_search (rowid, title, abstract, authors)
            VALUES (new.id, new.title, new.abstract, new.authors);
        END""",
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE paper_search USING fts5(title, abstract, authors, "
            "content='paper', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2')"
        )
        follow_by_triggers()
        op.execute("INSERT INTO paper_search (paper_search) VALUES ('rebuild')")
        return
    op.execute(
        "ALTER TABLE paper ADD COLUMN search_document tsvector GENERATED ALWAYS AS ("
        "setweight(to_tsvector('english', title), 'A') || "
        "setweight(to_tsvector('simple', authors::text), 'B') || "
        "to_tsvector('english', abstract)) STORED"
    )
    op.execute("CREATE INDEX ix_paper_search_document ON paper USING gin (search_document)")


def follow_by_triggers() -> None:
    for name, rule in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {rule}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in TRIGGERS:
            op.execute(f"DROP TRIGGER {name}")
        op.execute("DROP TABLE paper_search")
        return
    op.drop_index("ix_paper_search_document", "paper")
    op.drop_column("paper", "search_document")
