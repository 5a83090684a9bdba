"""a digest's paper has the sentence that says in short what was found

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("digest_item") as batch:
        batch.add_column(sa.Column("in_short", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("digest_item") as batch:
        batch.alter_column("in_short", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("digest_item") as batch:
        batch.drop_column("in_short")
