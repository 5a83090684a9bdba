"""The benchmark of preparation runs: what it calls is still there and means the same."""

import importlib.util
import json
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import create_engine, text

from newsletter.core import database
from tests.support.command import Newsletter

SCRIPT = Path(__file__).parents[2] / "scripts/bench-prepare"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    loader = SourceFileLoader("bench_prepare", str(SCRIPT))
    spec = importlib.util.spec_from_loader("bench_prepare", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_prepare"] = module  # its dataclasses look for it there
    loader.exec_module(module)
    return module


def test_freezing_writes_the_rows_that_the_bare_insert_writes_again(
    bench: ModuleType, tmp_path: Path
) -> None:
    taken, path = bench.freeze(tmp_path, 3)
    assert taken.processor > 0
    least, digests, papers = bench.bare(path)
    assert (digests, papers) == (3, 3 * bench.PICKS)
    assert least.processor > 0
    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM digest_item")).scalar() == papers


def test_its_papers_and_subscribers_are_taken_and_its_commands_are_there(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "CANDIDATES", 30)
    bench.write_papers(tmp_path, None)
    papers = (tmp_path / "papers.jsonl").read_text().splitlines()
    assert len({json.loads(paper)["title"] for paper in papers}) == 30
    bench.write_subscribers(tmp_path, 4)
    engine = database.connect(f"sqlite:///{tmp_path / 'whole.db'}")
    newsletter = Newsletter(engine, tmp_path)
    said = ""
    for arguments in (*bench.BEFORE, bench.MEASURED["import"]):
        code, said, errors = newsletter.run(*arguments)
        assert code == 0, (arguments, errors)
    assert "4 subscribers added (active), 4 topics added" in said
    # These take seconds to rank with: their own tests run them.
    for name in ("train", "prepare"):
        assert newsletter.run(*bench.MEASURED[name], "--help")[0] == 0
    engine.dispose()
