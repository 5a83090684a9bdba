"""each digest says what its own papers were chosen from, as it was when the digest was made

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("coverage", sa.Text(), nullable=True))
    op.drop_column("edition", "coverage_in")


def downgrade() -> None:
    with op.batch_alter_table("edition") as batch:
        batch.add_column(sa.Column("coverage_in", sa.JSON(), nullable=False, server_default="{}"))
    op.drop_column("delivery", "coverage")
