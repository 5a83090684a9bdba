"""The database: engine, sessions, UTC times, and what SQLite must be told on every connection."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import URL, DateTime, Dialect, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import Pool
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, SQLModel

from newsletter.core.config import bundled
from newsletter.core.errors import DatabaseError
from newsletter.core.secrets import create_private

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig
    from sqlalchemy.dialects import postgresql, sqlite

# How long a writer waits for another before "database is locked". A commit group takes
# milliseconds; ten seconds is only reached when a backup or another program holds the file.
BUSY_SECONDS = 10
# A PostgreSQL server that a network cut off would be waited for a quarter of an hour: seconds until
# a connection is given up, milliseconds until data that nobody acknowledges is.
# A writer that says nothing for so long was cut off; the server takes back what it has locked.
LOST_SECONDS = 60
PATIENCE = {"connect_timeout": 10, "tcp_user_timeout": 30_000}


_EXAMPLES = "examples: sqlite:///newsletter.db, postgresql://user@host/name"


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC. Naive values are refused: they would mean another time elsewhere."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store: check that the time is aware, convert to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime refused: {value.isoformat()}")
        value = value.astimezone(UTC)
        # SQLite keeps text; without the offset, text order is time order.
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Load: attach UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def connect(
    url: str, *, synchronous: str = "NORMAL", name: str = "NEWSLETTER_DATABASE_URL"
) -> Engine:
    """An engine for ``url``; ``name`` is what errors call it.

    SQLite runs in WAL mode with foreign keys on. With ``synchronous`` NORMAL a power cut may lose
    the last commits but never corrupts, and a killed process loses nothing; with FULL a power cut
    loses nothing either, for a tenth of a millisecond a commit and what the disk takes to sync.

    Raises:
        DatabaseError: the URL cannot be read, or names a driver that is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgres", "postgresql"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
            raise DatabaseError(f"{name}: only SQLite and PostgreSQL can be used; {_EXAMPLES}")
        parsed, options = _driver_options(parsed, name)
        engine = create_engine(
            parsed,
            connect_args=options,
            pool_pre_ping=parsed.get_backend_name() != "sqlite",
            # Errors of statements are logged; addresses in them are not.
            hide_parameters=True,
            # Names in JSON columns stay readable, and findable by full text search.
            # One encoder: `json.dumps` would make one for each of a hundred thousand values.
            json_serializer=json.JSONEncoder(ensure_ascii=False).encode,
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise DatabaseError(f"{name} is not a URL of a database; {_EXAMPLES}") from error
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"{name} needs the package {error.name!r}: pip install 'newsletter[postgres]'"
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_prepare_sqlite, synchronous))
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _driver_options(url: URL, name: str) -> tuple[URL, dict[str, Any]]:
    """What PostgreSQL's driver is told beside the URL; options of the URL win.

    Raises:
        DatabaseError: the URL's ``prepare_threshold`` is not a number or ``none``.
    """
    if url.get_backend_name() != "postgresql":
        return url, {}
    options: dict[str, Any] = {
        name: value for name, value in PATIENCE.items() if name not in url.query
    }
    if "prepare_threshold" in url.query:
        given = str(url.query["prepare_threshold"]).lower()
        if given != "none" and not given.isdigit():
            raise DatabaseError(f"{name}: prepare_threshold={given} is not a number or none")
        options["prepare_threshold"] = None if given == "none" else int(given)
        url = url.difference_update_query(["prepare_threshold"])
    return url, options


def _prepare_sqlite(synchronous: str, connection: Any, _record: Any) -> None:
    # The driver would commit on its own; _begin_sqlite starts transactions instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute(f"PRAGMA synchronous = {synchronous}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A transaction that reads first and writes later fails at once when another wrote in
    # between (SQLITE_BUSY_SNAPSHOT), whatever the time-out; IMMEDIATE waits its turn instead.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def session_scope(engine: Engine) -> Iterator[Session]:
    """One transaction that may write: committed at the end, rolled back if anything is raised."""
    writer = engine.execution_options(writes=True)
    with _turn(engine), Session(writer, expire_on_commit=False) as session, session.begin():
        if engine.dialect.name == "postgresql":
            # Here and not on connecting: behind a pooler a session is not ours, and a reader that
            # computes for minutes holds up nobody.
            session.connection().exec_driver_sql(
                f"SET LOCAL idle_in_transaction_session_timeout = '{LOST_SECONDS}s'"
            )
        yield session


@contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    """Let one thread write at a time, on SQLite.

    SQLite's own waiting sleeps longer and longer: eight threads that write at once wait for
    one another most of the time. Other processes are left to it.
    """
    if engine.dialect.name != "sqlite":
        yield
        return
    lock = _turns.setdefault(engine.pool, RLock())
    ours = lock.acquire(timeout=BUSY_SECONDS)
    try:
        yield
    finally:
        if ours:
            lock.release()


_turns: WeakKeyDictionary[Pool, RLock] = WeakKeyDictionary()


def keep_pages(session: Session) -> None:
    """Let SQLite keep 16 MB of this connection's file in memory, not 2, for very many new rows.

    Each goes into several indexes, whose pages are then not read and written again and again:
    .148 ms a digest of ten papers against .170, for a hundred thousand.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.connection().exec_driver_sql("PRAGMA cache_size = -16000")


@contextmanager
def trial_scope(engine: Engine) -> Iterator[Session]:
    """A transaction to try writes out: always rolled back."""
    writer = engine.execution_options(writes=True)
    with _turn(engine), Session(writer, expire_on_commit=False) as session:
        yield session


@contextmanager
def read_scope(engine: Engine) -> Iterator[Session]:
    """One consistent view for reading; on SQLite it holds up no writer."""
    with Session(engine, expire_on_commit=False) as session:
        yield session


def upsert(session: Session, table: str) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT into ``table`` that takes ON CONFLICT, which SQL leaves to each database."""
    # Only one is imported: PostgreSQL's takes a twentieth of the time that a command starts in.
    dialect = import_module(f"sqlalchemy.dialects.{session.get_bind().dialect.name}")
    insert = dialect.insert(SQLModel.metadata.tables[table])
    return cast("sqlite.Insert | postgresql.Insert", insert)


def alembic_config(engine: Engine) -> "AlembicConfig":
    """Alembic, pointed at our migrations and this database."""
    from alembic.config import Config  # noqa: PLC0415  (see `head`)

    config = Config()
    config.set_main_option("script_location", str(bundled("alembic")).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring the tables to this version's; returns the revisions before and after.

    Raises:
        DatabaseError: the database cannot be opened.
    """
    from alembic import command  # noqa: PLC0415  (see `head`)

    path = file_of(engine.url)
    if path is not None:
        create_private(path)  # SQLite's other files take over the permissions of this one
    before = revision(engine)
    command.upgrade(alembic_config(engine), "head")
    return before, head()


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database; None where it is in memory, or a server's."""
    name = url.database or ""
    is_file = url.get_backend_name() == "sqlite" and name not in {"", ":memory:"}
    return Path(name) if is_file and not name.startswith("file:") else None


def head() -> str:
    """The newest revision that this version knows: the one that no other follows.

    Every command asks for it, so the migrations are read as text: importing Alembic and
    running them takes a third as long as all else that `newsletter status` does.
    """
    texts = [path.read_text("utf-8") for path in bundled("alembic").glob("versions/*.py")]
    known, followed = (
        {name for text in texts for name in re.findall(rf"^{variable} = [\"'](\w+)", text, re.M)}
        for variable in ("revision", "down_revision")
    )
    [newest] = known - followed
    return str(newest)


def revision(engine: Engine) -> str | None:
    """The revision the database is at; None when it has no tables of ours.

    Raises:
        DatabaseError: the database cannot be opened.
    """
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except DBAPIError as error:
        shown = engine.url.render_as_string(hide_password=True)
        why = " ".join(str(error.orig).split())
        raise DatabaseError(f"cannot open the database {shown}: {why}") from error


def require_known(engine: Engine) -> str:
    """Check that the tables are those of this version or an earlier one; returns their revision.

    Raises:
        DatabaseError: they are not; the line says what mends it.
    """
    path = file_of(engine.url)
    if path is not None and not path.exists():
        raise DatabaseError(
            f"no database at {path.absolute()}: run `newsletter db upgrade`, or check that "
            "this is the right folder with the right settings"
        )
    found, wanted = revision(engine), head()
    if found is None:
        raise DatabaseError("the database has no tables yet: run `newsletter db upgrade`")
    if found > wanted:
        raise DatabaseError(
            f"the database is at revision {found}, newer than this program's {wanted}: "
            "install the version of newsletter that wrote it"
        )
    return found


def require_current(engine: Engine) -> None:
    """Check that the tables are those of this version.

    Raises:
        DatabaseError: they are not; the line says which command mends it.
    """
    found, wanted = require_known(engine), head()
    if found != wanted:
        raise DatabaseError(
            f"the database is at revision {found}, not {wanted}: run `newsletter db upgrade`"
        )
