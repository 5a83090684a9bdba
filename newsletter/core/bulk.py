"""Many rows into one table: COPY on PostgreSQL, an INSERT of many rows elsewhere."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from sqlalchemy import Column, Table, insert, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session


def insert_rows(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``rows``, which all have the same columns; the others take their defaults.

    Raises:
        IntegrityError: the database refuses one of them, and so takes none.
    """
    if rows:
        insert_columns(session, table, {name: [row[name] for row in rows] for name in rows[0]})


def insert_columns(
    session: Session,
    table: Table,
    given: Mapping[str, Sequence[Any]],
    *,
    encoded: Set[str] = frozenset(),
) -> None:
    """Write rows of which ``given`` holds the values by column; the others take their defaults.

    Of the columns in ``encoded`` it holds what the database stores, such as JSON as text. Takes
    half the time of SQLAlchemy's own INSERT, which converts value by value (bench-prepare).

    Raises:
        IntegrityError: the database refuses one of them, and so takes none.
    """
    count = len(next(iter(given.values()), ()))
    if not count:
        return
    dialect: Any = session.connection().dialect
    columns = [column for column in table.c if column.name in given or column.default is not None]
    rows = zip(
        *(
            given[column.name] if column.name in encoded else _values(column, dialect, given, count)
            for column in columns
        ),
        strict=True,
    )
    names = [column.name for column in columns]
    if dialect.name == "postgresql":
        quoted = ", ".join(map(dialect.identifier_preparer.quote, names))
        name = dialect.identifier_preparer.format_table(table)
        _copy(session, f"COPY {name} ({quoted}) FROM STDIN", rows)
    else:
        statement = insert(table).compile(dialect=dialect, column_keys=names)
        session.connection().exec_driver_sql(str(statement), list(rows))


def new_ids(session: Session, table: Table, count: int) -> list[int]:
    """Ids for ``count`` rows that this transaction is about to write, of which none was ever given.

    On SQLite the table must have `IDS_USED_ONCE`.

    Ids that no row takes in the end leave gaps, like those of a transaction that is rolled back.
    """
    if session.get_bind().dialect.name != "postgresql":
        # As SQLite itself numbers them (www.sqlite.org/autoinc.html); nobody else writes before
        # this transaction ends.
        used = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        last = session.connection().scalar(used, {"name": table.name}) or 0
        return list(range(last + 1, last + count + 1))
    query = text(
        "SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)"
    )
    return list(session.connection().scalars(query, {"name": table.name, "count": count}))


def _copy(session: Session, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    connection = session.connection()
    dialect: Any = connection.dialect
    driver: Any = connection.connection.dbapi_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except dialect.loaded_dbapi.Error as error:
        # As SQLAlchemy wraps the errors of its own statements.
        raise DBAPIError.instance(
            statement, None, error, dialect.loaded_dbapi.Error, hide_parameters=True
        ) from error


def _values(
    column: "Column[Any]", dialect: Any, given: Mapping[str, Sequence[Any]], count: int
) -> Sequence[Any]:
    """What the driver takes for ``column``, of each of ``count`` rows."""
    kind: Any = column.type.dialect_impl(dialect)
    process: Callable[[Any], Any] | None = kind.bind_processor(dialect)
    default: Any = column.default
    if column.name in given:
        values = given[column.name]
    elif default.is_callable:
        values = [default.arg(None) for _ in range(count)]
    else:
        values = [default.arg] * count
    if process is None:
        return values
    # Labels, moments and lists are mostly the same few objects: each is converted once.
    different = dict(zip(map(id, values), values, strict=True))
    converted = {key: process(value) for key, value in different.items()}
    return list(map(converted.__getitem__, map(id, values)))
