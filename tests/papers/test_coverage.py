"""Coverage: what an edition read, and why there is nothing to send."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.core.database import session_scope
from newsletter.core.models import FetchLog, FetchStatus
from newsletter.papers.coverage import Coverage, NothingToSend, SourceCondition, coverage
from newsletter.sources.arxiv_calendar import arxiv_announces, is_overdue

# A Thursday, 08:00 UTC; the last announcement of arXiv was on Wednesday at 20:00 in New York.
NOW = datetime(2026, 9, 24, 8, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)


def at(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def test_arxiv_announces_sunday_to_thursday_and_not_on_its_holidays() -> None:
    week = [date(2026, 9, 20) + timedelta(days=n) for n in range(7)]  # Sunday first
    assert [arxiv_announces(day) for day in week] == [True] * 5 + [False] * 2
    assert not arxiv_announces(date(2026, 9, 7))  # Labor Day
    assert not arxiv_announces(date(2026, 11, 26))  # Thanksgiving
    assert not arxiv_announces(date(2026, 12, 31))
    # A holiday on a Friday leaves Sunday without an announcement that could be missed.
    assert not arxiv_announces(date(2026, 7, 5))


def test_in_years_arxiv_has_not_fixed_yet_its_usual_holidays_hold() -> None:
    holidays = [date(2031, 1, 1), date(2031, 1, 20), date(2031, 9, 1), date(2031, 11, 27)]
    assert not any(map(arxiv_announces, holidays))
    assert arxiv_announces(date(2031, 9, 8))


@pytest.mark.parametrize(
    ("source", "last_news", "now", "overdue"),
    [
        # Wednesday's announcement (Thursday 00:00 UTC) has had its time.
        ("arxiv", at(9, 23, 5), NOW, True),
        ("arxiv-rss", at(9, 24, 4), NOW, False),
        # At 03:00 UTC it may still be on its way.
        ("arxiv", at(9, 23, 5), NOW.replace(hour=3), False),
        # Friday's news is the last until Sunday evening.
        (
            "arxiv",
            at(9, 25, 5),
            at(9, 27, 12),
            False,
        ),
        (
            "arxiv",
            at(9, 25, 5),
            at(9, 28, 12),
            True,
        ),
        # In winter New York is five hours off.
        (
            "arxiv",
            at(12, 2, 0, 30),
            at(12, 2, 8),
            True,
        ),
        ("hf", at(9, 19, 9), at(9, 21, 9), False),
        ("hf", at(9, 19, 9), at(9, 22, 9), True),
        ("crossref", datetime(2026, 1, 1, tzinfo=UTC), NOW, False),
        ("arxiv", datetime(2020, 1, 1, tzinfo=UTC), NOW, True),
    ],
)
def test_a_source_is_overdue_when_an_announcement_has_had_its_time(
    source: str, last_news: datetime, now: datetime, *, overdue: bool
) -> None:
    assert is_overdue(source, last_news, now) is overdue


def fetched(
    engine: Engine,
    source: str,
    hours_ago: float,
    status: FetchStatus = FetchStatus.OK,
    **counts: int,
) -> None:
    """A row of the log, with an error for every paper that failed."""
    errors = [
        {"where": f"paper {n}", "what": "it has no title"} for n in range(counts.get("failed", 0))
    ]
    started = NOW - timedelta(hours=hours_ago)
    with session_scope(engine) as session:
        session.add(
            FetchLog(
                source=source,
                started_at=started,
                finished_at=started,
                status=status,
                errors=errors,
                **counts,
            )
        )


def seen(engine: Engine, *sources: str) -> Coverage:
    with Session(engine) as session:
        return coverage(session, YESTERDAY, NOW, sources)


def test_the_line_counts_new_papers_and_revisions(engine: Engine) -> None:
    fetched(engine, "arxiv", 30, new=1000)
    fetched(engine, "arxiv", 7, announced=510, new=400, revised=5, known=102, failed=3)
    fetched(engine, "hf", 7, announced=30, new=4, known=26)
    # What a parser could not read is for the operator: `newsletter status` tells it.
    assert seen(engine).line() == "Chosen from 404 new papers and 5 revisions"


def test_an_entry_that_fails_in_every_overlapping_fetch_counts_once(engine: Engine) -> None:
    for hours in (20, 12, 3):
        fetched(engine, "hf", hours, new=1, failed=2)
    assert seen(engine).line() == "Chosen from 3 new papers"


def test_a_quiet_day_a_late_source_and_a_failed_one_are_told_apart(engine: Engine) -> None:
    fetched(engine, "crossref", 2, known=12)
    fetched(engine, "arxiv", 50, new=900)
    fetched(engine, "arxiv", 1, known=900)
    fetched(engine, "biorxiv", 1, FetchStatus.FAILED)
    found = {source.source: source for source in seen(engine, "hf", "arxiv", "feeds").sources}
    assert found["crossref"].condition is SourceCondition.NOTHING_ANNOUNCED
    assert found["arxiv"].condition is SourceCondition.LATE
    assert found["biorxiv"].condition is SourceCondition.FAILED
    assert found["biorxiv"].error == "the last fetch was interrupted"
    assert found["hf"].condition is SourceCondition.NEVER_READ
    assert found["hf"].error == "not read yet"
    assert found["feeds"].condition is SourceCondition.NOTHING_ANNOUNCED
    assert seen(engine, "hf", "arxiv", "feeds").line() == (
        "No new papers; bioRxiv could not be read today; nothing yet from arXiv"
    )


def test_a_source_that_failed_first_and_then_worked_is_read(engine: Engine) -> None:
    fetched(engine, "arxiv", 6, FetchStatus.FAILED, new=10)
    fetched(engine, "arxiv", 5, new=390)
    (source,) = seen(engine).sources
    assert (source.condition, source.new) == (SourceCondition.READ, 400)
    assert source.last_read == NOW - timedelta(hours=5)


def test_why_there_is_nothing_to_send(engine: Engine) -> None:
    fetched(engine, "crossref", 1)
    assert seen(engine).nothing_to_send() is NothingToSend.NOTHING_ANNOUNCED
    fetched(engine, "arxiv", 1)
    assert seen(engine).nothing_to_send() is NothingToSend.LATE
    fetched(engine, "hf", 1, FetchStatus.FAILED)
    assert seen(engine).nothing_to_send() is NothingToSend.FAILED
    fetched(engine, "crossref", 0.5, new=1)
    assert seen(engine).nothing_to_send() is NothingToSend.BELOW_BAR


def test_a_source_that_nobody_asked_has_not_failed(engine: Engine) -> None:
    configured = ("hf", "arxiv", "crossref", "feeds")
    unread = seen(engine, *configured)
    assert unread.line() == "No new papers"
    assert unread.nothing_in_words() == "no source has been read yet"
    fetched(engine, "crossref", 1)
    assert seen(engine, *configured).nothing_in_words() == "nothing was announced"
    fetched(engine, "hf", 50, new=3)
    assert seen(engine, *configured).line() == "No new papers; Hugging Face was not read this time"
    assert seen(engine, *configured).nothing_in_words() == "Hugging Face was not read"
    fetched(engine, "arxiv", 60, FetchStatus.FAILED)
    found = seen(engine, *configured)
    assert found.line() == "No new papers; Hugging Face, arXiv were not read this time"
    assert found.nothing_in_words() == "Hugging Face and arXiv were not read"
    assert {each.source: each.error for each in found.sources}["arxiv"] == "not read lately"
    fetched(engine, "arxiv", 1, FetchStatus.FAILED)
    assert seen(engine, *configured).nothing_in_words() == "arXiv could not be read"
