"""folders of saved papers

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "folder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_folder_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_folder")),
        sa.UniqueConstraint("subscriber_id", "name", name=op.f("uq_folder_subscriber_id_name")),
    )
    with op.batch_alter_table("feedback") as batch:
        batch.add_column(sa.Column("folder_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(
            op.f("fk_feedback_folder_id"), "folder", ["folder_id"], ["id"], ondelete="SET NULL"
        )
        batch.create_index("ix_feedback_folder_id", ["folder_id"])


def downgrade() -> None:
    with op.batch_alter_table("feedback") as batch:
        batch.drop_index("ix_feedback_folder_id")
        batch.drop_constraint(op.f("fk_feedback_folder_id"), type_="foreignkey")
        batch.drop_column("folder_id")
    op.drop_table("folder")
