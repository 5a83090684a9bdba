"""Looking changes nothing: dry runs, editions of a date to come, forecasts, test copies."""

import json
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.core.database import session_scope
from newsletter.core.models import Cadence, EditionStatus, SubscriberStatus
from newsletter.ranking.profiles import training
from newsletter.subscribers.accounts import add_topic, row_id
from newsletter.subscribers.validation import TypedTopic
from tests.support import factories
from tests.support.command import Newsletter, dump

DATE = factories.ISSUE_DATE.isoformat()
NEXT_DAY = (factories.ISSUE_DATE + timedelta(days=1)).isoformat()


def add_reader(session: Session, email: str, **fields: object) -> None:
    reader = factories.make_subscriber(session, email, **fields)
    topic = TypedTopic.read({"name": "Things", "keywords": ["thing"], "categories": ["cs.SE"]})
    add_topic(session, row_id(reader), topic)


def fill(engine: Engine, *emails: str, papers: int = 8) -> None:
    with session_scope(engine) as session:
        for number in range(1, papers + 1):
            factories.make_paper(session, number)
        for email in emails:
            add_reader(session, email)


def test_a_dry_run_writes_every_digest_and_changes_no_row(engine: Engine, tmp_path: Path) -> None:
    fill(engine, "ada@reader.example", "bob@reader.example")
    before = dump(engine)
    newsletter = Newsletter(engine, tmp_path)
    code, said, _ = newsletter.run("send", "--date", DATE, "--dry-run")
    assert code == 0
    assert "2 messages written to dry-run; nothing was sent and nothing was changed" in said
    names = sorted(path.name.rsplit("-", 1)[0] for path in (tmp_path / "dry-run").iterdir())
    assert names == ["ada@reader.example", "bob@reader.example"]
    assert dump(engine) == before


def test_a_dry_run_of_a_date_to_come_asks_nothing_and_keeps_nothing(
    engine: Engine, tmp_path: Path
) -> None:
    fill(engine, "ada@reader.example")
    before = dump(engine)
    newsletter = Newsletter(engine, tmp_path)
    code, said, _ = newsletter.run(
        "send", "--date", "2199-11-22", "--dry-run", "--output", "tomorrow"
    )
    assert (code, "1 message written to tomorrow" in said) == (0, True)
    [file] = (tmp_path / "tomorrow").iterdir()
    assert b"A study of thing" in file.read_bytes()
    assert dump(engine) == before


def test_a_dry_run_of_a_frozen_edition_shows_what_is_frozen_and_who_is_new(
    engine: Engine, tmp_path: Path
) -> None:
    fill(engine, "late@reader.example")
    with session_scope(engine) as session:
        edition = factories.make_edition(session, status=EditionStatus.READY)
        paper = factories.make_paper(session, 99)
        frozen = factories.make_subscriber(session, "frozen@reader.example")
        delivery = factories.make_digest(session, edition, frozen, [paper])
        message_id = delivery.message_id
    before = dump(engine)
    newsletter = Newsletter(engine, tmp_path)
    code, _, _ = newsletter.run("send", "--date", DATE, "--dry-run")
    assert code == 0
    files = {path.name.split("@")[0]: path.read_text() for path in (tmp_path / "dry-run").iterdir()}
    assert sorted(files) == ["frozen", "late"]
    assert message_id in files["frozen"]
    assert dump(engine) == before


def test_a_dry_run_obeys_only_and_limit(engine: Engine, tmp_path: Path) -> None:
    fill(engine, "ada@reader.example", "bob@reader.example", "cy@reader.example")
    newsletter = Newsletter(engine, tmp_path)
    newsletter.run("send", "--date", DATE, "--dry-run", "--only", "Bob@reader.example")
    [file] = (tmp_path / "dry-run").iterdir()
    assert file.name.startswith("bob@reader.example")
    newsletter.run("send", "--date", DATE, "--dry-run", "--limit", "2", "--output", "two")
    assert len(list((tmp_path / "two").iterdir())) == 2
    code, _, said = newsletter.run("send", "--dry-run", "--only", "nobody@reader.example")
    assert code == 2
    assert "nobody@reader.example" in said


