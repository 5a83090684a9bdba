"""each digest says what its own papers were chosen from, as it was when the digest was made

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("coverage", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("delivery", "coverage")
