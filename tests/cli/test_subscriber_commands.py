"""`newsletter subscribers`, as an operator types it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import preloaded


class Shell:
    """Runs the command in a folder of its own, with settings from the environment."""

    def __init__(self, folder: Path, migrated_file: Path) -> None:
        self.folder = folder
        self.settings = {
            "NEWSLETTER_DATABASE_URL": f"sqlite:///{folder / 'a b.db'}",
            "NEWSLETTER_SECRET_KEYS": "k3y-0f-th3-t3sts-al0ne-" * 2,
        }
        shutil.copyfile(migrated_file, folder / "a b.db")

    def run(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        ran = preloaded.run(
            ("subscribers", *arguments), environment=self.settings, folder=self.folder
        )
        done = subprocess.CompletedProcess(
            ran.args, ran.returncode, ran.stdout.decode(), ran.stderr.decode()
        )
        assert done.returncode == code, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def shell(tmp_path: Path, migrated_file: Path) -> Shell:
    return Shell(tmp_path, migrated_file)


def test_an_operator_adds_looks_and_erases(shell: Shell) -> None:
    shell.run(
        "add", "Ada@Reader.example", "--name", "Ada", "--keywords", "fuzzing;testing",
        "--categories", "cs.SE", "--mutes", "crypto", "--cadence", "weekly", "--confirmed",
    )  # fmt: skip
    shown = shell.json("show", "ada@reader.example")["subscriber"]
    assert (shown["status"], shown["cadence"]) == ("active", "weekly")
    [topic] = shown["topics"]
    assert topic["keywords"] == ["fuzzing", "testing"]
    assert topic["mutes"] == ["crypto"]
    assert "fuzzing, testing" in shell.run("show", "ada@reader.example").stdout
    assert "ada@reader.example" in shell.run("list").stdout
    assert shell.json("list", "--status", "pending") == {
        "subscribers": [],
        "filters": {"status": "pending"},
        "of": 1,
    }

    erased = shell.json("erase", "ada@reader.example", "--yes")
    assert erased == {"email": "ada@reader.example", "erased": True}
    refused = shell.run("add", "ada@reader.example", "--confirmed", code=2)
    assert "erased at its owner's request" in refused.stderr


def test_an_import_says_what_it_refused_and_why(shell: Shell) -> None:
    file = shell.folder / "list.csv"
    file.write_text("email,keywords\nada@r.example,x\nbroken,y\n")
    done = shell.run("import", str(file), "--confirmed", code=1)
    assert "1 subscriber added" in done.stdout
    assert "line 3: address 'broken'" in done.stderr

    report = json.loads(shell.run("import", str(file), "--confirmed", "--json", code=1).stdout)
    assert report["added"] == 0
    [refused] = report["refused"]
    assert refused["line"] == 3
    assert [line["line"] for line in report["unchanged"]] == [2]


def test_one_subscribers_profile_is_lines_that_an_import_reads(shell: Shell) -> None:
    for name in ("ada", "bob"):
        shell.run("add", f"{name}@r.example", "--keywords", "fuzzing", "--confirmed")
    file = shell.folder / "ada.csv"
    shell.run("export", "--profile", "Ada@R.example", "--output", str(file))
    header, line = file.read_text().splitlines()
    assert header.startswith("email,name")
    assert line.startswith("ada@r.example,")
    assert "already a subscriber" in shell.run("import", str(file), "--confirmed").stderr
    assert "is not a subscriber" in shell.run("export", "--profile", "x@r.example", code=2).stderr


def test_an_export_is_read_again_by_an_import(shell: Shell) -> None:
    shell.run("add", "ada@r.example", "--topic", "One", "--keywords", "x;y", "--confirmed")
    shell.run("export", "--output", "out.csv")
    assert shell.run("export").stdout.replace("\r\n", "\n") == (
        (shell.folder / "out.csv").read_text().replace("\r\n", "\n")
    )
    [row] = shell.json("export")["subscribers"]
    assert row["keywords"] == ["x", "y"]
    assert "1 line already known" in shell.run("import", "out.csv", "--confirmed").stdout


def test_a_subscriber_without_consent_is_asked_once_a_day(shell: Shell) -> None:
    shell.settings["NEWSLETTER_FROM"] = "papers@site.example"
    assert "no subscriber is pending" in shell.run("invite").stdout
    assert "subscribers invite" in shell.run("add", "ada@r.example").stdout
    shell.run("add", "bob@r.example")
    shell.run("add", "cyd@r.example", "--confirmed")
    assert shell.json("invite", "ada@r.example") == {"queued": 1, "pending": 1}
    assert shell.json("invite") == {"queued": 1, "pending": 2}
    assert "0 of 2 pending" in shell.run("invite").stdout
    assert shell.json("show", "bob@r.example")["subscriber"]["deliveries"] == {"queued": 1}
    assert shell.json("show", "cyd@r.example")["subscriber"]["deliveries"] == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "nobody"], "@-sign"),
        (["add", "a@r.example", "--cadence", "hourly"], "cadence"),
        (["import", "no.csv"], "no.csv: No such file"),
        (["show", "nobody@r.example"], "is not a subscriber"),
        (["erase", "nobody@r.example", "--yes"], "is not a subscriber"),
        (["export", "--output", "no/such/folder.csv"], "cannot write"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(shell: Shell, arguments: list[str], said: str) -> None:
    done = shell.run(*arguments, code=2)
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_missing_key_is_named_before_anything_is_done(shell: Shell) -> None:
    del shell.settings["NEWSLETTER_SECRET_KEYS"]
    done = shell.run("add", "a@r.example", code=2)
    assert "NEWSLETTER_SECRET_KEYS" in done.stderr
