"""Backups, copies to another database, and what is removed after a while."""

import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, func, select

from newsletter.core import database, transfer
from newsletter.core.database import session_scope
from newsletter.core.models import Delivery, Paper, Subscriber
from tests.support import factories
from tests.support.command import Newsletter, dump
from tests.support.smtp_sink import running_sink


def fill(engine: Engine, readers: int = 3) -> None:
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        papers = [
            factories.make_paper(session, number, title=f"Über 蛋白质 {number}")
            for number in range(1, 4)
        ]
        for number in range(readers):
            reader = factories.make_subscriber(session, f"reader{number}@x.example")
            factories.make_digest(session, edition, reader, papers)


def test_a_backup_is_whole_private_and_opens_as_a_database(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    fill(sqlite_engine)
    newsletter = Newsletter(sqlite_engine, tmp_path)
    # Somebody writes while the copy is made.
    with session_scope(sqlite_engine) as session:
        session.add(factories.make_paper(session, 99))
        session.flush()
        code, said, _ = newsletter.run("db", "backup", "copy.db")
    assert (code, "checked" in said) == (0, True)
    copy = tmp_path / "copy.db"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as opened:
        assert opened.execute("SELECT count(*) FROM delivery").fetchone() == (3,)
        assert opened.execute("SELECT count(*) FROM paper").fetchone() == (3,)
    code, _, said = newsletter.run("db", "backup", "copy.db")
    assert (code, "--force" in said) == (2, True)
    assert newsletter.run("db", "backup", "copy.db", "--force")[0] == 0
    code, _, said = newsletter.run("db", "backup", "no/such/folder/copy.db")
    assert (code, "cannot write" in said) == (2, True)
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]


def test_on_postgresql_a_backup_names_the_program_that_makes_it(
    postgres_server: Any, tmp_path: Path
) -> None:
    postgres_server.psql("CREATE DATABASE backed_up;")
    engine = database.connect(postgres_server.get_uri(database="backed_up"))
    database.upgrade(engine)
    code, _, said = Newsletter(engine, tmp_path).run("db", "backup", "copy.dump")
    engine.dispose()
    assert (code, "pg_dump" in said) == (2, True)


def test_all_rows_go_to_postgresql_and_back_and_are_the_same(
    sqlite_engine: Engine, postgres_server: Any, tmp_path: Path
) -> None:
    fill(sqlite_engine)
    before = dump(sqlite_engine)
    postgres_server.psql("CREATE DATABASE copied_to;")
    url = postgres_server.get_uri(database="copied_to")
    code, said, note = Newsletter(sqlite_engine, tmp_path).run("db", "copy", url, "--json")
    assert code == 0, note
    found = json.loads(said)
    assert found["same"] is True
    counts = {each["table"]: each["target"] for each in found["tables"]}
    assert (counts["delivery"], counts["digest_item"], counts["paper"]) == (3, 9, 3)

    other = database.connect(url)
    with session_scope(other) as session:  # ids go on from where they were
        added = factories.make_paper(session, 7)
        assert (added.id or 0) > 3
        session.delete(added)
    back = f"sqlite:///{tmp_path / 'back.db'}"
    code, _, note = Newsletter(other, tmp_path).run("db", "copy", back)
    assert code == 0, note
    returned = database.connect(back)
    after = dump(returned)
    for table in ("subscriber", "paper", "delivery", "digest_item", "edition_paper", "edition"):
        assert after[table] == before[table]
    with Session(returned) as session:
        found_papers = session.execute(
            text("SELECT rowid FROM paper_search WHERE paper_search MATCH 'Über'")
        ).all()
    assert len(found_papers) == 3
    other.dispose()


