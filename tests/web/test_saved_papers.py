"""Saved papers: folders made, renamed and deleted, papers moved about, files by folder."""

import json
from collections.abc import Sequence

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import Feedback, Folder, Signal
from newsletter.core.tokens import Purpose
from newsletter.ranking.profiles import feedback
from newsletter.subscribers import accounts, folders
from newsletter.subscribers.accounts import row_id
from tests.support.factories import make_paper
from tests.support.visits import SIGNER, add_reader, everything, preferences, reader_of, visit


@pytest.fixture
def reader(engine: Engine) -> str:
    return add_reader(engine)


def save(engine: Engine, reader: str, count: int, *, first: int = 1) -> list[int]:
    """Papers that the reader saved, oldest first."""
    with session_scope(engine) as session:
        own = row_id(reader_of(session, reader))
        papers = [make_paper(session, number).id or 0 for number in range(first, first + count)]
        for paper in papers:
            feedback.record(session, own, paper, Signal.SAVED)
    return papers


def make_folder(client: httpx.Client, base: str, name: str) -> str:
    """A folder made by its form; gives the number in the address that the form leads to."""
    answer = client.post(f"{base}/saved/folders", data={"name": name})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("folder=")[2].partition("&")[0]


def move(
    client: httpx.Client, base: str, papers: Sequence[int], to: str, here: str = "all"
) -> httpx.Response:
    return client.post(
        f"{base}/saved/move",
        data={"paper": [str(paper) for paper in papers], "to": to, "folder": here},
    )


def in_folders(engine: Engine) -> dict[int, str]:
    """The folder of each saved paper."""
    with read_scope(engine) as session:
        names = {row.id: row.name for row in session.exec(select(Folder))}
        rows = session.exec(select(Feedback))
        return {row.paper_id: names.get(row.folder_id, "") for row in rows}


def test_papers_are_filed_renamed_exported_and_stay_when_their_folder_goes(
    engine: Engine, reader: str
) -> None:
    first, second, third = save(engine, reader, 3)
    base = preferences(reader)
    with visit(engine) as client:
        assert "Move the chosen to" not in client.get(f"{base}/saved").text
        looms = make_folder(client, base, "Looms & threads")
        assert move(client, base, [first, second], looms).status_code == 303
        assert in_folders(engine) == {
            first: "Looms & threads",
            second: "Looms & threads",
            third: "",
        }
        page = client.get(f"{base}/saved?folder={looms}").text
        assert "A study of thing 1" in page
        assert "A study of thing 3" not in page
        unfiled = client.get(f"{base}/saved?folder=none").text
        assert "A study of thing 3" in unfiled
        assert "A study of thing 1" not in unfiled

        file = client.get(f"{base}/saved.json?folder={looms}")
        assert {entry["title"] for entry in json.loads(file.text)} == {
            "A study of thing 1",
            "A study of thing 2",
        }
        assert 'filename="looms-threads.json"' in file.headers["content-disposition"]
        assert "thing 3" in client.get(f"{base}/saved.bib?folder=none").text
        assert "thing 3" not in client.get(f"{base}/saved.ris?folder={looms}").text
        assert client.get(f"{base}/saved.ris?folder=all").text.count("TY  - ") == 3

        data = client.post(
            f"/account/{SIGNER.sign(Purpose.ERASE, reader, lifetime=60)}/export.json"
        ).json()
        assert sorted(each["folder"] for each in data["feedback"]) == [
            "",
            "Looms & threads",
            "Looms & threads",
        ]
        assert data["folders"] == ["Looms & threads"]

        client.post(f"{base}/saved/folders/{looms}/rename", data={"name": "Weaving"})
        assert in_folders(engine)[first] == "Weaving"
        assert move(client, base, [second], "none", looms).status_code == 303
        assert in_folders(engine) == {first: "Weaving", second: "", third: ""}
        client.post(f"{base}/saved/remove", data={"paper": str(third)})
        assert in_folders(engine) == {first: "Weaving", second: ""}
        deleted = client.post(f"{base}/saved/folders/{looms}/delete")
        assert "still saved" in client.get(deleted.headers["location"]).text
        assert in_folders(engine) == {first: "", second: ""}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "needs a name"),
        ("   ", "needs a name"),
        ("\u200b\u2060", "needs a name"),
        ("WEAVING", "you have a folder"),
        ("x" * 61, "the maximum is 60"),
        ("two\nlines", "line break"),
    ],
)
def test_a_bad_name_is_refused_with_a_reason(
    engine: Engine, reader: str, name: str, said: str
) -> None:
    base = preferences(reader)
    with visit(engine) as client:
        make_folder(client, base, "Weaving")
        before = everything(engine)
        answer = client.post(f"{base}/saved/folders", data={"name": name})
    assert answer.status_code == 422
    assert said in answer.text
    assert everything(engine) == before


