"""the ORCIDs of authors, from sources that tell them

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "author_orcid",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("orcid", sa.String(length=19), nullable=False),
        sa.ForeignKeyConstraint(
            ["paper_id"],
            ["paper.id"],
            name=op.f("fk_author_orcid_paper_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author_orcid")),
        sa.UniqueConstraint("paper_id", "orcid", name=op.f("uq_author_orcid_paper_id_orcid")),
    )
    op.create_index(op.f("ix_author_orcid_orcid"), "author_orcid", ["orcid"])


def downgrade() -> None:
    op.drop_table("author_orcid")
