"""`subscribers import --update`: a file changes who is known and brings nobody back."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter.core.categories import warning_about
from tests.support.command import Newsletter, dump

PEOPLE = """email,cadence,topic,keywords,categories
ada@reader.example,daily,Proofs,proof assistant,"cs.LO, math.LO"
bob@reader.example,weekly,,robot,cs.RO
left@reader.example,daily,,robot,cs.RO
"""
CHANGES = """email,cadence,max_papers,topic,keywords,categories
ada@reader.example,weekly,,Proofs,proof assistant; Lean,
bob@reader.example,weekly,,,,
left@reader.example,weekly,,,,
new@reader.example,weekly,,,,
bob@reader.example,hourly,,,,
bob@reader.example,,7,,,cs.RR
"""


@pytest.fixture
def newsletter(sqlite_engine: Engine, tmp_path: Path) -> Newsletter:
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "changes.csv").write_text(CHANGES)
    found = Newsletter(sqlite_engine, tmp_path)
    assert found.run("subscribers", "import", "people.csv", "--confirmed")[0] == 0
    assert found.run("subscribers", "unsubscribe", "left@reader.example")[0] == 0
    return found


UPDATE = ("subscribers", "import", "--update", "changes.csv")


def test_each_change_is_shown_old_and_new_and_a_dry_run_makes_none(
    newsletter: Newsletter, sqlite_engine: Engine
) -> None:
    before = dump(sqlite_engine)
    code, said, told = newsletter.run(*UPDATE, "--dry-run")
    assert "line 2: ada@reader.example: cadence: daily → weekly" in said
    assert "Proofs: keywords: proof assistant → proof assistant; Lean" in said
    assert "line 7: bob@reader.example: max_papers: 10 → 7" in said
    assert "4 values would change, 1 line already so, 3 lines refused; nothing was changed" in said
    assert "line 4: left@reader.example has unsubscribed" in told
    assert "line 5: new@reader.example is not a subscriber" in told
    assert "did you mean 'cs.LO'?" not in told  # a blank cell is nothing to doubt
    assert "category 'cs.RR' is not in the lists" in told
    assert (code, dump(sqlite_engine)) == (1, before)


def test_a_file_changes_what_it_states_and_nothing_else(newsletter: Newsletter) -> None:
    code, said, _ = newsletter.run(*UPDATE, "--json")
    assert (code, len(json.loads(said)["changed"])) == (1, 4)
    shown = {
        name: json.loads(
            newsletter.run("subscribers", "show", f"{name}@reader.example", "--json")[1]
        )
        for name in ("ada", "bob", "left")
    }
    ada, bob, left = (each.get("subscriber", each) for each in shown.values())
    assert (ada["cadence"], ada["max_papers"]) == ("weekly", 10)
    assert ada["topics"][0]["keywords"] == ["proof assistant", "Lean"]
    assert ada["topics"][0]["categories"] == ["cs.LO", "math.LO"]
    assert (bob["max_papers"], bob["topics"][0]["categories"]) == (7, ["cs.RR"])
    assert (left["status"], left["cadence"]) == ("unsubscribed", "daily")
    assert newsletter.run("subscribers", "show", "new@reader.example")[0] == 2


def test_a_dry_run_of_a_plain_import_and_a_missing_file_are_usage_errors(
    newsletter: Newsletter,
) -> None:
    code, _, told = newsletter.run("subscribers", "import", "changes.csv", "--dry-run")
    assert (code, "--dry-run goes with --update" in told) == (2, True)
    code, _, told = newsletter.run("subscribers", "import", "--update", "nowhere.csv")
    assert (code, "nowhere.csv: No such file" in told) == (2, True)


def test_doubts_are_warnings_and_change_no_exit_code(newsletter: Newsletter) -> None:
    add = ("subscribers", "add", "--confirmed")
    code, _, told = newsletter.run(*add, "none@reader.example")
    assert (code, "warning: topic" in told, "no interests" in told) == (0, True, True)
    code, _, told = newsletter.run(*add, "typo@reader.example", "--categories", "cs.CLL,cs.AI")
    assert (code, told.count("warning:")) == (0, 1)
    assert "did you mean 'cs.CL'?" in told
    code, _, told = newsletter.run(
        *add, "fine@reader.example", "--categories", "cs.CL;neuroscience"
    )
    assert (code, told) == (0, "")


@pytest.mark.parametrize(
    ("category", "nearest"),
    [("cs.CLL", "cs.CL"), ("hep-tn", "hep-th"), ("Neurosciense", "neuroscience")],
)
def test_a_mistyped_category_is_told_with_the_nearest(category: str, nearest: str) -> None:
    assert nearest in warning_about(category)


@pytest.mark.parametrize("category", ["cs.CL", "math", "q-bio.NC", "Bioinformatics", "HIV/AIDS"])
def test_a_known_category_raises_no_doubt(category: str) -> None:
    assert warning_about(category) == ""
