"""papers of bibliographies, and how often a source was asked for them

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa

from alembic import op
from newsletter.core.database import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paper_lookup",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("asked_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_paper_lookup")),
    )
    op.add_column("interest", sa.Column("reference", sa.String(length=300), nullable=True))
    op.add_column("sign_up", sa.Column("remark", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("sign_up") as batch:
        batch.drop_column("remark")
    with op.batch_alter_table("interest") as batch:
        batch.drop_column("reference")
    op.drop_table("paper_lookup")
