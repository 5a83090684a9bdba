"""The database itself refuses what must never happen, on SQLite and on PostgreSQL."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import Session, SQLModel, func, select

from alembic import command
from newsletter.core import bulk, database
from newsletter.core.errors import DatabaseError
from newsletter.core.models import (
    Delivery,
    DeliveryEvent,
    EventKind,
    Folder,
    Interest,
    InterestKind,
    KeptMail,
    Paper,
    QuietNotes,
    Subscriber,
    SubscriberStatus,
    Topic,
)
from tests.support import factories


def test_a_second_delivery_to_one_subscriber_in_one_edition_is_refused(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        edition, subscriber = factories.make_edition(session), factories.make_subscriber(session)
        factories.make_delivery(session, edition, subscriber)
        with pytest.raises(IntegrityError), session.begin_nested():
            factories.make_delivery(session, edition, subscriber)


def test_a_paper_twice_to_one_subscriber_is_refused_across_editions(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        subscriber, paper = factories.make_subscriber(session), factories.make_paper(session)
        first = factories.make_edition(session)
        second = factories.make_edition(session, datetime(2026, 11, 21, tzinfo=UTC).date())
        factories.make_digest(session, first, subscriber, [paper])
        with pytest.raises(IntegrityError), session.begin_nested():
            factories.make_digest(session, second, subscriber, [paper])


@pytest.mark.parametrize("status", [SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED])
def test_an_active_subscriber_who_never_confirmed_is_refused(
    engine: Engine, status: SubscriberStatus
) -> None:
    with database.session_scope(engine) as session:
        with pytest.raises(IntegrityError), session.begin_nested():
            factories.make_subscriber(session, status=status, confirmed_at=None)
        factories.make_subscriber(session, status=SubscriberStatus.PENDING, confirmed_at=None)


def test_a_second_row_for_a_replayed_event_is_refused(engine: Engine) -> None:
    def event() -> DeliveryEvent:
        return DeliveryEvent(kind=EventKind.BOUNCED, provider="ses", provider_event_id="e-1")

    with database.session_scope(engine) as session:
        session.add(event())
        session.flush()
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(event())


def test_an_address_is_stored_once_and_in_lower_case(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        factories.make_subscriber(session, "ada@reader.example")
        with pytest.raises(IntegrityError), session.begin_nested():
            factories.make_subscriber(session, "ada@reader.example")
        with pytest.raises(IntegrityError), session.begin_nested():
            factories.make_subscriber(session, "Grace@reader.example")


def test_one_external_id_of_a_source_is_one_paper(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        factories.make_paper(session, 7)
        with pytest.raises(IntegrityError), session.begin_nested():
            factories.make_paper(session, 7)


def test_a_digest_without_an_edition_is_refused(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        edition, subscriber = factories.make_edition(session), factories.make_subscriber(session)
        with pytest.raises(IntegrityError), session.begin_nested():
            factories.make_delivery(session, edition, subscriber, edition_id=None)


def test_a_status_outside_the_list_is_refused(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        factories.make_subscriber(session)
        with pytest.raises(IntegrityError), session.begin_nested():
            session.connection().execute(text("UPDATE subscriber SET status = 'asleep'"))


def test_what_belongs_to_a_subscriber_goes_with_the_subscriber(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        subscriber, paper = factories.make_subscriber(session), factories.make_paper(session)
        session.add(Topic(subscriber_id=subscriber.id or 0, name="Program repair"))
        factories.make_digest(session, factories.make_edition(session), subscriber, [paper])
        session.connection().execute(text("DELETE FROM subscriber"))
    with database.read_scope(engine) as session:
        for table in ("topic", "delivery", "digest_item"):
            assert session.connection().scalar(text(f"SELECT count(*) FROM {table}")) == 0
        assert session.exec(select(Paper)).one().title == paper.title


def test_the_id_of_a_delivery_whose_reader_was_erased_is_never_given_again(engine: Engine) -> None:
    deliveries = SQLModel.metadata.tables["delivery"]
    with database.session_scope(engine) as session:
        edition = factories.make_edition(session)
        kept = factories.make_delivery(session, edition, factories.make_subscriber(session)).id
        erased = factories.make_subscriber(session, "erased@reader.example")
        last = factories.make_delivery(session, edition, erased).id or 0
        session.delete(erased)
    with database.session_scope(engine) as session:
        assert session.exec(select(Delivery.id)).all() == [kept]
        reader = factories.make_subscriber(session, "new@reader.example")
        assert (factories.make_delivery(session, edition, reader).id or 0) > last
        session.delete(reader)
    with database.session_scope(engine) as session:
        found = bulk.new_ids(session, deliveries, 2)
        assert found == [max(found) - 1, max(found)]
        assert found[0] > last + 1


# Numbered rows that no link, feed, open form or file names: what they belong to goes with them.
NAMED_NOWHERE = {
    "author_orcid", "broadcast", "citation", "delivery_event", "digest_item", "digest_news",
    "edition", "feedback", "fetch_log", "match_calibration", "no_digest", "operator_session",
    "paper_alias", "paper_change", "reader_group", "recipe_choice", "sign_up",
    "suppression_removal", "trial",
}  # fmt: skip


def test_every_migrated_table_says_whether_its_ids_are_used_once(sqlite_engine: Engine) -> None:
    """SQLite's answer: PostgreSQL gives none twice. A batch migration forgets it unless told."""
    with sqlite_engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type='table'")
        once = {name for name, made in found if " AUTOINCREMENT" in made}
    tables = SQLModel.metadata.tables.values()
    assert once == {t.name for t in tables if t.dialect_options["sqlite"]["autoincrement"]}
    assert {table.name for table in tables if table.autoincrement_column is not None} == (
        once | NAMED_NOWHERE
    ), "a new table is in one of the two"


