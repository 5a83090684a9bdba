"""ids that stand in links, feeds, forms and files are used once, like those of deliveries

Revision ID: 0037
Revises: 0036

SQLite alone gives the highest id again once its row is gone. A later batch on one of these tables
must name ``sqlite_autoincrement`` again; `env.py` keeps the highest id that was ever given.
"""

from alembic import context, op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

TABLES = ("paper", "subscriber", "topic", "interest", "folder", "kept_mail")


def upgrade() -> None:
    rebuild({"sqlite_autoincrement": True})


def downgrade() -> None:
    rebuild({})


def rebuild(options: dict[str, bool]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            with op.batch_alter_table(table, recreate="always", table_kwargs=options):
                pass
        # The index itself stays right: its rows are named by id. Its triggers went with the table.
        context.script.get_revision("0002").module.follow_by_triggers()
