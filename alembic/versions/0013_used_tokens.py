"""a provider's token signs one body only

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa

from alembic import op
from newsletter.core.database import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "used_token",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.Column("until", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_used_token")),
    )
    op.create_index(op.f("ix_used_token_until"), "used_token", ["until"])


def downgrade() -> None:
    op.drop_table("used_token")
