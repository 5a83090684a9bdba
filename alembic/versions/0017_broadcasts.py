"""broadcasts: a message of the operator's, to each subscriber once

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic.operations import BatchOperations

from alembic import op
from newsletter.core.database import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INDEX = "ix_delivery_unfinished"
UNFINISHED = sa.text("status IN ('queued', 'sending', 'deferred', 'uncertain')")
STATUSES = ("draft", "ready", "sending", "paused", "sent", "cancelled")
KINDS = ("digest", "confirmation", "account_link")


def upgrade() -> None:
    op.create_table(
        "broadcast",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", _words(STATUSES, "editionstatus"), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("opened_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcast")),
        sa.UniqueConstraint("issue_date", "number", name=op.f("uq_broadcast_issue_date_number")),
        sa.UniqueConstraint(
            "issue_date", "fingerprint", name=op.f("uq_broadcast_issue_date_fingerprint")
        ),
    )
    op.drop_index(INDEX, "delivery")
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(sa.Column("broadcast_id", sa.Integer(), nullable=True))
        _take_kinds(batch, (*KINDS, "broadcast"))
        batch.create_foreign_key(
            op.f("fk_delivery_broadcast_id"), "broadcast", ["broadcast_id"], ["id"]
        )
        batch.create_unique_constraint(
            op.f("uq_delivery_broadcast_id_subscriber_id"), ["broadcast_id", "subscriber_id"]
        )
        batch.create_check_constraint(
            "broadcast_has_text", "(kind = 'broadcast') = (broadcast_id IS NOT NULL)"
        )
    _index(["edition_id", "broadcast_id", "not_before"])


def downgrade() -> None:
    op.execute("DELETE FROM delivery WHERE kind = 'broadcast'")
    op.drop_index(INDEX, "delivery")
    with op.batch_alter_table("delivery") as batch:
        batch.drop_constraint(op.f("ck_delivery_broadcast_has_text"), type_="check")
        batch.drop_constraint(op.f("uq_delivery_broadcast_id_subscriber_id"), type_="unique")
        batch.drop_constraint(op.f("fk_delivery_broadcast_id"), type_="foreignkey")
        _take_kinds(batch, KINDS)
        batch.drop_column("broadcast_id")
    _index(["edition_id", "not_before"])
    op.drop_table("broadcast")


def _words(allowed: tuple[str, ...], name: str) -> sa.Enum:
    return sa.Enum(*allowed, name=name, native_enum=False, create_constraint=True, length=16)


def _take_kinds(batch: BatchOperations, allowed: tuple[str, ...]) -> None:
    words = ", ".join(f"'{word}'" for word in allowed)
    batch.drop_constraint(op.f("ck_delivery_deliverykind"), type_="check")
    batch.create_check_constraint("deliverykind", f"kind IN ({words})")


def _index(columns: list[str]) -> None:
    op.create_index(
        INDEX, "delivery", columns, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED
    )