def test_what_old_links_and_open_forms_name_is_never_given_again(engine: Engine) -> None:
    def one_of_each(session: Session, number: int) -> list[SQLModel]:
        reader = factories.make_subscriber(session, f"r{number}@reader.example")
        topic = Topic(subscriber_id=reader.id or 0, name="Engines")
        folder = Folder(subscriber_id=reader.id or 0, name="To read")
        content: dict[str, Any] = {"kind": "unknown", "content": b"", "fingerprint": str(number)}
        mail = KeptMail(**content)
        session.add_all([topic, folder, mail])
        session.flush()
        word = Interest(topic_id=topic.id or 0, kind=InterestKind.KEYWORD, value="gears")
        session.add(word)
        session.flush()
        return [reader, topic, folder, mail, word, factories.make_paper(session, number)]

    with database.session_scope(engine) as session:
        one_of_each(session, 1)
    with database.session_scope(engine) as session:
        gone = one_of_each(session, 2)
        for row in reversed(gone):
            session.delete(row)
            session.flush()
    with database.session_scope(engine) as session:
        for old, new in zip(gone, one_of_each(session, 3), strict=True):
            assert getattr(new, "id", 0) > getattr(old, "id", 0), old


def test_a_table_that_a_migration_builds_anew_gives_no_id_again(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    with database.session_scope(sqlite_engine) as session:
        factories.make_paper(session, 1)
        last = factories.make_paper(session, 2)
        session.delete(last)
    (tmp_path / "next.py").write_text(
        f"""from alembic import op
revision, down_revision = "next", "{database.head()}"
branch_labels = depends_on = None
def upgrade():
    once = {{"sqlite_autoincrement": True}}
    with op.batch_alter_table("paper", recreate="always", table_kwargs=once):
        pass
"""
    )
    config = database.alembic_config(sqlite_engine)
    folders = f"{config.get_main_option('script_location')}/versions{os.pathsep}{tmp_path}"
    config.set_main_option("version_locations", folders)
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "next")
    with database.session_scope(sqlite_engine) as session:
        assert (factories.make_paper(session, 3).id or 0) > (last.id or 0)


def test_a_naive_datetime_is_refused(engine: Engine) -> None:
    naive = datetime(2026, 11, 22, 7, 0)  # noqa: DTZ001  (the point of the test)
    with database.session_scope(engine) as session, pytest.raises(StatementError, match="naive"):
        factories.make_paper(session, published_at=naive)


def test_times_come_back_aware_and_in_utc(engine: Engine) -> None:
    moment = datetime.fromisoformat("2026-11-22T09:30:00+02:00")
    with database.session_scope(engine) as session:
        factories.make_paper(session, published_at=moment)
    with database.read_scope(engine) as session:
        found = session.exec(select(Paper)).one().published_at
    assert found == moment
    assert found is not None
    assert found.utcoffset() == UTC.utcoffset(None)


def is_modelled(name: str | None, _kind: str, _parents: Any) -> bool:
    """Full-text indexes are a database's own affair: no model describes them."""
    return not (name or "").startswith(("paper_search", "ix_paper_search", "search_document"))


