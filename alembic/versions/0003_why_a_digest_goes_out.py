"""why a digest goes out

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OCCASION = sa.Enum(
    "regular",
    "welcome",
    "best_of",
    "nothing",
    name="occasion",
    native_enum=False,
    create_constraint=True,
    length=16,
)


def upgrade() -> None:
    with op.batch_alter_table("delivery") as batch:
        # What was sent before had no other occasion.
        batch.add_column(sa.Column("occasion", OCCASION, nullable=False, server_default="regular"))
    with op.batch_alter_table("delivery") as batch:
        batch.alter_column("occasion", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("delivery") as batch:
        batch.drop_constraint(batch.f("ck_delivery_occasion"), type_="check")
        batch.drop_column("occasion")
