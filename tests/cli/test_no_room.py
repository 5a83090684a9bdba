"""A disk that is full or read-only, and a database of a newer version: a line, and nothing lost."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter.core import database
from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import FetchLog, FetchStatus
from tests.support import factories
from tests.support.command import Newsletter, dump

MEGABYTES = 12
READER = "ada@x.example"
# Each command, and whether it writes: only those need room.
COMMANDS = {
    "broadcast": (("broadcast", "--subject", "News", "--file", "text.md"), True),
    "prune": (("prune", "--keep-days", "1"), True),
    "import --update": (("subscribers", "import", "--update", "people.csv"), True),
    "db backup": (("db", "backup", "disk/copy.db"), True),
    "db copy": (("db", "copy", "sqlite:///disk/other.db"), True),
    "operator-link": (("operator-link",), True),
    "forecast": (("forecast",), False),
    "test-send": (("test-send", "me@x.example", "--as", READER), False),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(options, capture_output=True, check=False).returncode:
        pytest.skip("a disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def site_on(folder: Path, tmp_path: Path, migrated_file: Path) -> tuple[Engine, Newsletter]:
    """A database in ``folder`` with a reader, a digest, old logs, and the files that are named."""
    (folder / "newsletter.db").write_bytes(migrated_file.read_bytes())
    engine = database.connect(f"sqlite:///{folder / 'newsletter.db'}")
    with session_scope(engine) as session:
        old = utc_now() - timedelta(days=200)
        session.add(FetchLog(source="hf", started_at=old, status=FetchStatus.OK))
        edition = factories.make_edition(session)
        reader = factories.make_subscriber(session, READER)
        factories.make_digest(session, edition, reader, [factories.make_paper(session)])
    engine.dispose()
    (tmp_path / "text.md").write_text("Hello.\n")
    (tmp_path / "people.csv").write_text(f"email,name\n{READER},Augusta\n")
    return engine, Newsletter(engine, tmp_path, SMTP_URL="smtp://127.0.0.1:1")


def fill_up(folder: Path) -> Path:
    """Leave no free block on the disk."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert os.statvfs(folder).f_bavail == 0
    return path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_one_line_and_loses_nothing(
    name: str, disk: Path, tmp_path: Path, migrated_file: Path
) -> None:
    engine, newsletter = site_on(disk, tmp_path, migrated_file)
    before = dump(engine)
    engine.dispose()
    ballast = fill_up(disk)
    arguments, writes = COMMANDS[name]
    code, _, told = newsletter.run(*arguments)
    if writes:
        assert code in {2, 3}, told
        assert len(told.splitlines()) == 1, told
        assert any(word in told for word in ("full", "No space left", "disk I/O")), told
    ballast.unlink()
    assert dump(engine) == before
    assert not list(disk.glob("copy.db*")), "half a backup is no backup"
    if writes:
        again = newsletter.run(*arguments, *(["--resume"] if name == "db copy" else []))
        assert again[0] in {0, 4}, again  # 4: the relay of this test is out of reach
    engine.dispose()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_read_only_disk_is_one_line_and_loses_nothing(
    name: str, disk: Path, tmp_path: Path, migrated_file: Path
) -> None:
    _, newsletter = site_on(disk, tmp_path, migrated_file)
    before = (disk / "newsletter.db").read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    arguments, _ = COMMANDS[name]
    code, _, told = newsletter.run(*arguments)
    assert (code, len(told.splitlines())) == (2, 1), told
    assert "read-only" in told.lower() or "unable to open" in told, told
    assert (disk / "newsletter.db").read_bytes() == before


@pytest.mark.parametrize("name", COMMANDS)
def test_a_database_of_a_newer_version_is_left_alone(
    name: str, tmp_path: Path, migrated_file: Path
) -> None:
    (tmp_path / "disk").mkdir()
    engine, newsletter = site_on(tmp_path / "disk", tmp_path, migrated_file)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    before = dump(engine)
    code, said, told = newsletter.run(*COMMANDS[name][0])
    assert (code, said) == (2, "")
    assert told.startswith("error: the database is at revision 9999, newer than this program's")
    assert dump(engine) == before
    assert [path.name for path in (tmp_path / "disk").glob("*.db")] == ["newsletter.db"]
    engine.dispose()
