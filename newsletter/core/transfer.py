"""A database as a whole: a safe copy while it is in use, and all rows to another database."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Integer, Table, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

from newsletter.core.errors import DatabaseError, UsageError

# Rows per transaction: another writer of a SQLite target waits for one of these.
BATCH = 1_000
# SQLite pages per step of a backup: writers get their turn in between.
PAGES = 1_000

Progress = Callable[[int, int], None]


def backup(engine: Engine, target: Path, *, replace: bool = False) -> int:
    """Copy a SQLite database in use to a file that only its owner can read; returns its bytes.

    The copy is checked, and takes its name only when it is whole.

    Raises:
        UsageError: the database is not SQLite, or ``target`` exists or cannot be written.
        DatabaseError: the copy is damaged.
    """
    if engine.dialect.name != "sqlite":
        shown = engine.url.set(drivername="postgresql").render_as_string(hide_password=True)
        raise UsageError(
            f"use PostgreSQL's own program: pg_dump --format=custom --file={target} {shown}"
        )
    if target.exists() and not replace:
        raise UsageError(f"{target} exists: choose another file, or use --force to replace it")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with (
            closing(sqlite3.connect(str(engine.url.database))) as source,
            closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy, pages=PAGES, sleep=0.01)
            # One file is easier to keep than three; what opens it for use switches WAL on.
            copy.execute("PRAGMA journal_mode = DELETE")
            [(verdict,)] = copy.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise DatabaseError(f"the copy is damaged ({verdict}), so it was not kept")
        part.replace(target)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise UsageError(f"cannot write {target}: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


@dataclass(frozen=True, slots=True)
class Compared:
    """One table after a copy: rows on both sides, and whether their contents are the same."""

    table: str
    source: int
    target: int
    same: bool


def copy(
    source: Engine, target: Engine, *, resume: bool = False, progress: Progress | None = None
) -> list[Compared]:
    """Copy every row to a migrated database, and compare both sides.

    The source is read in one view, as of the start. A copy that was broken off goes on with
    ``resume``.

    Raises:
        UsageError: both are one database, or the target holds rows and ``resume`` is not given.
    """
    if source.url == target.url:
        raise UsageError("source and target are the same database")
    tables = SQLModel.metadata.sorted_tables
    with _view(source) as reading, target.connect() as writing:
        total = sum(_count(reading, table) for table in tables)
        held = sum(_count(writing, table) for table in tables)
        writing.rollback()
        if held and not resume:
            raise UsageError(
                f"the target already contains {held} rows: name an empty database; --resume "
                "continues an interrupted copy"
            )
        done = 0
        for table in tables:
            for rows in _batches(reading, table, _last_id(writing, table)):
                _write(writing, table, rows)
                done += len(rows)
                if progress:
                    progress(min(done + held, total), total)
        _never_give_again(reading, writing)
        return [_compare(reading, writing, table) for table in tables]


@contextmanager
def _view(engine: Engine) -> Iterator[Connection]:
    """One consistent view of all tables, for as long as it takes."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        yield connection


def _count(connection: Connection, table: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def _last_id(connection: Connection, table: Table) -> int | None:
    """The highest id that is there; None where rows have no single number."""
    [*keys] = table.primary_key.columns
    if len(keys) != 1 or not isinstance(keys[0].type, Integer) or keys[0].foreign_keys:
        return None
    found = connection.scalar(select(func.max(keys[0])))
    connection.rollback()
    return int(found or 0)


def _batches(
    connection: Connection, table: Table, after: int | None = None
) -> Iterator[list[dict[str, Any]]]:
    keys = list(table.primary_key.columns)
    query = select(table).order_by(*keys)
    if after is not None:
        query = query.where(keys[0] > after)
    result = connection.execution_options(yield_per=BATCH).execute(query)
    for rows in result.mappings().partitions(BATCH):
        yield [dict(row) for row in rows]


def _write(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    new = (sqlite.insert if is_sqlite else postgresql.insert)(table).on_conflict_do_nothing()
    connection.execute(new, rows)
    connection.commit()


def _never_give_again(reading: Connection, writing: Connection) -> None:
    """Number new rows on from the highest id that either database ever gave, also to rows now gone.

    PostgreSQL's sequences do not follow rows that come with ids of their own.
    """
    for table in SQLModel.metadata.sorted_tables:
        last = _last_id(writing, table)
        if last is None:
            continue
        highest = max(last, _highest_given(reading, table), _highest_given(writing, table))
        values = {"name": table.name, "highest": highest}
        if writing.dialect.name == "postgresql":
            if highest:
                sequence = "pg_get_serial_sequence(:name, 'id')"
                writing.execute(text(f"SELECT setval({sequence}, :highest)"), values)
        elif _is_used_once(table):
            writing.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
            writing.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :highest)"), values)
        writing.commit()


def _highest_given(connection: Connection, table: Table) -> int:
    """The highest id that the database knows to have given; 0 where it keeps no account."""
    if connection.dialect.name == "postgresql":
        query = "SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, 'id')::regclass)"
    elif _is_used_once(table):
        query = "SELECT seq FROM sqlite_sequence WHERE name = :name"
    else:
        return 0
    return int(connection.scalar(text(query), {"name": table.name}) or 0)


def _is_used_once(table: Table) -> bool:
    return bool(table.dialect_options["sqlite"]["autoincrement"])


def _compare(source: Connection, target: Connection, table: Table) -> Compared:
    (before, its_hash), (after, other_hash) = _sum(source, table), _sum(target, table)
    return Compared(table.name, before, after, its_hash == other_hash)


def _sum(connection: Connection, table: Table) -> tuple[int, int]:
    """How many rows, and the sum of their SHA-256 hashes: the same in any order."""
    number = total = 0
    for rows in _batches(connection, table):
        for row in rows:
            written = json.dumps(row, default=_plain, sort_keys=True)
            digest = hashlib.sha256(written.encode()).digest()
            number, total = number + 1, (total + int.from_bytes(digest, "big")) % 2**256
    return number, total


def _plain(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
