"""`newsletter status` answers at any time, and names the command that helps."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from newsletter.core.database import session_scope
from newsletter.core.models import (
    DeliveryStatus,
    EditionStatus,
    FetchLog,
    FetchStatus,
    SubscriberStatus,
)
from tests.support import factories
from tests.support.command import Newsletter, dump


def test_before_any_edition_it_names_every_source_and_counts_nothing(
    engine: Engine, tmp_path: Path
) -> None:
    newsletter = Newsletter(engine, tmp_path, SOURCES="hf,pubmed", SEARCH_TERMS="asthma")
    before = dump(engine)
    code, said, _ = newsletter.run("status", "--json")
    assert code == 0
    found = json.loads(said)
    assert found["edition"] is None
    assert found["prepared"] == 0
    assert set(found["counts"].values()) == {0}
    assert [source["source"] for source in found["sources"]] == ["hf", "pubmed"]
    code, said, _ = newsletter.run("status")
    assert code == 0
    assert "no edition of" in said
    assert "hf" in said
    assert "pubmed" in said
    assert "newsletter subscribers add" in said
    assert dump(engine) == before


def test_without_an_edition_of_the_date_it_names_the_latest(engine: Engine, tmp_path: Path) -> None:
    with session_scope(engine) as session:
        factories.make_edition(session)
        factories.make_subscriber(session, status=SubscriberStatus.PENDING, confirmed_at=None)
    code, said, _ = Newsletter(engine, tmp_path).run("status", "--date", "2020-01-01")
    assert code == 0
    assert "no edition of 2020-01-01 yet; the latest is of 2026-11-20" in said
    assert "1 has not confirmed yet" in said


def test_a_paused_edition_and_missed_readers_come_with_the_helpful_command(
    engine: Engine, tmp_path: Path
) -> None:
    with session_scope(engine) as session:
        edition = factories.make_edition(
            session, status=EditionStatus.PAUSED, note="the relay refuses us"
        )
        reader = factories.make_subscriber(session)
        factories.make_delivery(session, edition, reader, status=DeliveryStatus.FAILED)
    newsletter = Newsletter(engine, tmp_path)
    code, said, _ = newsletter.run("status", "--date", "2026-11-20")
    assert code == 0
    assert "paused (the relay refuses us): `newsletter send --date 2026-11-20` resumes it" in said
    assert "1 not delivered: `newsletter report --date 2026-11-20` says why" in said
    found = json.loads(newsletter.run("status", "--date", "2026-11-20", "--json")[1])
    assert sum(found["counts"].values()) == found["prepared"] == 1


def test_it_counts_all_runs_of_the_day_open_sign_ups_and_says_what_comes_next(
    engine: Engine, tmp_path: Path
) -> None:
    newsletter = Newsletter(engine, tmp_path)
    found = json.loads(newsletter.run("status", "--json")[1])
    assert (found["read_on_date"]["runs"], found["open_sign_ups"], found["next"]) == (0, 0, None)
    day = datetime(2026, 11, 20, tzinfo=UTC)
    with session_scope(engine) as session:
        for source, hour, new in (
            ("hf", 5, 3),
            ("jsonl", 23, 4),
            ("jsonl", 24, 90),
            ("hf", -1, 70),
        ):
            session.add(
                FetchLog(
                    source=source,
                    started_at=day + timedelta(hours=hour),
                    status=FetchStatus.OK,
                    announced=new + 1,
                    new=new,
                    failed=1,
                )
            )
        factories.make_subscriber(session)
        for name in ("bob", "eve"):
            factories.make_subscriber(
                session,
                f"{name}@reader.example",
                status=SubscriberStatus.PENDING,
                confirmed_at=None,
            )
    found = json.loads(newsletter.run("status", "--date", "2026-11-20", "--json")[1])
    counts = {"runs": 2, "announced": 9, "new": 7, "revised": 0, "known": 0, "failed": 2}
    assert found["read_on_date"] == counts
    assert found["open_sign_ups"] == 2
    assert found["next"]["readers"] == 1
    said = newsletter.run("status", "--date", "2026-11-20")[1]
    assert "2 runs on 2026-11-20: 7 new, 0 revised, 0 known, 2 failed" in said
    assert "  next: " in said
