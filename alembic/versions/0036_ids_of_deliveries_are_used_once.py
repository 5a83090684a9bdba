"""ids of deliveries are used once: what was mailed names one, and its reader may be erased

Revision ID: 0036
Revises: 0035

SQLite alone gives the highest id again once its row is gone; PostgreSQL's sequences never go back.
A later batch on this table on SQLite must name ``sqlite_autoincrement`` again.
"""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        once = {"sqlite_autoincrement": True}
        with op.batch_alter_table("delivery", recreate="always", table_kwargs=once):
            pass


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("delivery", recreate="always"):
            pass
