"""The benchmark of pages works: what it asks for is still there."""

import asyncio
import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path

from sqlalchemy import Engine

from newsletter.core.config import Settings
from newsletter.web import create_app
from tests.support.live_site import serving

SCRIPT = Path(__file__).parents[2] / "scripts/bench-pages"


def test_every_page_that_it_measures_answers(sqlite_engine: Engine, tmp_path: Path) -> None:
    loader = SourceFileLoader("bench_pages", str(SCRIPT))
    spec = importlib.util.spec_from_loader("bench_pages", loader)
    assert spec is not None
    bench = importlib.util.module_from_spec(spec)
    loader.exec_module(bench)
    ids = bench.fill(str(sqlite_engine.url), tmp_path, 5, 30)
    assert len(ids) == 5

    async def ask(port: int) -> list[str]:
        answered = []
        for name, make in bench.pages(ids).items():
            connection = await asyncio.open_connection("127.0.0.1", port)
            await bench.one(*connection, make())  # leaves the program unless it is a page
            connection[1].close()
            answered.append(name)
        return answered

    with serving(create_app(sqlite_engine, Settings(secret_keys=bench.KEY))) as url:
        answered = asyncio.run(ask(int(url.rpartition(":")[2])))
    assert answered == [
        *("front page", "search, one word", "search, two words", "search, rare author"),
        *("preferences", "one-click POST"),
    ]
