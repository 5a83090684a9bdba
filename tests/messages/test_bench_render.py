"""The benchmark of rendering runs: what it calls is still there, and all its ways give messages."""

import gc
import importlib.util
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/bench-render"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    loader = SourceFileLoader("bench_render", str(SCRIPT))
    spec = importlib.util.spec_from_loader("bench_render", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "EDITION_PAPERS", 5)
    threshold = gc.get_threshold()
    yield module
    gc.set_threshold(*threshold)  # it spares the collector, as a send run does
    gc.unfreeze()


def test_every_row_of_its_table_is_measured(
    bench: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.main(["2", "3"])
    first, _, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("2 digests of 3 papers out of 5, ")
    found = {row[:26].strip(): [float(number) for number in row[26:].split()] for row in rows}
    assert list(found) == [
        "load",
        "render",
        "assemble",
        "sign",
        "rows to signed bytes",
        "bare RSA-2048 signature",
        "times the bare signature",
        "without loading",
        "with Ed25519 as well",
        "from empty caches, mean",
    ]
    assert all(len(numbers) == 2 for numbers in [*found.values()][:7])
    assert min(found["bare RSA-2048 signature"]) > 0
