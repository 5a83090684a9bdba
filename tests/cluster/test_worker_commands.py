"""`newsletter worker` and `newsletter jobs`: one clear line and exit code 2 for what cannot be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.command import Newsletter

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", ["worker", "jobs"])
def test_on_sqlite_they_say_what_to_use_instead(
    sqlite_engine: Engine, tmp_path: Path, command: str
) -> None:
    code, out, err = Newsletter(sqlite_engine, tmp_path).run(command)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "the queue needs PostgreSQL" in err


def test_before_the_queue_has_tables_they_say_how_to_make_them_and_that_is_right(
    bare_engine: Engine, tmp_path: Path
) -> None:
    newsletter = Newsletter(bare_engine, tmp_path)
    code, _, err = newsletter.run("worker")
    assert code == 2
    assert err == "error: the queue has no tables yet: run `newsletter db upgrade`\n"
    assert newsletter.run("db", "upgrade")[0] == 0
    code, out, _ = newsletter.run("jobs", "--json")
    assert code == 0
    assert json.loads(out) == {
        "counts": {"waiting": 0, "running": 0, "failed": 0},
        "jobs": [],
        "workers": [],
    }


def test_without_the_extra_they_name_it_and_the_tables_can_be_made(
    bare_engine: Engine, tmp_path: Path
) -> None:
    missing = "raise ModuleNotFoundError('it is not here', name='procrastinate')\n"
    (tmp_path / "procrastinate.py").write_text(missing, encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; sys.path.insert(0, '.'); from newsletter.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=os.environ
            | {
                "NEWSLETTER_DATABASE_URL": bare_engine.url.render_as_string(hide_password=False),
                "NEWSLETTER_SMTP_URL": "smtp://127.0.0.1:1",
                "NEWSLETTER_FROM": "papers@site.example",
                "NEWSLETTER_SECRET_KEYS": "0f9b8c7d6e5a41322334455667788990aabbccddeeff0011",
                "PYTHONPATH": str(ROOT),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("worker")
    assert done.returncode == 2
    assert done.stderr == (
        "error: the queue needs the package 'procrastinate': pip install 'newsletter[cluster]'\n"
    )
    assert run("db", "upgrade").returncode == 0
