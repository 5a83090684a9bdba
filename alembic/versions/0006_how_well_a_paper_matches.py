"""a digest's paper has a match and a label of its own

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

LABEL = sa.Enum(
    "strong",
    "good",
    "worth a look",
    "none",
    name="label",
    native_enum=False,
    create_constraint=True,
    length=16,
)


def upgrade() -> None:
    with op.batch_alter_table("digest_item") as batch:
        batch.add_column(sa.Column("match", sa.Float(), nullable=True))
        batch.add_column(sa.Column("label", LABEL, nullable=False, server_default="none"))
    # What earlier digests said was a range of the score; opened in a browser they still say it.
    op.execute(
        "UPDATE digest_item SET label = CASE WHEN score >= 75 THEN 'strong' "
        "WHEN score >= 50 THEN 'good' WHEN score > 0 THEN 'worth a look' ELSE 'none' END"
    )
    with op.batch_alter_table("digest_item") as batch:
        batch.alter_column("label", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("digest_item") as batch:
        batch.drop_constraint(batch.f("ck_digest_item_label"), type_="check")
        batch.drop_column("label")
        batch.drop_column("match")