def test_after_a_dry_run_the_edition_has_the_papers_that_came_later(
    engine: Engine, tmp_path: Path
) -> None:
    fill(engine, "ada@reader.example", papers=1)
    newsletter = Newsletter(engine, tmp_path)
    newsletter.run("send", "--date", DATE, "--dry-run")
    with session_scope(engine) as session:
        factories.make_paper(session, 2)
    newsletter.run("send", "--date", DATE, "--dry-run", "--output", "again")
    [file] = (tmp_path / "again").iterdir()
    assert "A study of thing 2" in file.read_text()


def test_an_edition_of_a_date_to_come_is_not_frozen_without_saying_so(
    engine: Engine, tmp_path: Path
) -> None:
    fill(engine, "ada@reader.example")
    before = dump(engine)
    newsletter = Newsletter(engine, tmp_path)
    for command in ("prepare", "send"):
        code, _, said = newsletter.run(command, "--date", "2199-11-22")
        assert code == 2
        assert "2199-11-22 is in the future" in said
        assert "--force" in said
    assert dump(engine) == before
    code, said, _ = newsletter.run("prepare", "--date", "2199-11-22", "--force")
    assert (code, "1 digest prepared" in said) == (0, True)


def test_a_forecast_counts_by_cadence_vacation_and_zone(engine: Engine, tmp_path: Path) -> None:
    with session_scope(engine) as session:
        factories.make_subscriber(session, "daily@reader.example")
        factories.make_subscriber(session, "working@reader.example", cadence=Cadence.WEEKDAYS)
        factories.make_subscriber(
            session, "weekly@reader.example", cadence=Cadence.WEEKLY, weekday=2
        )
        factories.make_subscriber(
            session, "gone@reader.example", status=SubscriberStatus.UNSUBSCRIBED
        )
    before = dump(engine)
    code, said, _ = Newsletter(engine, tmp_path, RATE="2").run("forecast", "--days", "7", "--json")
    assert code == 0
    days = json.loads(said)["days"]
    assert len(days) == 7
    assert sum(day["due"] for day in days) == 7 + 5 + 1
    assert all(day["seconds"] == day["due"] / 2 for day in days)
    assert dump(engine) == before


def test_a_forecast_says_when_a_day_does_not_fit(engine: Engine, tmp_path: Path) -> None:
    with session_scope(engine) as session:
        for number in range(5):
            factories.make_subscriber(session, f"reader{number}@reader.example")
    newsletter = Newsletter(engine, tmp_path, WARM_UP="2,3")
    code, said, _ = newsletter.run("forecast", "--days", "3", "--json")
    days = json.loads(said)["days"]
    assert code == 0
    assert [day["allowed"] for day in days] == [2, 3, None]
    assert [day["fits"] for day in days] == [False, False, True]
    _, said, _ = newsletter.run("forecast", "--days", "1")
    assert "the warm-up allows 2" in said


def test_a_test_copy_is_marked_and_recorded_nowhere(engine: Engine, tmp_path: Path) -> None:
    from tests.support.smtp_sink import running_sink

    fill(engine, "ada@reader.example")
    training.train(engine)
    before = dump(engine)
    with running_sink() as sink:
        newsletter = Newsletter(engine, tmp_path, SMTP_URL=f"smtp://127.0.0.1:{sink.port}")
        for _ in range(2):
            code, said, _ = newsletter.run(
                "test-send", "me@operator.example", "--as", "ada@reader.example"
            )
            assert (code, "sent to me@operator.example" in said) == (0, True)
        assert sink.recipients() == ["me@operator.example"] * 2
        assert all("Subject: [Test] " in str(taken.content) for taken in sink.accepted)
    assert dump(engine) == before


def test_a_test_copy_to_a_dead_relay_or_nonsense_is_one_line(
    engine: Engine, tmp_path: Path
) -> None:
    fill(engine, "ada@reader.example")
    newsletter = Newsletter(engine, tmp_path)
    code, _, said = newsletter.run("test-send", "me@operator.example")
    assert code == 4
    assert "127.0.0.1:1" in said
    assert newsletter.run("test-send", "not an address")[0] == 2
    code, _, said = newsletter.run("test-send", "me@operator.example", "--as", "who@x.example")
    assert (code, "who@x.example" in said) == (2, True)
