"""Wrong use of a command is one line that names options as they are typed, and exit code 2."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter.cli import COMMANDS
from tests.support.command import Newsletter


@pytest.fixture
def newsletter(sqlite_engine: Engine, tmp_path: Path) -> Newsletter:
    return Newsletter(sqlite_engine, tmp_path)


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("status --date 2026-02-30", "--date: '2026-02-30' is not a date like 2026-11-22"),
        ("ingest --since yesterday", "--since: 'yesterday' is not a date like 2026-11-22"),
        ("send --limit many", "--limit: 'many' is not a whole number"),
        ("send --limit 1.5", "--limit: '1.5' is not a whole number"),
        ("send --connections 0", "--connections: '0' is less than 1"),
        ("send --workers 65", "--workers: '65' is more than 64"),
        ("send --rate fast", "--rate: 'fast' is not a rate like 10/s, 600/m or 3600/h"),
        ("send --rate", "Option '--rate' requires an argument"),
        ("serve --port http", "--port: 'http' is not a whole number"),
        (
            "retry --status lost",
            "--status lost: only deferred, expired, failed, uncertain can be retried",
        ),
        ("retry --broadcast x", "--broadcast: 'x' is not a whole number"),
        ("broadcast --file text.md", "Missing option '--subject'"),
        ("subscribers add", "Missing argument 'email'"),
        ("why ada@reader.example", "Missing argument 'paper'"),
        ("status --jsn", "No such option: --jsn (Possible options: --json)"),
        ("status today", "unexpected extra argument(s) (today)"),
        ("subscribers lst", "No such command 'lst'"),
        ("subscribers import f.csv --confirm", "No such option: --confirm"),
    ],
)
def test_a_slip_is_named_in_one_line(newsletter: Newsletter, command: str, what: str) -> None:
    code, said, told = newsletter.run(*command.split())
    assert (code, said, told.count("\n")) == (2, "", 1)
    assert told.startswith("error: ")
    assert what in told
    code, said, told = newsletter.run(*command.split(), "--json")
    assert (code, said) == (2, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_an_unknown_option_in_one_line(
    newsletter: Newsletter, name: str
) -> None:
    code, said, told = newsletter.run(name, "--unheard-of")
    assert (code, said) == (2, "")
    assert told == (f"error: No such option: --unheard-of; see `newsletter {name} --help`\n"), told


def test_a_group_without_a_command_shows_its_commands(newsletter: Newsletter) -> None:
    code, _, told = newsletter.run("subscribers")
    assert code == 2
    assert "Usage: newsletter subscribers" in told
