"""trials compare two recipes for ordering papers, in everybody's digests

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa

from alembic import op
from newsletter.core.database import UtcDateTime

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

MOMENT = UtcDateTime(timezone=True)


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=16)


OUTCOME = _one_of("trialoutcome", "better", "worse", "no_difference", "stopped")
TEAM = _one_of("team", "control", "challenger")
ENDED = "(is_running IS NULL) = (outcome IS NOT NULL) AND (outcome IS NULL) = (ended_at IS NULL)"


def upgrade() -> None:
    op.create_table(
        "trial",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("control", sa.String(40), nullable=False),
        sa.Column("challenger", sa.String(40), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("margin", sa.Float(), nullable=False),
        sa.Column("is_running", sa.Boolean(), nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("outcome", OUTCOME, nullable=True),
        sa.Column("figures", sa.JSON(), nullable=True),
        sa.CheckConstraint("control <> challenger", name=op.f("ck_trial_two_recipes")),
        sa.CheckConstraint("days BETWEEN 1 AND 365", name=op.f("ck_trial_days")),
        sa.CheckConstraint("margin > 0 AND margin < 1", name=op.f("ck_trial_margin")),
        sa.CheckConstraint(
            "is_running IS NULL OR is_running", name=op.f("ck_trial_running_or_null")
        ),
        sa.CheckConstraint(ENDED, name=op.f("ck_trial_ended_with_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trial")),
        sa.UniqueConstraint("is_running", name=op.f("uq_trial_is_running")),
    )
    op.create_table(
        "recipe_choice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recipe", sa.String(40), nullable=False),
        sa.Column("trial_id", sa.Integer(), nullable=True),
        sa.Column("chosen_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["trial.id"],
            name=op.f("fk_recipe_choice_trial_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipe_choice")),
    )
    op.create_index(op.f("ix_recipe_choice_trial_id"), "recipe_choice", ["trial_id"])
    with op.batch_alter_table("edition") as batch:
        batch.add_column(
            sa.Column("recipe", sa.String(40), nullable=False, server_default="standard")
        )
        batch.add_column(sa.Column("trial_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(
            op.f("fk_edition_trial_id"), "trial", ["trial_id"], ["id"], ondelete="SET NULL"
        )
    op.create_index(op.f("ix_edition_trial_id"), "edition", ["trial_id"])
    with op.batch_alter_table("digest_item") as batch:
        batch.add_column(sa.Column("team", TEAM, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("digest_item") as batch:
        batch.drop_constraint(op.f("ck_digest_item_team"), type_="check")
        batch.drop_column("team")
    op.drop_index(op.f("ix_edition_trial_id"), "edition")
    with op.batch_alter_table("edition") as batch:
        batch.drop_constraint(op.f("fk_edition_trial_id"), type_="foreignkey")
        batch.drop_column("trial_id")
        batch.drop_column("recipe")
    op.drop_table("recipe_choice")
    op.drop_table("trial")
