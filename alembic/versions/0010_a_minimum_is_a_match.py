"""a reader's minimum means the match; readers are told once, and may ask for a full list

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The label that a minimum let in stays the same: a good match began at a score of 50 and a strong
# one at 75; of the match they begin at 55 and 80.
TO_MATCH = (
    "UPDATE subscriber SET min_score = CASE WHEN min_score <= 50 THEN min_score * 11 / 10 "
    "WHEN min_score <= 75 THEN 55 + (min_score - 50) "
    "ELSE 80 + (min_score - 75) * 4 / 5 END, minimum_changed = true WHERE min_score > 0"
)
TO_SCORE = (
    "UPDATE subscriber SET min_score = CASE WHEN min_score <= 55 THEN min_score * 10 / 11 "
    "WHEN min_score <= 80 THEN 50 + (min_score - 55) "
    "ELSE 75 + (min_score - 80) * 5 / 4 END"
)


def upgrade() -> None:
    with op.batch_alter_table("subscriber") as batch:
        for name in ("fill_list", "minimum_changed"):
            batch.add_column(
                sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
            )
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(sa.Column("notice", sa.Text(), nullable=False, server_default=""))
    op.execute(TO_MATCH)
    with op.batch_alter_table("subscriber") as batch:
        for name in ("fill_list", "minimum_changed"):
            batch.alter_column(name, server_default=None)
    with op.batch_alter_table("delivery") as batch:
        batch.alter_column("notice", server_default=None)


def downgrade() -> None:
    op.execute(TO_SCORE)
    with op.batch_alter_table("delivery") as batch:
        batch.drop_column("notice")
    with op.batch_alter_table("subscriber") as batch:
        for name in ("minimum_changed", "fill_list"):
            batch.drop_column(name)
