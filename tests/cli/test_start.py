"""Commands start at once: each imports only what it uses, and an unknown one is a usage error.

Seconds are measured by `make bench-start`; here the modules that a command imports are counted,
in a process of its own, which holds on any machine.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.cli import COMMANDS, load
from newsletter.core import database

# Packages that take a tenth of a second or more to import, alone or with what they import.
HEAVY = {
    *("alembic", "fastapi", "httpx", "jinja2", "lxml", "mjml", "numpy", "scipy", "sklearn"),
    *("aiosmtpd", "aiosmtplib", "cryptography", "dns", "feedparser", "prometheus_client"),
    *("bibtexparser", "sqlalchemy", "tokenizers", "uvicorn", "wordllama"),
}
DATABASE = {"sqlalchemy"}
RUN = """
import json, sys
from newsletter.cli import main
sys.argv[0] = "newsletter"
try:
    main()
finally:
    print(json.dumps(list(sys.modules)), file=open("imported.json", "w"))
"""
AUTO_REPLY = (
    "From: ada@reader.example\r\nTo: news@papers.example\r\nSubject: Out of office\r\n"
    "Auto-Submitted: auto-replied\r\nMessage-ID: <1@reader.example>\r\n\r\nBack on Monday.\r\n"
)


class Folder:
    """A working folder with a migrated database, and commands that run in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        url = f"sqlite:///{path / 'newsletter.db'}"
        database.upgrade(database.connect(url))
        kept = {name: text for name, text in os.environ.items() if "NEWSLETTER" not in name}
        self.environment = kept | {
            "NEWSLETTER_DATABASE_URL": url,
            "NEWSLETTER_SECRET_KEYS": "a-secret-of-the-tests-alone-0123456789",
            "NEWSLETTER_FROM": "news@papers.example",
        }

    def run(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", RUN, *arguments],
            input=text,
            capture_output=True,
            text=True,
            cwd=self.path,
            env=self.environment,
            check=False,
        )

    def imported(self) -> set[str]:
        """The modules that the last run imported."""
        return set(json.loads((self.path / "imported.json").read_text()))

    def heavy_packages(self) -> set[str]:
        """What the last run imported of `HEAVY`."""
        return HEAVY & self.imported()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("start"))


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], [], ["statu"], ["--wrong"]])
def test_help_and_version_import_nothing_heavy(folder: Folder, arguments: list[str]) -> None:
    folder.run(*arguments)
    assert folder.heavy_packages() == set()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["status", "--json"], ""),
        (["inbound", "-"], AUTO_REPLY),
        (["scorecard"], ""),
        (["trial", "status"], ""),
        (["inbound", "--kept"], ""),
        (["subscribers", "list"], ""),
        (["subscribers", "add", "ada@reader.example", "--keywords", "robot"], ""),
        (["suppressions", "list"], ""),
        (["pause", "--date", "2026-11-20"], ""),
        (["retry", "--date", "2026-11-20"], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_that_only_read_and_write_rows_import_the_database_alone(
    folder: Folder, arguments: list[str], text: str
) -> None:
    done = folder.run(*arguments, text=text)
    assert "Traceback" not in done.stderr
    assert folder.heavy_packages() == DATABASE


@pytest.mark.parametrize("arguments", [["status"], ["inbound", "-"]])
def test_what_runs_often_draws_no_tables_and_knows_one_database(
    folder: Folder, arguments: list[str]
) -> None:
    folder.run(*arguments, text=AUTO_REPLY)
    unused = {"rich.console", "sqlalchemy.dialects.postgresql", "pylatexenc"}
    assert not unused & folder.imported()


def test_the_web_framework_stays_out_of_preparing_and_sending(folder: Folder) -> None:
    assert folder.run("prepare").returncode == 0
    unused = {"alembic", "fastapi", "httpx", "uvicorn"}
    assert not folder.heavy_packages() & (unused | {"cryptography", "jinja2", "mjml"})
    assert "Traceback" not in folder.run("send", "--dry-run").stderr
    assert not folder.heavy_packages() & unused


def test_a_timer_that_finds_nobody_due_loads_nothing_that_ranks(folder: Folder) -> None:
    folder.environment["NEWSLETTER_SMTP_URL"] = "smtp://127.0.0.1:9"
    done = folder.run("send", "--due")
    assert (done.returncode, done.stdout) == (0, "no digest is due\n"), done.stderr
    assert not folder.heavy_packages() & {"scipy", "sklearn", "tokenizers", "wordllama"}


def test_a_mistyped_command_is_a_usage_error_that_names_the_right_one(folder: Folder) -> None:
    done = folder.run("statu")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'statu'. Did you mean 'status'?" in done.stderr
    done = folder.run("subscribers", "lst")
    assert done.returncode == 2
    assert "Did you mean 'list'" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(folder: Folder, name: str) -> None:
    groups = [[name, inner] for inner in getattr(load(name), "commands", {})]
    for words in [[name], *groups[:1]]:
        done = folder.run(*words, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"Usage: newsletter {' '.join(words)} ")


def test_the_shell_completes_commands_and_what_is_inside_them(folder: Folder) -> None:
    def completions(line: str) -> list[str]:
        words = line.split(" ")
        asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        done = subprocess.run(
            [sys.executable, "-c", RUN],
            env=folder.environment | asked | {"_NEWSLETTER_COMPLETE": "complete_bash"},
            capture_output=True,
            text=True,
            cwd=folder.path,
            check=True,
        )
        return done.stdout.split()

    assert completions("newsletter pre") == ["prepare", "preview"]
    assert completions("newsletter subscribers e") == ["export", "erase"]
    assert completions("newsletter status --js") == ["--json"]


def test_ctrl_c_ends_a_command_with_an_exit_code_of_its_own(folder: Folder) -> None:
    pipe = folder.path / "pipe.eml"
    os.mkfifo(pipe)
    with (
        subprocess.Popen(
            [sys.executable, "-c", RUN, "inbound", pipe.name],
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder.path,
            env=folder.environment,
        ) as waiting,
        pipe.open("wb"),
    ):  # opens once the command reads from the other end
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=60)
    assert said == "interrupted: run the same command again to continue\n"
    assert waiting.returncode == 3
