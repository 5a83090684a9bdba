"""which papers cite which, where both are known

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def _key(column: str) -> sa.Constraint:
    name = op.f(f"fk_citation_{column}")
    return sa.ForeignKeyConstraint([column], ["paper.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "citation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("cited_id", sa.Integer(), nullable=False),
        _key("paper_id"),
        _key("cited_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_citation")),
        sa.UniqueConstraint("paper_id", "cited_id", name=op.f("uq_citation_paper_id_cited_id")),
    )
    op.create_index(op.f("ix_citation_cited_id"), "citation", ["cited_id"])


def downgrade() -> None:
    op.drop_table("citation")