def test_there_are_at_most_fifty_folders(engine: Engine, reader: str) -> None:
    with session_scope(engine) as session:
        own = row_id(reader_of(session, reader))
        for number in range(folders.MOST_FOLDERS):
            folders.create(session, own, f"Folder {number}")
    base = preferences(reader)
    with visit(engine) as client:
        assert client.post(f"{base}/saved/folders", data={"name": "More"}).status_code == 422
        assert "New folder" not in client.get(f"{base}/saved").text


def test_nobody_reaches_anothers_folder(engine: Engine, reader: str) -> None:
    [paper] = save(engine, reader, 1)
    other = add_reader(engine, "other@reader.example")
    with session_scope(engine) as session:
        theirs = folders.create(session, row_id(reader_of(session, other)), "Private")
    base = preferences(reader)
    before = everything(engine)
    with visit(engine) as client:
        assert "Private" not in client.get(f"{base}/saved").text
        for path in ("saved", "saved.bib", "saved.ris", "saved.json"):
            assert client.get(f"{base}/{path}?folder={theirs}").status_code == 404
            assert client.get(f"{base}/{path}?folder=x").status_code == 422
        rename = f"{base}/saved/folders/{theirs}/rename"
        assert client.post(rename, data={"name": "Mine"}).status_code == 404
        client.post(f"{base}/saved/folders/{theirs}/delete")
        assert "no longer exists" in move(client, base, [paper], str(theirs)).text
        assert "tick at least one paper" in move(client, base, [], "none").text
        assert "not saved any more" in move(client, base, [999], "none").text
    assert everything(engine) == before


def test_a_saved_paper_is_filed_on_its_own_page(engine: Engine, reader: str) -> None:
    [paper] = save(engine, reader, 1)
    base = preferences(reader)
    with visit(engine) as client:
        page = f"{base}/paper/{paper}"
        assert 'action="/preferences' in client.get(page).text
        assert "no folder" not in client.get(page).text
        looms = make_folder(client, base, "Looms")
        assert f'<option value="{looms}">Looms' in client.get(page).text
        moved = client.post(f"{page}/file", data={"to": looms})
        assert "Moved." in client.get(moved.headers["location"]).text
        assert in_folders(engine) == {paper: "Looms"}
        assert f'<option value="{looms}" selected>' in client.get(page).text
        client.post(f"{page}/unsave")
        assert client.post(f"{page}/file", data={"to": looms}).status_code == 404


def test_long_lists_come_in_pages_and_everything_goes_with_the_reader(
    engine: Engine, reader: str
) -> None:
    save(engine, reader, folders.PAGE + 1)
    base = preferences(reader)
    with visit(engine) as client:
        first, last = (client.get(f"{base}/saved?page={page}").text for page in (1, 2))
        make_folder(client, base, "Looms")
    assert "Page 1 of 2" in first
    assert (first.count('name="paper"'), last.count('name="paper"')) == (folders.PAGE, 1)
    with session_scope(engine) as session:
        accounts.erase(session, reader)
        assert session.exec(select(Folder)).all() == []
