"""What others on the machine may read, and whom the site believes; files of ours are private."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from newsletter.core import database
from newsletter.core.config import Settings
from newsletter.core.secrets import create_private, write_private
from newsletter.demo import scenario
from newsletter.sending.doctor.exposure import private_files, trusted_proxies
from newsletter.sending.doctor.findings import Level
from newsletter.sending.doctor.run import examine
from tests.support.command import Newsletter


@pytest.fixture(autouse=True)
def _generous_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose files are everybody's unless a program says otherwise."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_database_and_its_companions_are_the_owners(tmp_path: Path) -> None:
    engine = database.connect(f"sqlite:///{tmp_path / 'n.db'}")
    database.upgrade(engine)
    with database.session_scope(engine) as session:
        session.connection().exec_driver_sql("CREATE TABLE x (y INTEGER)")
        made = sorted(tmp_path.glob("n.db*"))
        assert [path.name for path in made] == ["n.db", "n.db-shm", "n.db-wal"]
        assert {mode(path) for path in made} == {0o600}


def test_what_commands_write_about_readers_is_the_owners(tmp_path: Path) -> None:
    engine = database.connect(f"sqlite:///{tmp_path / 'n.db'}")
    newsletter = Newsletter(engine, tmp_path, POSTAL_ADDRESS="1 Street")
    for command in (
        ("db", "upgrade"),
        ("db", "copy", f"sqlite:///{tmp_path / 'copy.db'}"),
        ("db", "backup", "backup.db"),
        ("dkim", "keygen", "key.pem"),
        ("subscribers", "add", "ada@reader.example", "--confirmed"),
        ("subscribers", "export", "--output", "list.csv"),
    ):
        code, said, complained = newsletter.run(*command)
        assert code == 0, said + complained
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"n.db", "copy.db", "backup.db", "key.pem", "list.csv"}
    assert {path.name: mode(path) for path in files if mode(path) != 0o600} == {}


def test_the_demos_settings_are_the_owners_even_when_they_are_written_again(tmp_path: Path) -> None:
    for _ in range(2):
        scenario.make_settings(tmp_path, port=1, smtp_port=2)
        assert mode(tmp_path / "newsletter.toml") == 0o600


def test_a_file_that_exists_keeps_what_its_owner_chose(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    write_private(path, b"one")
    assert (mode(path), path.read_bytes()) == (0o600, b"one")
    path.chmod(0o640)
    create_private(path)
    write_private(path, b"2")
    assert (mode(path), path.read_bytes()) == (0o640, b"2")


def test_a_database_in_memory_or_of_a_server_is_no_file(tmp_path: Path) -> None:
    urls = ("sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true")
    for url in (*urls, "postgresql://user@host/name"):
        assert database.file_of(make_url(url)) is None
    database.upgrade(database.connect("sqlite://"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["n.db", "n.db-wal", "newsletter.toml", "one.pem", "two 2.pem"])
@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o620, 0o602])
def test_the_doctor_names_what_others_may_read_and_the_cure(
    tmp_path: Path, name: str, open_to: int
) -> None:
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'n.db'}",
        dkim_key_file=tmp_path / "one.pem",
        dkim_ed25519_key_file=tmp_path / "two 2.pem",
    )
    for each in ("n.db", "n.db-wal", "one.pem", "two 2.pem"):
        write_private(tmp_path / each, b"")
    write_private(tmp_path / "newsletter.toml", b"")
    assert [finding.level for finding in private_files(settings)] == [Level.OK]
    (tmp_path / name).chmod(open_to)
    [found] = private_files(settings)
    assert found.level is Level.WARNING
    assert name in found.what
    assert os.system(found.fix) == 0
    assert [finding.level for finding in private_files(settings)] == [Level.OK]


def test_the_doctor_speaks_of_no_file_that_is_missing() -> None:
    [found] = private_files(Settings(dkim_key_file=Path("missing.pem")))
    assert found.level is Level.OK


@pytest.mark.parametrize(
    ("base_url", "trusted", "said"),
    [
        ("https://papers.example", "", "share one limit"),
        ("https://papers.example", " , ", "share one limit"),
        ("https://papers.example", "*", "choose the address"),
        ("https://papers.example", "127.0.0.1, proxy.internal", "'proxy.internal'"),
        ("http://127.0.0.1:8000", "127.0.0.l", "'127.0.0.l'"),
    ],
)
def test_a_proxy_that_is_not_trusted_or_everybody_is_found(
    base_url: str, trusted: str, said: str
) -> None:
    settings = Settings(base_url=base_url, trusted_proxies=trusted)
    web = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200)))
    [found] = [each for each in examine(settings, client=web) if each.check == "proxy"]
    assert found.level is Level.WARNING
    assert said in found.what
    assert "NEWSLETTER_TRUSTED_PROXIES" in found.fix


@pytest.mark.parametrize(
    ("base_url", "trusted"),
    [
        ("https://papers.example", "127.0.0.1"),
        ("https://papers.example", "10.0.0.0/8, ::1"),
        ("http://127.0.0.1:8000", ""),
    ],
)
def test_a_proxy_that_is_trusted_or_not_needed_is_fine(base_url: str, trusted: str) -> None:
    assert list(trusted_proxies(Settings(base_url=base_url, trusted_proxies=trusted))) == []
