"""Feature spaces hold plain words and weights, and profiles take half the room.

Both are computed from papers, interests and feedback: the old ones go, and the next `train` or
`prepare` makes new ones.

Revision ID: 0020
Revises: 0019
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

COMPUTED = ("profile", "paper_vector", "feature_space")


def upgrade() -> None:
    _forget()


def downgrade() -> None:
    _forget()


def _forget() -> None:
    for table in COMPUTED:
        op.execute(f"DELETE FROM {table}")  # noqa: S608 (three fixed names)