def test_migrations_equal_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": is_modelled}
        )
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrations_make_the_same_check_constraints_as_models(
    engine: Engine, database_url: str
) -> None:
    """Alembic does not compare CHECK constraints, so this does, by name."""
    inspector = inspect(engine)
    migrated = {
        (table, check["name"])
        for table in SQLModel.metadata.tables
        for check in inspector.get_check_constraints(table)
    }
    modelled = {
        (table.name, str(constraint.name))
        for table in SQLModel.metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    assert migrated == modelled


def test_a_migration_keeps_every_row(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        edition = factories.make_edition(session)
        subscriber = factories.make_subscriber(session)
        factories.make_digest(session, edition, subscriber, [factories.make_paper(session)])
        topic = Topic(subscriber_id=subscriber.id or 0, name="Engines")
        session.add(topic)
        session.flush()
        clue: dict[str, Any] = {
            "topic_id": topic.id or 0,
            "kind": InterestKind.TEXT,
            "value": "机" * 2000,
        }
        session.add(Interest(**clue))
    config = database.alembic_config(engine)
    before = count_rows(engine)
    assert before["digest_item"] == before["delivery"] == 1

    kept = names_in(engine)
    command.downgrade(config, "0002")
    command.upgrade(config, "head")

    assert count_rows(engine) == before
    assert names_in(engine) == kept, "indexes and triggers are there again"
    with pytest.raises(IntegrityError), database.session_scope(engine) as session:
        session.add(Interest(**clue))  # told apart by hash, also from rows of before


MINIMUMS = {0: 0, 1: 1, 30: 33, 50: 55, 60: 65, 75: 80, 76: 80, 90: 92, 100: 100}


def test_minimums_of_before_let_the_same_labels_in_and_are_told_once(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        for minimum in MINIMUMS:
            factories.make_subscriber(session, f"m{minimum}@reader.example", min_score=minimum)
    config = database.alembic_config(engine)
    command.downgrade(config, "0009")
    with engine.begin() as connection:  # a downgrade converts them too
        for minimum in MINIMUMS:
            connection.execute(
                text("UPDATE subscriber SET min_score = :minimum WHERE email = :email"),
                {"minimum": minimum, "email": f"m{minimum}@reader.example"},
            )

    command.upgrade(config, "head")

    with database.read_scope(engine) as session:
        rows = session.exec(select(Subscriber)).all()
    assert {int(row.email[1:].split("@")[0]): row.min_score for row in rows} == MINIMUMS
    assert {row.min_score for row in rows if not row.minimum_changed} == {0}, "nothing to tell"


def test_readers_who_were_told_of_each_quiet_day_still_are(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        for wish in QuietNotes:
            address = f"{wish.value}@reader.example"
            factories.make_subscriber(session, address, tell_when_nothing=wish)
    config = database.alembic_config(engine)
    command.downgrade(config, "0023")
    with engine.connect() as connection:
        before = connection.execute(text("SELECT email, tell_when_nothing FROM subscriber"))
        assert {email.split("@")[0]: bool(each) for email, each in before} == {
            "daily": True,
            "weekly": False,
            "never": False,
        }

    command.upgrade(config, "head")

    with database.read_scope(engine) as session:
        rows = session.exec(select(Subscriber)).all()
    assert {row.email.split("@")[0]: row.tell_when_nothing for row in rows} == {
        "daily": QuietNotes.DAILY,
        "weekly": QuietNotes.WEEKLY,
        "never": QuietNotes.WEEKLY,
    }


def names_in(engine: Engine) -> set[str]:
    """What a SQLite database holds: tables, indexes, triggers."""
    if engine.dialect.name != "sqlite":
        return set()
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT type || ' ' || name FROM sqlite_master")
        return set(found.scalars())


def count_rows(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in SQLModel.metadata.tables.items()
        }


def test_a_database_without_tables_says_which_command_makes_them(database_url: str) -> None:
    empty = database.connect(database_url)
    with pytest.raises(DatabaseError, match="newsletter db upgrade"):
        database.require_current(empty)
    assert database.upgrade(empty) == (None, database.head())
    database.require_current(empty)
    assert database.upgrade(empty) == (database.head(), database.head())
    empty.dispose()


def test_the_newest_migration_is_the_one_that_alembic_goes_to(sqlite_engine: Engine) -> None:
    scripts = ScriptDirectory.from_config(database.alembic_config(sqlite_engine))
    assert database.head() == scripts.get_current_head()


def test_the_index_of_unfinished_deliveries_holds_no_others(engine: Engine) -> None:
    known = {index["name"]: index for index in inspect(engine).get_indexes("delivery")}
    condition = known["ix_delivery_unfinished"]["dialect_options"][f"{engine.dialect.name}_where"]
    for status in ("queued", "sending", "deferred", "uncertain"):
        assert status in str(condition)
    assert "sent" not in str(condition)


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/name", "sqlite:////no/such/folder/x.db"])
def test_a_database_that_cannot_be_used_is_one_clear_line(url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        database.revision(database.connect(url))
    assert "\n" not in str(caught.value)


def test_a_database_password_is_never_shown() -> None:
    with pytest.raises(DatabaseError) as caught:
        database.revision(database.connect("postgresql://ada:secret@127.0.0.1:1/none"))
    assert "secret" not in str(caught.value)


def test_subscriber_columns_are_checked(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        for wrong in ({"send_hour": 24}, {"weekday": 7}, {"max_papers": 0}, {"min_score": 101}):
            with pytest.raises(IntegrityError), session.begin_nested():
                factories.make_subscriber(session, f"{len(wrong)}@reader.example", **wrong)
        assert session.exec(select(Subscriber)).all() == []
