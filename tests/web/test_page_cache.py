"""Pages that are the same for everybody are kept, and a change to the data is on the next one."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, event, update
from sqlmodel import Session, col

from newsletter.core import database, language
from newsletter.core.config import Settings
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Feedback, Paper, Signal
from newsletter.subscribers import accounts
from newsletter.subscribers.accounts import row_id
from newsletter.web import signup
from newsletter.web.page_cache import Kept
from newsletter.web.paper_lists import cards
from newsletter.web.site import Site
from tests.support.command import Newsletter
from tests.support.factories import make_paper
from tests.support.statements import statements
from tests.support.visits import KEY, SIGNER, add_reader, preferences, reader_of, send_digest, visit

DAY = "2026-11-20"
PUBLIC = (
    *("/", "/?order=trending", f"/day/{DAY}", f"/week/{DAY}", f"/month/{DAY}", "/feed.atom"),
    *("/feed.json", f"/day/{DAY}/feed.atom", "/search?q=thing", "/search?category=cs.SE"),
)


@pytest.fixture
def papers(engine: Engine) -> list[int]:
    return send_digest(engine, add_reader(engine), count=3)[1]


@pytest.mark.usefixtures("papers")
def test_what_is_kept_is_sent_without_reading_papers_again(engine: Engine) -> None:
    with visit(engine) as client:
        first = [client.get(page).content for page in PUBLIC]
        with statements(engine) as told:
            assert [client.get(page).content for page in PUBLIC] == first
        assert [line for line in told if "paper" in line] == []
        if engine.dialect.name == "sqlite":
            with statements(engine) as told:
                assert client.get("/").content == first[0]
            assert told == []


@pytest.mark.usefixtures("papers")
def test_a_page_never_takes_a_second_line_to_the_database(engine: Engine) -> None:
    out = most = 0

    def taken(*_: Any) -> None:
        nonlocal out, most
        out += 1
        most = max(most, out)

    def given_back(*_: Any) -> None:
        nonlocal out
        out -= 1

    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", given_back)
    with visit(engine) as client:
        for page in (*PUBLIC, "/sign-up", "/search?q=thimg"):
            assert client.get(page).status_code == 200
            assert (page, out, most) == (page, 0, 1)


def test_the_empty_sign_up_form_is_made_once_a_minute_whatever_is_committed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(signup, "time", SimpleNamespace(monotonic=lambda: now))
    with visit(engine) as client:
        first = client.get("/sign-up").text
        with session_scope(engine) as session:
            make_paper(session, 1, title="Looms that think")
        with statements(engine) as told:
            assert client.get("/sign-up").text == first
        assert told == []
        assert client.get("/sign-up", headers={"Accept-Language": "de"}).text != first
        now += signup.SECONDS_KEPT
        assert "Looms that think" in client.get("/sign-up").text


Change = Callable[[Session, list[int]], None]


def _set(**values: Any) -> Change:
    def change(session: Session, papers: list[int]) -> None:
        session.execute(update(Paper).where(col(Paper.id) == papers[0]).values(values))

    return change


def _save_three_times(session: Session, papers: list[int]) -> None:
    for number in range(3):
        reader = accounts.add(
            session, SIGNER, email=f"r{number}@reader.example", confirmed=True, source="test"
        )
        session.add(Feedback(subscriber_id=row_id(reader), paper_id=papers[0], signal=Signal.SAVED))


@pytest.mark.parametrize(
    ("change", "pages"),
    [
        (_set(title="A thing renamed"), PUBLIC),
        (_set(standing="retracted"), ("/", f"/week/{DAY}", "/search?q=thing")),
        (_set(upvotes=77), ("/", f"/day/{DAY}", "/search?q=thing")),
        (_set(abstract="It says something else now, a thing."), ("/", "/feed.json", PUBLIC[-2])),
        (_set(categories=["stat.ML"]), ("/", "/search?category=cs.SE")),
        (_set(first_seen_at=utc_now().replace(year=2025)), ("/", f"/month/{DAY}", "/feed.atom")),
        (lambda session, ids: session.delete(session.get_one(Paper, ids[0])), PUBLIC),
        (_save_three_times, ("/?order=trending",)),
    ],
)
def test_a_change_is_on_the_very_next_page_whoever_made_it(
    engine: Engine, papers: list[int], change: Change, pages: tuple[str, ...]
) -> None:
    # Another engine has connections of its own, as another process has.
    other = database.connect(engine.url.render_as_string(hide_password=False))
    with visit(engine) as client, visit(other) as elsewhere:
        before = {page: client.get(page).text for page in pages}
        assert before == {page: elsewhere.get(page).text for page in pages}
        with session_scope(engine) as session:
            change(session, papers)
        after = {page: client.get(page).text for page in pages}
        assert after == {page: elsewhere.get(page).text for page in pages}
        assert [page for page in pages if after[page] == before[page]] == []
    other.dispose()


@pytest.mark.usefixtures("papers")
def test_what_a_command_brings_is_on_the_very_next_page(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "new.jsonl"
    row = {"source": "arxiv", "external_id": "2611.00077", "title": "Looms that think", "abstract":
           "We weave a thing.", "authors": ["Ada"], "url": "https://arxiv.org/abs/2611.00077",
           "published_at": f"{DAY}T00:00:00+00:00"}  # fmt: skip
    file.write_text(json.dumps(row) + "\n")
    with visit(engine) as client:
        pages = ("/", "/search?q=thing", "/feed.json")
        assert not any("Looms that think" in client.get(page).text for page in pages)
        code, _, errors = Newsletter(engine, tmp_path).run("ingest", "--file", file)
        assert (code, errors) == (0, "")
        assert all("Looms that think" in client.get(page).text for page in pages)


def test_what_was_not_committed_is_not_shown(engine: Engine, papers: list[int]) -> None:
    with visit(engine) as client:
        before = client.get("/").text
        with database.trial_scope(engine) as session:
            session.get_one(Paper, papers[0]).title = "Never said"
            session.flush()
            assert client.get("/").text == before
        assert client.get("/").text == before


def test_a_page_of_one_reader_is_never_kept(engine: Engine) -> None:
    ada, bob = add_reader(engine, "ada@reader.example"), add_reader(engine, "bob@reader.example")
    with session_scope(engine) as session:
        reader_of(session, bob).max_papers = 33
    with visit(engine) as client:
        for _ in range(2):
            with statements(engine) as told:
                assert 'value="33"' in client.get(preferences(bob)).text
                assert 'value="33"' not in client.get(preferences(ada)).text
            assert sum("FROM subscriber" in line for line in told) == 2
        with session_scope(engine) as session:
            reader_of(session, bob).max_papers = 34
        assert 'value="34"' in client.get(preferences(bob)).text


def test_a_value_is_of_one_state_one_key_and_one_language(engine: Engine) -> None:
    kept = Kept(engine)
    with read_scope(engine) as session:
        state = kept.state(session)
    kept.keep(state, "page", b"old")
    assert kept.get(state, "page") == b"old"
    assert kept.get(state, "another") is None
    assert kept.several(state, ["another", "page"]) == [None, b"old"]
    with language.speaking("de"):
        assert kept.get(state, "page") is None
    with session_scope(engine) as session:
        make_paper(session)
    with read_scope(engine) as session:
        newer = kept.state(session)
    assert kept.several(newer, ["page", "another"]) == [None, None]
    # A page that began before the change and ended after the next one: never taken for new.
    kept.keep(newer, "page", b"new")
    kept.keep(state, "page", b"late")
    assert kept.get(newer, "page") is None
    assert kept.made(newer, "page", lambda: b"again") == b"again"


def test_a_feed_leaves_out_a_paper_that_is_removed_while_it_is_made(
    engine: Engine, papers: list[int]
) -> None:
    left = papers[1:2]

    def remove_one(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "ORDER BY paper.upvotes" in statement and left:
            with session_scope(engine) as session:
                session.delete(session.get_one(Paper, left.pop()))

    with visit(engine) as client:
        event.listen(engine, "after_cursor_execute", remove_one)
        # On SQLite this reading does not see the removal yet.
        is_seen = engine.dialect.name == "postgresql"
        for number in (2 if is_seen else 3, 2):
            page = client.get("/feed.json")
            assert page.status_code == 200
            assert len(page.json()["items"]) == number


def test_without_a_known_state_nothing_is_kept(sqlite_engine: Engine) -> None:
    kept = Kept(sqlite_engine)
    kept.keep(None, "page", b"old")
    assert kept.get(None, "page") is None
    assert kept.made(None, "page", lambda: b"new") == b"new"


def test_what_is_kept_stays_within_its_bound(sqlite_engine: Engine) -> None:
    kept = Kept(sqlite_engine, most=20_000)
    with read_scope(sqlite_engine) as session:
        state = kept.state(session)
    for number in range(100):
        kept.keep(state, number, b"x" * 1000)
        assert kept.get(state, 0) is not None  # used all the time, so others go first
    there = [number for number in range(100) if kept.get(state, number) is not None]
    assert 10 <= len(there) < 20
    assert there[0] == 0
    assert there[1:] == [*range(101 - len(there), 100)]
    kept.keep(state, "huge", b"x" * 30_000)
    assert kept.get(state, "huge") is None


def test_a_paper_that_went_into_another_meanwhile_has_no_card(
    engine: Engine, papers: list[int]
) -> None:
    settings = Settings(secret_keys=(KEY,), from_address="papers@papers.example")
    site = Site(engine, settings, SIGNER)
    with site.reading() as session:
        state = site.kept.state(session)
        shown = cards(site, session, state, papers)
        assert shown
        assert cards(site, session, state, [*papers, 999_999]) == shown
