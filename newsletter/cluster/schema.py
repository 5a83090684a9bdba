"""The queue's own tables: which version they have, and bringing them to the installed one.

The queue keeps no version of its schema in the database; a comment on its main table does. The
version is the name of the newest migration that the installed package has.
"""

from pathlib import Path

import procrastinate
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, Engine, text

from newsletter.core.errors import DatabaseError

_MARK = "schema "
# Two commands that upgrade at once: the second waits, and finds nothing to do. Any number.
_TURN = 0x7175657565


def installed_version() -> str:
    """The version of the tables that the installed package works with."""
    return _migrations()[-1].stem


def _migrations() -> list[Path]:
    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def version(connection: Connection) -> str | None:
    """The version of the tables there are; None without tables, "" where nothing tells it."""
    if not connection.scalar(text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")):
        return None
    comment = connection.scalar(text("SELECT obj_description('procrastinate_jobs'::regclass)"))
    return str(comment).removeprefix(_MARK) if str(comment or "").startswith(_MARK) else ""


def require_current(engine: Engine) -> None:
    """Check that the queue's tables are those of the installed package.

    Raises:
        DatabaseError: they are not; the line says what mends it.
    """
    with engine.connect() as connection:
        found = version(connection)
    wanted = installed_version()
    if found == wanted:
        return
    if found is None:
        raise DatabaseError("the queue has no tables yet: run `newsletter db upgrade`")
    if not found or found > wanted:
        raise _other_version(found)
    raise DatabaseError(
        f"the queue's tables are of version {found}, not {wanted}: run `newsletter db upgrade`"
    )


def _other_version(found: str) -> DatabaseError:
    if not found:
        return DatabaseError(
            "the queue's tables were not made by `newsletter db upgrade`, so their version is not "
            "known: drop them (they hold no mail), then run `newsletter db upgrade`"
        )
    return DatabaseError(
        f"the queue's tables are of version {found}, which procrastinate "
        f"{procrastinate.__version__} does not know: install a newer one"
    )


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Make the queue's tables, or migrate them; returns the versions before and after.

    All in one transaction. Stop the workers first, as for any upgrade.

    Raises:
        DatabaseError: the tables are of an unknown or newer version.
    """
    wanted = installed_version()
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
        before = version(connection)
        if before == wanted:
            return before, wanted
        if before is None:
            scripts = [SchemaManager.get_schema()]
        elif not before or before > wanted:
            raise _other_version(before)
        else:
            scripts = [path.read_text("utf-8") for path in _migrations() if path.stem > before]
        for script in scripts:
            connection.connection.cursor().execute(script)
        # The name of a file of the package: no stranger's text.
        connection.exec_driver_sql(f"COMMENT ON TABLE procrastinate_jobs IS '{_MARK}{wanted}'")
    return before, wanted
