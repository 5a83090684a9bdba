"""`newsletter preview` on a day without papers says so, and why. That is no failure."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter.core.database import session_scope
from newsletter.ranking.profiles import training
from tests.support import factories
from tests.support.command import Newsletter

ADA = "ada@reader.example"
NO_NEWS = "There are no papers for you today: there are no new papers."


def preview_of(newsletter: Newsletter) -> tuple[str, str]:
    """The text of Ada's digest in one line, and what is told beside it."""
    code, said, told = newsletter.run("preview", ADA)
    assert code == 0, told
    return " ".join(said.split()), told


def test_a_preview_without_news_tells_why_with_exit_code_0(engine: Engine, tmp_path: Path) -> None:
    newsletter = Newsletter(engine, tmp_path)
    newsletter.run("subscribers", "add", ADA, "--confirmed", "--keywords", "program repair")
    said, told = preview_of(newsletter)
    assert NO_NEWS in said
    assert "0 papers" in told
    assert "subject: No new papers for you today" in told


@pytest.mark.parametrize(
    ("wish", "why", "advice"),
    [
        (
            ("--keywords", "Byzantine coins;medieval pottery"),
            "none of the new papers is about your topics",
            "To get more, add keywords",
        ),
        (
            ("--keywords", "program repair", "--min-score", "100"),
            "no new paper reached your minimum match of 100",
            "To get more, lower your minimum match",
        ),
        (
            ("--keywords", "program repair", "--mutes", "study"),
            "what you muted hides every new paper",
            "To get more, mute less",
        ),
    ],
)
def test_a_preview_of_papers_that_do_not_fit_tells_why_and_how_to_widen(
    sqlite_engine: Engine, tmp_path: Path, wish: tuple[str, ...], why: str, advice: str
) -> None:
    with session_scope(sqlite_engine) as session:
        for number in range(1, 4):
            factories.make_paper(session, number, title=f"A study of program repair {number}")
    training.train(sqlite_engine)
    newsletter = Newsletter(sqlite_engine, tmp_path)
    code, _, told = newsletter.run("subscribers", "add", ADA, "--confirmed", *wish)
    assert code == 0, told
    said, told = preview_of(newsletter)
    assert f"{why}. {advice}" in said
    assert "A study of program repair" not in said
    assert "0 papers" in told


def test_a_preview_with_a_paper_does_not_speak_of_a_quiet_day(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    with session_scope(sqlite_engine) as session:
        factories.make_paper(session, 1, title="A study of program repair")
    training.train(sqlite_engine)
    newsletter = Newsletter(sqlite_engine, tmp_path)
    newsletter.run("subscribers", "add", ADA, "--confirmed", "--keywords", "program repair")
    said, told = preview_of(newsletter)
    assert "A study of program repair" in said
    assert "there are no papers for you" not in said
    assert "1 papers" in told
