"""links to the operator's pages and their sessions; bounces by week

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa

from alembic import op
from newsletter.core.database import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TROUBLES = sa.text("kind IN ('bounced', 'complained')")


def upgrade() -> None:
    op.create_table(
        "operator_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("link_hash", sa.String(length=64), nullable=False),
        sa.Column("link_until", UtcDateTime(timezone=True), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("cookie_hash", sa.String(length=64), nullable=True),
        sa.Column("until", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_session")),
        sa.UniqueConstraint("link_hash", name=op.f("uq_operator_session_link_hash")),
        sa.UniqueConstraint("cookie_hash", name=op.f("uq_operator_session_cookie_hash")),
    )
    # Nearly all events are deliveries and clicks.
    op.create_index(
        "ix_delivery_event_troubles",
        "delivery_event",
        ["occurred_at"],
        sqlite_where=TROUBLES,
        postgresql_where=TROUBLES,
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_event_troubles", "delivery_event")
    op.drop_table("operator_session")
