"""The how-to pages: every command in them exists as it is written, and many are run."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.core import TyperGroup

from newsletter.cli import load
from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import DeliveryStatus, EditionStatus
from tests.support import factories
from tests.support.command import Newsletter
from tests.support.smtp_sink import Sink, running_sink

GUIDES = Path(__file__).parent.parent / "docs/how-to"
PAGES = sorted(path.name for path in GUIDES.glob("*.md"))
# These pages are done step by step, on a database in the middle of an edition.
DONE = [
    "back-up-and-restore.md",
    "keep-it-small.md",
    "move-host.md",
    "no-mail-came.md",
    "sqlite-to-postgresql.md",
    "upgrade.md",
    "warm-up.md",
]
# What only a server with systemd and a name of its own can do, and what asks the network.
ELSEWHERE = ("systemctl", "newsletter doctor", "newsletter --install-completion")


def commands_of(page: str) -> list[str]:
    """The lines of code of a page."""
    text = (GUIDES / page).read_text(encoding="utf-8")
    return [line.strip() for line in re.findall(r"^ {4,}(\S.*)$", text, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_takes_what_the_page_gives_it(page: str) -> None:
    for line in commands_of(page):
        words = shlex.split(line, comments=True) if line.startswith("newsletter ") else []
        if not words or words[1].startswith("-"):
            continue
        command = load(words[1])
        context = command.make_context(words[1], words[2:])
        if isinstance(command, TyperGroup):
            name, inner, rest = command.resolve_command(context, words[2:])
            assert inner is not None, line
            inner.make_context(name, rest)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


@pytest.mark.parametrize("page", DONE)
def test_a_page_can_be_followed(
    sqlite_engine: Engine, sink: Sink, tmp_path: Path, page: str
) -> None:
    with session_scope(sqlite_engine) as session:
        edition = factories.make_edition(session, utc_now().date(), status=EditionStatus.SENDING)
        papers = [factories.make_paper(session)]
        for number, status in enumerate((DeliveryStatus.SENT, DeliveryStatus.FAILED)):
            name = "ada" if number else "bob"
            reader = factories.make_subscriber(session, f"{name}@example.org")
            digest = factories.make_digest(session, edition, reader, papers)
            digest.status = status
            session.add(digest)
    sqlite_engine.dispose()
    newsletter = Newsletter(sqlite_engine, tmp_path, SMTP_URL=f"smtp://127.0.0.1:{sink.port}")
    target = f"sqlite:///{tmp_path / 'other.db'}"
    done = 0
    for line in commands_of(page):
        if line.startswith(ELSEWHERE):
            continue
        if line.startswith("newsletter "):
            words = shlex.split(line.replace("$TARGET_URL", target), comments=True)
            code, said, told = newsletter.run(*words[1:])
            # A report of what failed is 1.
            assert code in {0, 1}, f"{line}: {said}{told}"
        elif line.startswith(("rm ", "cp ")):
            subprocess.run(line, shell=True, cwd=tmp_path, check=True)
        else:
            pytest.fail(f"nobody tries {line!r}")
        done += 1
    assert done
