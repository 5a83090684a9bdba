"""links of a generation can be ended; each sign-up belongs to its own confirmation mail

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa

from alembic import op
from newsletter.core.database import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "subscriber",
        sa.Column("link_generation", sa.Integer(), nullable=False, server_default="0"),
    )
    waiting = sa.table(
        "sign_up",
        sa.column("subscriber_id", sa.Integer()),
        sa.column("asked_at", UtcDateTime()),
        sa.column("asked", sa.JSON()),
    )
    connection = op.get_bind()
    rows = [row._asdict() for row in connection.execute(sa.select(waiting))]
    op.drop_table("sign_up")
    op.create_table(
        "sign_up",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=True),
        sa.Column("asked_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_sign_up_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["delivery.id"],
            name=op.f("fk_sign_up_delivery_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_up")),
    )
    op.create_index(op.f("ix_sign_up_subscriber_id"), "sign_up", ["subscriber_id"])
    op.create_index(op.f("ix_sign_up_delivery_id"), "sign_up", ["delivery_id"])
    if rows:
        op.bulk_insert(waiting, rows)


def downgrade() -> None:
    waiting = sa.table(
        "sign_up",
        sa.column("id", sa.Integer()),
        sa.column("subscriber_id", sa.Integer()),
        sa.column("asked_at", UtcDateTime()),
        sa.column("asked", sa.JSON()),
    )
    connection = op.get_bind()
    rows = {
        row.subscriber_id: {
            "subscriber_id": row.subscriber_id,
            "asked_at": row.asked_at,
            "asked": row.asked,
        }
        for row in connection.execute(sa.select(waiting).order_by(waiting.c.id))
    }
    op.drop_table("sign_up")
    op.create_table(
        "sign_up",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_sign_up_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_sign_up")),
    )
    if rows:
        columns = (waiting.c.subscriber_id, waiting.c.asked_at, waiting.c.asked)
        op.bulk_insert(sa.table("sign_up", *(c.copy() for c in columns)), list(rows.values()))
    with op.batch_alter_table("subscriber") as batch:
        batch.drop_column("link_generation")
