"""claims follow the index of unfinished rows alone, however many finished ones lie before them

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INDEX = "ix_delivery_unfinished"
UNFINISHED = sa.text("status IN ('queued', 'sending', 'deferred', 'uncertain')")
COLUMNS = ["edition_id", "broadcast_id", "not_before"]


def upgrade() -> None:
    _index([*COLUMNS, "id"])


def downgrade() -> None:
    _index(COLUMNS)


def _index(columns: list[str]) -> None:
    op.drop_index(INDEX, "delivery")
    op.create_index(
        INDEX, "delivery", columns, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED
    )
