"""The command line in a process of its own, for tests of what an operator does."""

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Engine, inspect, text

from tests.support import preloaded
from tests.support.preloaded import ROOT


class Newsletter:
    """`newsletter …` in ``folder``, on the database of ``engine``."""

    def __init__(self, engine: Engine, folder: Path, **settings: str) -> None:
        values = {
            "DATABASE_URL": engine.url.render_as_string(hide_password=False),
            "SMTP_URL": "smtp://127.0.0.1:1",
            "FROM": "papers@site.example",
            "SECRET_KEYS": "0f9b8c7d6e5a41322334455667788990aabbccddeeff0011",
            "BASE_URL": "https://papers.example",
        } | settings
        self._environment = {f"NEWSLETTER_{name}": value for name, value in values.items()}
        self._folder = folder

    def start(self, *arguments: str | Path) -> "subprocess.Popen[bytes]":
        """The command in the background; its output goes nowhere."""
        return subprocess.Popen(
            [sys.executable, "-c", "from newsletter.cli import main; main()", *arguments],
            env=os.environ | self._environment | {"PYTHONPATH": str(ROOT)},
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *arguments: str | Path, stdin: str = "") -> tuple[int, str, str]:
        """Exit code, standard output and standard error; a traceback fails the test."""
        done = preloaded.run(
            arguments,
            environment=os.environ | self._environment,
            folder=self._folder,
            stdin=stdin.encode(),
        )
        said, errors = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in errors, errors
        return done.returncode, said, errors


def dump(engine: Engine) -> dict[str, list[str]]:
    """Every row of every table, as text, in an order of its own: two dumps can be compared."""
    with engine.connect() as connection:
        tables = sorted(inspect(connection).get_table_names())
        return {
            table: sorted(
                str(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {table}"))
            )
            for table in tables
        }
