"""how much of a paper's publication date is known

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batch mode: SQLite adds a column in place, and the search index keeps its triggers.
    op.add_column(
        "paper",
        sa.Column("published_precision", sa.String(5), nullable=False, server_default="day"),
    )


def downgrade() -> None:
    op.drop_column("paper", "published_precision")
