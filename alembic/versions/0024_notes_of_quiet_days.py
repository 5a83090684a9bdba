"""readers choose how often a day without papers is told: each time, once a week, or never

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

QUIET_NOTES = sa.Enum(
    "daily",
    "weekly",
    "never",
    name="quietnotes",
    native_enum=False,
    create_constraint=True,
    length=16,
)


def upgrade() -> None:
    with op.batch_alter_table("subscriber") as batch:
        batch.alter_column("tell_when_nothing", new_column_name="each_time")
    with op.batch_alter_table("subscriber") as batch:
        batch.add_column(
            sa.Column("tell_when_nothing", QUIET_NOTES, nullable=False, server_default="weekly")
        )
    op.execute("UPDATE subscriber SET tell_when_nothing = 'daily' WHERE each_time")
    with op.batch_alter_table("subscriber") as batch:
        batch.alter_column("tell_when_nothing", server_default=None)
        batch.drop_column("each_time")


def downgrade() -> None:
    with op.batch_alter_table("subscriber") as batch:
        batch.add_column(
            sa.Column("each_time", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.execute("UPDATE subscriber SET each_time = true WHERE tell_when_nothing = 'daily'")
    with op.batch_alter_table("subscriber") as batch:
        batch.drop_constraint(op.f("ck_subscriber_quietnotes"), type_="check")
        batch.drop_column("tell_when_nothing")
    with op.batch_alter_table("subscriber") as batch:
        batch.alter_column("each_time", new_column_name="tell_when_nothing", server_default=None)
