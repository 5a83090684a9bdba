"""what a sign-up asks for waits for its confirmation; interests of any length

Revision ID: 0004
Revises: 0003
"""

from hashlib import sha256

import sqlalchemy as sa

from alembic import op
from newsletter.core.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OLD = "uq_interest_topic_id_kind_value"
NEW = "uq_interest_topic_id_kind_value_hash"
LENGTH = "ck_interest_value_length"


def upgrade() -> None:
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
    with op.batch_alter_table("interest") as batch:
        batch.add_column(sa.Column("value_hash", sa.String(length=32), nullable=True))
        batch.drop_constraint(op.f(OLD), type_="unique")
    interest = sa.table("interest", sa.column("id"), sa.column("value"), sa.column("value_hash"))
    connection = op.get_bind()
    hashes = [
        {"number": number, "hash": sha256(value.encode()).hexdigest()[:32]}
        for number, value in connection.execute(sa.select(interest.c.id, interest.c.value))
    ]
    if hashes:
        connection.execute(
            sa.update(interest)
            .where(interest.c.id == sa.bindparam("number"))
            .values(value_hash=sa.bindparam("hash")),
            hashes,
        )
    with op.batch_alter_table("interest") as batch:
        batch.alter_column("value_hash", existing_type=sa.String(length=32), nullable=False)
        batch.create_unique_constraint(op.f(NEW), ["topic_id", "kind", "value_hash"])
        batch.create_check_constraint(op.f(LENGTH), "length(value) BETWEEN 1 AND 2000")


def downgrade() -> None:
    with op.batch_alter_table("interest") as batch:
        batch.drop_constraint(op.f(NEW), type_="unique")
        batch.drop_constraint(op.f(LENGTH), type_="check")
        batch.drop_column("value_hash")
        batch.create_unique_constraint(op.f(OLD), ["topic_id", "kind", "value"])
    op.drop_table("sign_up")
