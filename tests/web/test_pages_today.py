"""Previews of today's digest: ranked on the spot, nothing written, the papers kept in memory."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from newsletter.core.database import session_scope, utc_now
from newsletter.ranking.profiles import training
from tests.support.factories import make_paper
from tests.support.statements import statements
from tests.support.visits import add_reader, everything, preferences, visit

WORDS = ["engine", "loom", "galaxy", "protein", "poetry"]


@pytest.fixture
def reader(engine: Engine) -> str:
    return add_reader(engine)


def fresh_papers(engine: Engine, count: int = 25, start: int = 1) -> list[int]:
    with session_scope(engine) as session:
        return [
            make_paper(
                session,
                number,
                title=f"On the {WORDS[number % 5]} of {WORDS[(number // 5) % 5]} number {number}",
                abstract=f"We look at {WORDS[number % 5]} and {WORDS[number % 3]} again.",
                first_seen_at=utc_now(),
            ).id
            or 0
            for number in range(start, start + count)
        ]


@pytest.mark.parametrize("trained", [False, True])
def test_looking_at_previews_tells_the_database_to_write_nothing(
    engine: Engine, reader: str, trained: bool
) -> None:
    fresh_papers(engine)
    if trained:
        training.train(engine)
        fresh_papers(engine, start=100)  # without vectors yet
    before = everything(engine)
    with visit(engine) as client, statements(engine) as told:
        for page in ("today", "sharpen", "learned", "ratings", ""):
            assert client.get(f"{preferences(reader)}/{page}".rstrip("/")).status_code == 200
    assert told
    assert [
        line for line in told if not line.lstrip().upper().startswith(("SELECT", "BEGIN"))
    ] == []
    assert everything(engine) == before


def test_the_papers_are_loaded_once_for_many_previews_and_new_ones_at_once(
    engine: Engine, reader: str
) -> None:
    fresh_papers(engine)
    other = add_reader(engine, "eve@reader.example")

    def loads(told: list[str]) -> int:
        return sum("paper_vector.vector" in line and "IN (" in line for line in told)

    with visit(engine) as client:
        client.get(f"{preferences(reader)}/today")
        with statements(engine) as told:
            for public_id in (reader, other):
                assert client.get(f"{preferences(public_id)}/today").status_code == 200
                assert client.get(f"{preferences(public_id)}/sharpen").status_code == 200
        assert loads(told) == 0
        with session_scope(engine) as session:
            make_paper(session, 500, title="An engine of engines", first_seen_at=utc_now())
        assert "An engine of engines" in client.get(f"{preferences(reader)}/today").text


def test_a_form_is_tried_on_todays_papers_before_it_is_saved(engine: Engine, reader: str) -> None:
    fresh_papers(engine)
    base = preferences(reader)
    before = everything(engine)
    form = {
        "max_papers": "3",
        "outside_picks-there": "1",
        "topic-0-name": "Galaxies",
        "topic-0-keywords": "galaxy",
        "topic-0-mutes": "poetry",
    }
    with visit(engine) as client:
        assert f'formaction="{base}/preview' in client.get(base).text
        page = client.post(f"{base}/preview", data=form)
        assert page.status_code == 200
        assert page.text.count('class="why"') == 3
        assert "galaxy" in page.text.split('id="preview"')[1]
        assert "poetry" not in page.text.split('id="preview"')[1]
        assert 'value="3"' in page.text
        assert "Not saved yet" in page.text
        assert everything(engine) == before
        wrong = client.post(f"{base}/preview", data=form | {"max_papers": "500"})
        assert wrong.status_code == 422
        assert everything(engine) == before
        assert client.post(base, data=form).status_code == 303
        saved = client.get(f"{base}/today").text
    shown = page.text.split('id="preview"')[1]
    titles = [line for line in saved.splitlines() if "/paper/" in line]
    assert len(titles) == 3
    assert all(line.split('href="')[1].split('"')[0] in shown for line in titles)


def test_a_preview_of_nothing_says_why(engine: Engine, reader: str) -> None:
    base = preferences(reader)
    with visit(engine) as client:
        page = client.post(f"{base}/preview", data={"topic-0-name": "Engines"})
    assert "You would get no digest today" in page.text


def test_papers_of_a_quiet_fortnight_are_offered_where_this_week_has_too_few(
    engine: Engine, reader: str
) -> None:
    with session_scope(engine) as session:
        for number in range(1, 13):
            seen = utc_now() - timedelta(days=14)
            make_paper(session, number, title=f"An engine, {number}", first_seen_at=seen)
    with visit(engine) as client:
        page = client.get(f"{preferences(reader)}/sharpen").text
    assert page.count("Not relevant</button>") == 10


def test_a_preview_holds_up_no_writer_and_only_one_is_ranked_for_a_subscriber(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.web import today

    reader = add_reader(engine)
    link = preferences(reader)
    form = {"topic-0-name": "Engines", "topic-0-keywords": "engine"}
    seen: list[int] = []

    with visit(engine) as client:

        def while_ranking(*_: object) -> today.Today:
            if not seen:
                seen.append(
                    client.post("/sign-up", data={"email": "new@reader.example"}).status_code
                )
                seen.append(client.post(f"{link}/preview", data=form).status_code)
                seen.append(client.get(f"{link}/today").status_code)
            return today.Today(None, "it is a test")

        monkeypatch.setattr(today, "rank_today", while_ranking)
        assert client.post(f"{link}/preview", data=form).status_code == 200
        assert seen == [200, 429, 429]
        assert client.post(f"{link}/preview", data=form).status_code == 200


def test_a_preview_of_a_thousand_interests_is_the_most(engine: Engine) -> None:
    reader = add_reader(engine)
    link = preferences(reader)
    form = {
        f"topic-{topic}-{field}": value
        for topic in range(20)
        for field, value in (
            ("name", f"Topic {topic}"),
            ("keywords", "\n".join(f"word {topic} {number}" for number in range(190))),
        )
    }
    with visit(engine) as client:
        for path in (link, f"{link}/preview"):
            answer = client.post(path, data=form)
            assert answer.status_code == 422
            assert "3800 interests in all; at most 1000" in answer.text
