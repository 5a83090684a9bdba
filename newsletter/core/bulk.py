"""Many rows into one table: COPY on PostgreSQL, an INSERT of many rows elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Table, insert, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session


def insert_rows(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``rows``, which all have the same columns; the others take their defaults.

    Raises:
        IntegrityError: the database refuses one of them, and so takes none.
    """
    if not rows:
        return
    if session.get_bind().dialect.name == "postgresql":
        _copy(session, table, rows)
    else:
        session.connection().execute(insert(table), [dict(row) for row in rows])


def new_ids(session: Session, table: Table, count: int) -> list[int] | None:
    """Ids for ``count`` rows to come, which COPY cannot tell; None where the database gives them.

    Ids that no row takes in the end leave gaps, like those of a transaction that is rolled back.
    """
    if session.get_bind().dialect.name != "postgresql":
        return None
    query = text(
        "SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)"
    )
    return list(session.connection().scalars(query, {"name": table.name, "count": count}))


def _copy(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    connection = session.connection()
    dialect: Any = connection.dialect
    given = rows[0].keys()
    columns = [column for column in table.c if column.name in given or column.default is not None]
    values = [_reader(column, dialect, is_given=column.name in given) for column in columns]
    quoted = ", ".join(dialect.identifier_preparer.quote(column.name) for column in columns)
    statement = f"COPY {dialect.identifier_preparer.format_table(table)} ({quoted}) FROM STDIN"
    driver: Any = connection.connection.dbapi_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([value(row) for value in values])
    except dialect.loaded_dbapi.Error as error:
        # As SQLAlchemy wraps the errors of its own statements.
        raise DBAPIError.instance(
            statement, None, error, dialect.loaded_dbapi.Error, hide_parameters=True
        ) from error


def _reader(
    column: "Column[Any]", dialect: Any, *, is_given: bool
) -> Callable[[Mapping[str, Any]], Any]:
    """How a row's value for ``column`` becomes what the driver takes."""
    kind: Any = column.type.dialect_impl(dialect)
    process: Callable[[Any], Any] = kind.bind_processor(dialect) or (lambda value: value)
    name: str = column.name
    default: Any = column.default
    if is_given:
        return lambda row: process(row[name])
    if default is not None and default.is_callable:
        return lambda row: process(default.arg(None))
    constant = process(getattr(default, "arg", None))
    return lambda row: constant
