"""Cursors: overlap, days that were missed, harvests that go on, and death at any moment."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, delete, event, text
from sqlmodel import Session, col, select

from newsletter.core.models import FetchLog, FetchStatus, Paper, PaperAlias, SourceState
from newsletter.papers.harvest import Cursor, ingest_source
from newsletter.papers.ingest import Outcome
from newsletter.sources import Request, Source
from newsletter.sources.arxiv_oai import ArxivOai
from newsletter.sources.feeds import Feed
from newsletter.sources.hugging_face import HuggingFace
from newsletter.sources.openalex import OpenAlex
from tests.support.sources import DAY, Handler, answering, fetcher, hf_day, item, oai_page, rss


def ingest(
    engine: Engine, source: Source, handler: Handler, today: date = DAY, since: date | None = None
) -> Outcome:
    with fetcher(handler) as client:
        return ingest_source(engine, source, client, today=today, since=since)


def cursor(engine: Engine, name: str) -> Cursor:
    with Session(engine) as session:
        state = session.get(SourceState, name)
    return Cursor.load(state.cursor if state else None)


class Asked:
    """Remembers one parameter of each request, and answers with an empty list."""

    def __init__(self, name: str, answer: bytes = b"[]") -> None:
        self.name = name
        self.answer = answer
        self.values: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.values.append(request.url.params[self.name])
        return httpx.Response(200, content=self.answer)


def test_a_source_that_was_never_read_begins_a_week_back(engine: Engine) -> None:
    asked = Asked("date")
    ingest(engine, HuggingFace(), asked)
    assert (asked.values[0], asked.values[-1]) == ("2026-09-17", "2026-09-24")


def test_a_source_that_lists_papers_weeks_late_begins_as_far_back_as_it_is_read_again(
    engine: Engine,
) -> None:
    asked = Asked("filter", b'{"results": []}')
    for days in (0, 1):
        ingest(engine, OpenAlex(["x"]), asked, today=DAY + timedelta(days=days))
    # Or all of the weeks before would be new in the second run.
    begins = [value.split(",")[0].partition(":")[2] for value in asked.values]
    assert begins == ["2026-08-25", "2026-08-25"]


def test_the_days_before_the_cursor_are_read_again_for_papers_that_came_late(
    engine: Engine,
) -> None:
    ingest(engine, HuggingFace(), answering(b"[]"))
    late = ingest(engine, HuggingFace(), answering(b"[]", hf_day(1), b"[]"))
    assert (late.new, cursor(engine, "hf").through) == (1, DAY)
    asked = Asked("date")
    ingest(engine, HuggingFace(), asked, today=DAY + timedelta(days=1))
    assert (asked.values[0], asked.values[-1]) == ("2026-09-19", "2026-09-25")


def test_a_source_that_was_down_for_days_is_caught_up_from_its_cursor(engine: Engine) -> None:
    ingest(engine, HuggingFace(), answering(b"[]"))
    down = answering(httpx.Response(503))
    for days in (1, 2, 9):
        failed = ingest(engine, HuggingFace(), down, today=DAY + timedelta(days=days))
        assert "answered 503" in str(failed.failure)
    with Session(engine) as session:
        state = session.get_one(SourceState, "hf")
        logs = session.exec(select(FetchLog).order_by(col(FetchLog.id))).all()
    assert state.failures == 3
    assert [log.status for log in logs] == [FetchStatus.OK, *[FetchStatus.FAILED] * 3]
    assert logs[-1].errors[0]["what"] == "answered 503 Service Unavailable"
    asked = Asked("date")
    ingest(engine, HuggingFace(), asked, today=DAY + timedelta(days=10))
    assert (asked.values[0], asked.values[-1]) == ("2026-09-19", "2026-10-04")


def test_a_date_given_by_hand_leaves_no_gap_behind_the_cursor(engine: Engine) -> None:
    ingest(engine, HuggingFace(), answering(b"[]"), today=DAY - timedelta(days=20))
    ingest(engine, HuggingFace(), answering(b"[]"), since=DAY - timedelta(days=1))
    assert cursor(engine, "hf").through == DAY - timedelta(days=20)
    ingest(engine, HuggingFace(), answering(b"[]"), since=DAY - timedelta(days=40))
    assert cursor(engine, "hf").through == DAY


def test_what_came_before_a_failure_is_kept_and_the_cursor_stays(engine: Engine) -> None:
    answers = answering(hf_day(1, 2), httpx.Response(404, text="gone"))
    outcome = ingest(engine, HuggingFace(), answers)
    assert (outcome.new, outcome.failed) == (2, 0)
    assert "answered 404" in str(outcome.failure)
    assert cursor(engine, "hf").through is None


def test_an_answer_that_breaks_off_keeps_its_beginning_and_the_cursor_stays(
    engine: Engine,
) -> None:
    whole = rss(item(1), item(2))
    source = Feed("https://example.org/feed", "feed:example.org")
    outcome = ingest(engine, source, answering(whole[: whole.index(b"number 2")]))
    assert (outcome.new, outcome.failed) == (1, 1)
    assert outcome.failure
    assert cursor(engine, source.name).through is None
    assert ingest(engine, source, answering(whole)).new == 1


def test_a_feed_is_asked_for_changes_only_after_it_was_read_whole(engine: Engine) -> None:
    source = Feed("https://example.org/feed", "feed:example.org")
    conditions: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        conditions.append(request.headers.get("if-none-match"))
        if conditions[-1]:
            return httpx.Response(304)
        body = rss(item(1), item(2))
        body = body[:-40] if len(conditions) == 1 else body
        return httpx.Response(200, content=body, headers={"ETag": '"v1"'})

    assert ingest(engine, source, handler).failure
    assert ingest(engine, source, handler).failure is None
    unchanged = ingest(engine, source, handler)
    assert (unchanged.announced, unchanged.failure) == (0, None)
    assert conditions == [None, None, '"v1"']
    # Another address under the same name is another document.
    moved = Feed("https://example.org/other", "feed:example.org")
    ingest(engine, moved, handler)
    assert conditions[-1] is None


def oai_server(pages: dict[str, bytes], asked: list[str] | None = None) -> Handler:
    """Answers by set or resumption token."""

    def handler(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        key = params.get("resumptionToken") or f"{params['set']} {params['from']}"
        if asked is not None:
            asked.append(key)
        answer = pages.get(key)
        return httpx.Response(200, content=answer) if answer else httpx.Response(500)

    return handler


def test_a_long_harvest_goes_on_with_its_token_and_then_with_what_came_since(
    engine: Engine,
) -> None:
    source = ArxivOai(["cs.LG"])
    began = DAY - timedelta(days=300)
    pages = {f"cs:cs:LG {began}": oai_page(1, token="t1"), "t1": oai_page(2, token="t2")}
    first = ingest(engine, source, oai_server(pages), since=began)
    assert (first.new, cursor(engine, source.name).through) == (2, None)
    asked: list[str] = []
    tomorrow = DAY + timedelta(days=1)
    pages |= {"t2": oai_page(3), f"cs:cs:LG {DAY - source.overlap}": oai_page(3, 4)}
    second = ingest(engine, source, oai_server(pages, asked), today=tomorrow)
    assert (second.new, second.known) == (2, 1)
    assert asked == ["t2", f"cs:cs:LG {DAY - source.overlap}"]
    assert cursor(engine, source.name) == Cursor(through=tomorrow)


def test_a_server_that_always_has_one_more_page_does_not_hold_a_run_for_ever(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.papers.harvest.MOST_PAGES", 20)
    endless = answering(oai_page(1, token="again"))
    outcome = ingest(sqlite_engine, ArxivOai(["cs.LG"]), endless)
    assert (outcome.new, outcome.known) == (1, 19)
    assert "stopped after 20 pages" in str(outcome.failure)


def test_a_damaged_cursor_begins_anew() -> None:
    for damaged in ("", "[]", "2026-09-24", '{"through": 3}', '{"harvest": {"since": 1}}', "nul"):
        assert Cursor.load(damaged) == Cursor()


class Killed(BaseException):
    """What a process does not survive."""


class Reaper:
    """Kills at the n-th step: a request, a statement, or just before a commit."""

    def __init__(self, engine: Engine, at: int | None) -> None:
        self.left = at
        self.steps = 0
        event.listen(engine, "before_cursor_execute", self.step)
        event.listen(engine, "commit", self.step)

    def step(self, *_: Any) -> None:
        self.steps += 1
        if self.steps == self.left:
            raise Killed

    def stop(self, engine: Engine) -> None:
        event.remove(engine, "before_cursor_execute", self.step)
        event.remove(engine, "commit", self.step)


def run_to(engine: Engine, at: int | None, work: Callable[[Handler], None], server: Handler) -> int:
    """Do the work, killed at a step; returns the steps that were taken."""
    reaper = Reaper(engine, at)

    def handler(request: httpx.Request) -> httpx.Response:
        reaper.step()
        return server(request)

    try:
        work(handler)
    except Killed:
        pass
    finally:
        reaper.stop(engine)
    return reaper.steps


def contents(engine: Engine) -> list[Any]:
    """All that a run leaves, except the keys and the hours."""
    with Session(engine) as session:
        names: dict[int, list[str]] = {}
        for alias in session.exec(select(PaperAlias)):
            names.setdefault(alias.paper_id, []).append(f"{alias.source} {alias.external_id}")
        rows = [
            (
                *(paper.source, paper.external_id, paper.version, paper.title, paper.abstract),
                *(paper.announcement, paper.upvotes, paper.code_url, tuple(paper.categories)),
                tuple(sorted(names[paper.id or 0])),
            )
            for paper in session.exec(select(Paper))
        ]
        states = [
            (state.source, state.cursor, state.etag) for state in session.exec(select(SourceState))
        ]
    return [sorted(rows), sorted(states)]


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for model in (PaperAlias, Paper, FetchLog, SourceState):
            connection.execute(delete(model))


def hurry(engine: Engine) -> None:
    """PostgreSQL need not wait for its disk hundreds of times in a test."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(
                text(f'ALTER DATABASE "{engine.url.database}" SET synchronous_commit = off')
            )
        engine.dispose()


