"""Runs migrations on the engine that newsletter.db hands over."""

from sqlmodel import SQLModel

import newsletter.models  # noqa: F401  (registers every table)
from alembic import context


def include_object(
    _object: object, name: str | None, _type: str, reflected: bool, _compare_to: object
) -> bool:
    """What the search migration keeps beside the models is not a difference to them."""
    return not (
        reflected
        and name
        and name.startswith(("paper_search", "search_document", "ix_paper_search"))
    )


engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        compare_type=True,
        include_object=include_object,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
