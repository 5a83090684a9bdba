"""Runs migrations on the engine that newsletter.core.database hands over."""

from sqlalchemy import Connection, inspect, text
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


def highest_ids(connection: Connection) -> dict[str, int]:
    """The highest id ever given in each table of SQLite that gives none twice."""
    query = "SELECT name, seq FROM sqlite_sequence"
    if connection.dialect.name != "sqlite" or not inspect(connection).has_table("sqlite_sequence"):
        return {}
    return {row.name: row.seq for row in connection.exec_driver_sql(query)}


def never_again(connection: Connection, given: dict[str, int]) -> None:
    """Give none of these ids again: a table that was built anew knows only of rows it has."""
    for name, highest in given.items():
        connection.execute(
            text("UPDATE sqlite_sequence SET seq = :highest WHERE name = :name AND seq < :highest"),
            {"name": name, "highest": highest},
        )


engine = context.config.attributes["engine"]
with engine.connect() as connection:
    keep_foreign_keys(connection, kept=False)
    given = highest_ids(connection)
    connection.rollback()
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        compare_type=True,
        include_object=include_object,
        transaction_per_migration=True,
        # In the migration's own transaction.
        on_version_apply=lambda **_of: never_again(connection, given),
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
    keep_foreign_keys(connection, kept=True)
