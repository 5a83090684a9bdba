"""what became of papers that readers know, and who was told

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa

from alembic import op
from newsletter.core.database import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_KINDS = sa.Enum(
    "retracted",
    "withdrawn",
    "published",
    "revised",
    native_enum=False,
    create_constraint=True,
    length=16,
    name="changekind",
)


def _key(table: str, column: str, target: str, ondelete: str = "CASCADE") -> sa.Constraint:
    name = op.f(f"fk_{table}_{column}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=ondelete)


def upgrade() -> None:
    op.create_table(
        "paper_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("kind", _KINDS, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        _key("paper_change", "paper_id", "paper"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_change")),
        sa.UniqueConstraint(
            "paper_id", "kind", "version", name=op.f("uq_paper_change_paper_id_kind_version")
        ),
    )
    op.create_index("ix_paper_change_at", "paper_change", ["at"])
    op.create_table(
        "digest_news",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        _key("digest_news", "delivery_id", "delivery"),
        _key("digest_news", "subscriber_id", "subscriber"),
        _key("digest_news", "change_id", "paper_change"),
        _key("digest_news", "item_id", "digest_item", "SET NULL"),
        _key("digest_news", "paper_id", "paper"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_news")),
        sa.UniqueConstraint(
            "subscriber_id", "change_id", name=op.f("uq_digest_news_subscriber_id_change_id")
        ),
    )
    for column in ("delivery_id", "change_id", "item_id", "paper_id"):
        op.create_index(op.f(f"ix_digest_news_{column}"), "digest_news", [column])
    op.add_column(
        "subscriber",
        sa.Column("tell_revisions", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    op.drop_column("subscriber", "tell_revisions")
    op.drop_table("digest_news")
    op.drop_table("paper_change")
