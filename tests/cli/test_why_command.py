"""`newsletter why` for a part of a title: one paper is answered for, several are listed."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter.core.database import session_scope
from tests.support import factories
from tests.support.command import Newsletter

ADA = "ada@reader.example"
TITLES = ("Program repair by search: part I", "Program repair by search: part II", "Old coins")


@pytest.fixture
def newsletter(sqlite_engine: Engine, tmp_path: Path) -> Newsletter:
    with session_scope(sqlite_engine) as session:
        for number, title in enumerate(TITLES, start=1):
            factories.make_paper(session, number, title=title)
    newsletter = Newsletter(sqlite_engine, tmp_path)
    newsletter.run("subscribers", "add", ADA, "--confirmed", "--keywords", "program repair")
    return newsletter


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["words", "json"])
def test_a_part_of_several_titles_lists_them_and_exits_with_2(
    newsletter: Newsletter, options: tuple[str, ...]
) -> None:
    code, said, errors = newsletter.run("why", ADA, "repair by search", *options)
    assert (code, said) == (2, "")
    assert "“repair by search” stands in 2 titles" in errors
    assert all(title in errors for title in TITLES[:2])
    assert TITLES[2] not in errors


def test_a_part_of_one_title_is_enough(newsletter: Newsletter) -> None:
    code, said, _ = newsletter.run("why", ADA, "coins", "--json")
    assert code == 0
    assert json.loads(said)["paper"]["title"] == "Old coins"


def test_a_title_that_is_not_here_is_not_ingested_and_no_title_is_wrong_use(
    newsletter: Newsletter,
) -> None:
    code, said, _ = newsletter.run("why", ADA, "Program repair by search: part III", "--json")
    assert (code, json.loads(said)["outcome"]) == (0, "not_ingested")
    code, _, errors = newsletter.run("why", ADA, "  ")
    assert code == 2
    assert "PAPER is empty" in errors
