"""the index of unfinished deliveries is in the order of claims, and no change of status moves it

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEX = "ix_delivery_unfinished"
UNFINISHED = sa.text("status IN ('queued', 'sending', 'deferred', 'uncertain')")


def upgrade() -> None:
    _replace(["edition_id", "not_before"])


def downgrade() -> None:
    _replace(["edition_id", "status", "not_before"])


def _replace(columns: list[str]) -> None:
    op.drop_index(INDEX, "delivery")
    op.create_index(
        INDEX, "delivery", columns, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED
    )
