"""each reason of a digest names the bar of what was learned that it is about

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in a batch: digests have millions of rows, which a batch would copy.
    op.add_column("digest_item", sa.Column("bars", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("digest_item") as batch:
        batch.drop_column("bars")
