"""One subscriber, changed by the operator in one step."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import session_scope
from newsletter.core.models import Delivery, DeliveryStatus, QuietNotes, Subscriber
from tests.support import factories
from tests.support.command import Newsletter, dump

ADA = "ada@reader.example"


@pytest.fixture
def newsletter(engine: Engine, tmp_path: Path) -> Newsletter:
    command = Newsletter(engine, tmp_path)
    code, _, said = command.run(
        "subscribers", "add", ADA, "--confirmed", "--topic", "Soil", "--keywords", "loam;clay",
        "--max-papers", "7",
    )  # fmt: skip
    assert code == 0, said
    return command


def shown(newsletter: Newsletter, email: str = ADA) -> dict[str, Any]:
    code, said, _ = newsletter.run("subscribers", "show", email, "--json")
    assert code == 0
    found: dict[str, Any] = json.loads(said)["subscriber"]
    return found


def test_what_is_given_changes_and_the_rest_stays(newsletter: Newsletter, engine: Engine) -> None:
    code, _, _ = newsletter.run(
        "subscribers", "set", ADA, "--cadence", "weekly", "--weekday", "friday",
        "--keywords", "peat", "--timezone", "europe/berlin", "--tell-when-nothing", "Never",
        "--language", "DE", "--length", "full", "--vacation-until", "2099-12-24",
    )  # fmt: skip
    assert code == 0
    found = shown(newsletter)
    assert (found["cadence"], found["weekday"], found["timezone"]) == ("weekly", 4, "Europe/Berlin")
    assert found["max_papers"] == 7
    assert (found["language"], found["length"], found["group"]) == ("de", "full", None)
    assert (found["tell_when_nothing"], found["vacation_until"]) == ("never", "2099-12-24")
    _, said, _ = newsletter.run("subscribers", "show", ADA)
    assert re.search(r"^language: +de$", said, re.MULTILINE)
    assert re.search(r"^fill_list: +no$", said, re.MULTILINE)
    with session_scope(engine) as session:
        assert session.exec(select(Subscriber.tell_when_nothing)).one() is QuietNotes.NEVER
    [topic] = found["topics"]
    assert (topic["name"], topic["keywords"]) == ("Soil", ["peat"])


def test_an_empty_list_is_cleared_and_a_new_topic_is_made(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "set", ADA, "--keywords", "")
    assert shown(newsletter)["topics"][0]["keywords"] == []
    newsletter.run("subscribers", "set", ADA, "--topic", "Bees", "--keywords", "hives")
    assert [topic["name"] for topic in shown(newsletter)["topics"]] == ["Soil", "Bees"]
    code, _, said = newsletter.run("subscribers", "set", ADA, "--keywords", "which topic?")
    assert code == 2
    assert "'Soil', 'Bees'" in said
    newsletter.run("subscribers", "set", ADA, "--topic", "bees", "--mutes", "honey")
    assert shown(newsletter)["topics"][1]["keywords"] == ["hives"]
    assert shown(newsletter)["topics"][1]["mutes"] == ["honey"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--cadence", "hourly"], "hourly"),
        (["--send-hour", "24"], "24"),
        (["--timezone", "Mars/Olympus"], "Mars/Olympus"),
        (["--max-papers", "0"], "--max-papers"),
        (["--tell-when-nothing", "hourly"], "must be one of: daily, weekly, never"),
        ([], "nothing to change"),
    ],
)
def test_a_value_that_cannot_be_is_one_line_and_changes_nothing(
    newsletter: Newsletter, engine: Engine, arguments: list[str], why: str
) -> None:
    before = dump(engine)
    code, _, said = (
        newsletter.run("subscribers", "set", ADA, "--name", "Ada", *arguments)
        if (arguments)
        else newsletter.run("subscribers", "set", ADA)
    )
    assert (code, why in said) == (2, True)
    assert dump(engine) == before


@pytest.mark.parametrize("command", [["set", "--name", "x"], ["unsubscribe"], ["rename"]])
def test_an_unknown_address_is_one_line(newsletter: Newsletter, command: list[str]) -> None:
    verb, *options = command
    more = ["new@reader.example"] if verb == "rename" else []
    code, _, said = newsletter.run("subscribers", verb, "who@x.example", *more, *options)
    assert code == 2
    assert "who@x.example" in said


def test_unsubscribing_ends_all_mail_and_an_import_does_not_bring_them_back(
    newsletter: Newsletter, tmp_path: Path
) -> None:
    assert newsletter.run("subscribers", "unsubscribe", ADA)[0] == 0
    assert shown(newsletter)["status"] == "unsubscribed"
    code, said, _ = newsletter.run("subscribers", "unsubscribe", ADA)
    assert (code, "already" in said) == (0, True)
    (tmp_path / "people.csv").write_text(f"email\n{ADA}\n")
    newsletter.run("subscribers", "import", "people.csv", "--confirmed")
    assert shown(newsletter)["status"] == "unsubscribed"


def test_a_renamed_subscriber_keeps_topics_and_what_waits_goes_to_the_new_address(
    newsletter: Newsletter, engine: Engine
) -> None:
    with session_scope(engine) as session:
        ada = session.exec(select(Subscriber)).one()
        edition = factories.make_edition(session)
        waiting = factories.make_delivery(session, edition, ada)
        other = factories.make_edition(session, factories.ISSUE_DATE.replace(day=19))
        sent = factories.make_delivery(session, other, ada, status=DeliveryStatus.SENT, attempts=1)
    code, said, _ = newsletter.run("subscribers", "rename", ADA, "Lovelace@Reader.example")
    assert (code, "lovelace@reader.example" in said) == (0, True)
    assert shown(newsletter, "lovelace@reader.example")["topics"][0]["keywords"] == ["loam", "clay"]
    with session_scope(engine) as session:
        assert session.get_one(Delivery, waiting.id).to_address == "lovelace@reader.example"
        assert session.get_one(Delivery, sent.id).to_address == ADA


def test_nobody_is_renamed_to_an_address_that_is_taken_or_left(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "add", "bob@reader.example", "--confirmed")
    newsletter.run("subscribers", "add", "cy@reader.example", "--confirmed")
    newsletter.run("subscribers", "erase", "cy@reader.example", "--yes")
    for taken, why in (("bob@reader.example", "already"), ("cy@reader.example", "erased")):
        code, _, said = newsletter.run("subscribers", "rename", ADA, taken)
        assert (code, why in said) == (2, True)
    assert shown(newsletter)["email"] == ADA


def test_a_filtered_list_says_what_it_left_out(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "add", "bob@reader.example")
    code, said, note = newsletter.run("subscribers", "list", "--status", "active")
    assert code == 0
    assert ADA in said
    assert "bob@" not in said
    assert "1 of 2 subscribers: only status active" in note
    _, said, _ = newsletter.run("subscribers", "list", "--topic", "soil", "--json")
    found = json.loads(said)
    assert [row["email"] for row in found["subscribers"]] == [ADA]
    assert (found["filters"], found["of"]) == ({"topic": "soil"}, 2)