def test_an_edition_in_the_middle_survives_a_restore_and_goes_on_in_postgresql(
    sqlite_engine: Engine, postgres_server: Any, tmp_path: Path
) -> None:
    """Nobody is missing and nobody is mailed twice, over two databases and a disk that was lost."""
    fill(sqlite_engine, readers=9)
    sqlite_engine.dispose()
    file = Path(str(sqlite_engine.url.database))
    date = ("--date", factories.ISSUE_DATE.isoformat())
    with running_sink() as sink:
        relay = {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}"}
        newsletter = Newsletter(sqlite_engine, tmp_path, **relay)
        assert newsletter.run("send", *date, "--limit", "3")[0] == 0
        assert newsletter.run("db", "backup", "backup.db")[0] == 0
        # The disk is lost; the page on restoring is followed.
        for path in file.parent.glob(f"{file.name}*"):
            path.write_bytes(b"no database")
        for name in ("-wal", "-shm"):
            file.with_name(file.name + name).unlink(missing_ok=True)
        file.write_bytes((tmp_path / "backup.db").read_bytes())
        assert newsletter.run("db", "upgrade")[0] == 0
        assert newsletter.run("send", *date, "--limit", "2")[0] == 0
        assert len(sink.recipients()) == 5
        before = json.loads(newsletter.run("status", *date, "--json")[1])["counts"]

        postgres_server.psql("CREATE DATABASE gone_on;")
        url = postgres_server.get_uri(database="gone_on")
        assert newsletter.run("db", "copy", url)[0] == 0
        other = database.connect(url)
        moved = Newsletter(other, tmp_path, **relay)
        after = json.loads(moved.run("status", *date, "--json")[1])["counts"]
        assert after == before
        assert (after["sent"], after["queued"]) == (5, 4)
        code, said, _ = moved.run("send", *date)
        other.dispose()
        everyone = [f"reader{number}@x.example" for number in range(9)]
        assert (code, "9 sent" in said, sorted(sink.recipients())) == (0, True, everyone)


def test_a_database_of_an_earlier_version_can_be_backed_up_but_not_a_newer_one(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    newsletter = Newsletter(sqlite_engine, tmp_path)
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    assert newsletter.run("db", "backup", "old.db")[0] == 0
    assert newsletter.run("forecast")[0] == 2
    empty = Newsletter(database.connect(f"sqlite:///{tmp_path / 'none.db'}"), tmp_path)
    code, _, said = empty.run("db", "backup", "nothing.db")
    assert (code, "no database at" in said, (tmp_path / "none.db").exists()) == (2, True, False)


def test_a_copy_that_was_broken_off_carries_on(sqlite_engine: Engine, tmp_path: Path) -> None:
    fill(sqlite_engine)
    engine = database.connect(f"sqlite:///{tmp_path / 'other.db'}")
    database.upgrade(engine)
    with session_scope(engine) as session:
        first = factories.make_paper(session, 50)
        assert first.id == 1
    url = engine.url.render_as_string(hide_password=False)
    newsletter = Newsletter(sqlite_engine, tmp_path)
    code, _, said = newsletter.run("db", "copy", url)
    assert (code, "--resume" in said) == (2, True)
    # This target holds another paper under the same id: the comparison tells.
    code, _, said = newsletter.run("db", "copy", url, "--resume")
    assert code == 1
    assert "paper: 3 rows here, 3 there, and they differ" in said
    with Session(engine) as session:
        assert session.exec(select(func.count()).select_from(Delivery)).one() == 3
        assert session.exec(select(func.count()).select_from(Subscriber)).one() == 3
        assert session.exec(select(func.count()).select_from(Paper)).one() == 3


@pytest.mark.parametrize("is_target", [True, False])
def test_a_copy_gives_no_id_again_whose_row_was_gone_before(
    engine: Engine, tmp_path: Path, is_target: bool
) -> None:
    other = database.connect(f"sqlite:///{tmp_path / 'other.db'}")
    database.upgrade(other)
    source, target = (other, engine) if is_target else (engine, other)
    with session_scope(source) as session:
        reader = factories.make_subscriber(session)
        merged = factories.make_paper(session, 1)
        asked = factories.make_paper(session, 2)
        for gone in (reader, merged, asked):
            session.delete(gone)
    with session_scope(source) as session:
        stays = factories.make_paper(session, 3)
        last = factories.make_paper(session, 4)
        session.delete(last)
    assert all(table.same for table in transfer.copy(source, target))
    with session_scope(target) as session:
        assert session.exec(select(Paper.id)).all() == [stays.id]
        assert (factories.make_paper(session, 5).id or 0) > (last.id or 0)
        # No row of this table was there to be copied.
        assert (factories.make_subscriber(session).id or 0) > (reader.id or 0)
    other.dispose()


def test_a_database_is_not_copied_onto_itself_or_nowhere(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    newsletter = Newsletter(sqlite_engine, tmp_path)
    url = sqlite_engine.url.render_as_string(hide_password=False)
    assert newsletter.run("db", "copy", url)[0] == 2
    assert newsletter.run("db", "copy", "nonsense")[0] == 2
    assert newsletter.run("db", "copy", "postgresql://nobody@127.0.0.1:1/none")[0] == 2
