"""Runs migrations on the engine that newsletter.db hands over."""

from sqlmodel import SQLModel

import newsletter.models  # noqa: F401  (registers every table)
from alembic import context

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
