"""relays that ask for less are spared by all senders

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa

import newsletter.core.database
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pace", sa.Column("rate", sa.Float(), nullable=True))
    op.add_column(
        "pace",
        sa.Column("slowed_at", newsletter.core.database.UtcDateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    with op.batch_alter_table("pace") as batch:
        batch.drop_column("slowed_at")
        batch.drop_column("rate")
