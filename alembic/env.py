"""Runs migrations on the engine that newsletter.core.database hands over."""

from sqlalchemy import Connection
from sqlmodel import SQLModel

import newsletter.core.models  # noqa: F401  (registers every table)
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


def keep_foreign_keys(connection: Connection, *, kept: bool) -> None:
    """On SQLite a table is changed by dropping it, and rows that point at its rows would go too.

    SQLite takes this only between transactions, so it goes to the driver, which begins none.
    """
    if connection.dialect.name == "sqlite":
        connection.connection.driver_connection.execute(f"PRAGMA foreign_keys = {int(kept)}")


engine = context.config.attributes["engine"]
with engine.connect() as connection:
    keep_foreign_keys(connection, kept=False)
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
    keep_foreign_keys(connection, kept=True)
