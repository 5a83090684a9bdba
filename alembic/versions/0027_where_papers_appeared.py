"""where papers appeared

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "paper", sa.Column("venue", sa.String(length=200), nullable=False, server_default="")
    )
    op.create_index("ix_paper_venue", "paper", ["venue"])


def downgrade() -> None:
    op.drop_index("ix_paper_venue", "paper")
    op.drop_column("paper", "venue")
