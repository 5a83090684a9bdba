"""What a stranger wrote commands no terminal and no log: control characters are shown."""

import io
import json
import logging
import re
from pathlib import Path

import pytest
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import Engine

from newsletter.cli.common import print_json
from newsletter.cli.console import SafeConsole
from newsletter.cli.say import VisibleRecord, say
from newsletter.core.one_line import visible
from tests.support.command import Newsletter
from tests.support.preloaded import ROOT

# Clears the screen, rings, goes back to overwrite, sets the title (C1), turns the direction.
NASTY = "a\x1b[2Jb\x07c\rd\x9d0;e\u202ef\u2066g\x08h\x7fi\ud800j"
SHOWN = r"a\x1b[2Jb\x07c\x0dd\x9d0;e\u202ef\u2066g\x08h\x7fi\ud800j"
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printed(*objects: object, markup: bool = True) -> str:
    stream = io.StringIO()
    SafeConsole(file=stream, soft_wrap=True, highlight=False).print(*objects, markup=markup)
    return stream.getvalue()


@pytest.mark.parametrize("markup", [True, False])
def test_a_console_shows_what_would_command_the_terminal(markup: bool) -> None:
    assert printed(f"name: {NASTY}", markup=markup) == f"name: {SHOWN}\n"


def test_so_do_tables_titles_and_progress_bars() -> None:
    table = Table(NASTY, title=NASTY)
    table.add_row(NASTY)
    said = printed(table)
    assert said.count(r"\x1b[2J") == 3
    stream = io.StringIO()
    console = SafeConsole(file=stream, force_terminal=True, width=200, color_system=None)
    with Progress(console=console) as bar:
        bar.add_task(NASTY)
    assert r"\x1b[2J" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    assert not COMMANDS.search(said)


def test_colours_of_ours_and_text_of_all_languages_stay() -> None:
    stream = io.StringIO()
    SafeConsole(file=stream, force_terminal=True, color_system="standard").print("[red]no[/]")
    assert stream.getvalue() == "\x1b[31mno\x1b[0m\n"
    for text in ("Zoë → 你好 مرحبا 👩\u200d🔬", "two\nlines\tand a tab", r"C:\x1b"):
        assert visible(text) == text


def test_lines_without_rich_show_them_too(capsys: pytest.CaptureFixture[str]) -> None:
    say(NASTY)
    say(NASTY, err=True)
    assert capsys.readouterr() == (f"{SHOWN}\n", f"{SHOWN}\n")


def test_json_stays_json_and_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": NASTY, "city": "Zürich"}
    print_json(value)
    said = capsys.readouterr().out
    assert json.loads(said) == value
    assert not COMMANDS.search(said)
    assert "Zürich" in said


def test_a_log_record_shows_them_in_its_arguments() -> None:
    record = VisibleRecord("n", logging.ERROR, "f", 1, "not recorded: %s", (NASTY,), None)
    assert logging.Formatter().format(record) == f"not recorded: {SHOWN}"


def test_no_command_writes_past_the_consoles() -> None:
    allowed = {"say.py", "common.py"}
    for path in (ROOT / "newsletter" / "cli").glob("*.py"):
        text = path.read_text("utf-8")
        if path.name not in allowed:
            assert not re.search(r"(?<![.\w])print\(|\becho\(", text), path


@pytest.mark.parametrize("arguments", [("inbound",), ("ingest", "--file")])
def test_a_file_named_to_command_the_terminal_is_shown(
    engine: Engine, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    newsletter = Newsletter(engine, tmp_path)
    name = "x\x1b[2J\x9b31m\u202e.eml"
    for make in (lambda: None, lambda: (tmp_path / name).write_bytes(b"\x1b]0;t\x07 no mail")):
        make()
        _, said, complained = newsletter.run(*arguments, name)
        assert r"x\x1b[2J\x9b31m\u202e.eml" in said + complained
        assert not COMMANDS.search(said + complained)


def test_mail_that_commands_is_listed_harmlessly(engine: Engine, tmp_path: Path) -> None:
    newsletter = Newsletter(engine, tmp_path)
    mail = "From: x@y.example\nSubject: =?utf-8?q?a=1B=5B2J=C2=9B31m=E2=80=AEb?=\n\nhello\n"
    newsletter.run("inbound", "-", stdin=mail)
    code, said, complained = newsletter.run("inbound", "--kept")
    assert code == 0
    assert not COMMANDS.search(said + complained)
