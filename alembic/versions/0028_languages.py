"""subscribers choose a language; deliveries keep the one that they were frozen in

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

COLUMNS = (
    ("subscriber", "language", sa.String(16), "en"),
    ("delivery", "language", sa.String(16), "en"),
    ("edition", "coverage_in", sa.JSON(), "{}"),
    ("no_digest", "told", sa.Text(), ""),
)


def upgrade() -> None:
    for table, name, kind, default in COLUMNS:
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column(name, kind, nullable=False, server_default=default))


def downgrade() -> None:
    for table, name, *_ in COLUMNS:
        with op.batch_alter_table(table) as batch:
            batch.drop_column(name)
