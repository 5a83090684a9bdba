"""a weekly digest knows its first day; readers choose where titles lead

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("subscriber", "delivery"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(
                sa.Column("read_here", sa.Boolean(), nullable=False, server_default=sa.false())
            )
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(sa.Column("covers_from", sa.Date(), nullable=True))
    # The default was for the rows that were there.
    for table in ("subscriber", "delivery"):
        with op.batch_alter_table(table) as batch:
            batch.alter_column("read_here", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("delivery") as batch:
        batch.drop_column("covers_from")
    for table in ("delivery", "subscriber"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("read_here")