class YesterdayAndToday(HuggingFace):
    """Fewer days, and so fewer steps that are all alike."""

    def first_request(self, since: date, until: date) -> Request:
        return super().first_request(until - timedelta(days=1), until)


def everything(engine: Engine) -> Callable[[Handler], None]:
    """A run over three sources that list some of the same papers."""
    sources: list[Source] = [
        YesterdayAndToday(),
        ArxivOai(["cs.LG", "cs.CL"]),
        Feed("https://example.org/feed", "feed:example.org"),
    ]

    def work(handler: Handler) -> None:
        for source in sources:
            ingest(engine, source, handler, since=None)

    return work


def world(request: httpx.Request) -> httpx.Response:
    """All servers at once."""
    params = request.url.params
    if request.url.host == "huggingface.co":
        return httpx.Response(200, content=hf_day(1, 2) if params["date"][-1] == "3" else b"[]")
    if request.url.host == "example.org":
        return httpx.Response(200, content=rss(item(1), item(2)), headers={"ETag": '"v"'})
    first = f"cs:cs:LG {DAY - timedelta(days=7)}"
    second = f"cs:cs:CL {DAY - timedelta(days=7)}"
    pages = {
        first: oai_page(2, 3, token="t1"),
        "t1": oai_page(4, token="t2"),
        "t2": oai_page(3, 5, versions=2),
        second: oai_page(1, 6),
    }
    return oai_server(pages)(request)


def test_killed_at_any_step_and_run_again_the_rows_are_those_of_an_undisturbed_run(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    hurry(engine)
    work = everything(engine)
    points = run_to(engine, None, work, world)
    expected = contents(engine)
    assert len(expected[0]) == 8
    for point in range(1, points + 1):
        empty(engine)
        assert run_to(engine, point, work, world) == point
        run_to(engine, None, work, world)
        assert contents(engine) == expected, f"killed at step {point} of {points}"
    with capsys.disabled():
        print(f"\nkilled at each of {points} steps on {engine.dialect.name}: rows equal")


def test_killed_again_and_again_it_still_arrives(engine: Engine) -> None:
    hurry(engine)
    work = everything(engine)
    points = run_to(engine, None, work, world)
    expected = contents(engine)
    empty(engine)
    for point in range(5, points, 5):
        run_to(engine, point, work, world)
    run_to(engine, None, work, world)
    assert contents(engine) == expected
