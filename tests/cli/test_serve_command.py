"""`newsletter serve`: whose word about the visitor's address is believed."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from newsletter.cli import serve as command
from newsletter.web import rate_limit
from tests.support.live_site import serving
from tests.support.visits import KEY


@pytest.mark.parametrize(
    ("trusted", "codes"), [("", [200, 200, 429]), ("127.0.0.1", [200, 200, 200])]
)
def test_a_forwarded_address_is_believed_of_a_trusted_proxy_only(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch, trusted: str, codes: list[int]
) -> None:
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", str(sqlite_engine.url))
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", KEY)
    monkeypatch.setenv("NEWSLETTER_TRUSTED_PROXIES", trusted)
    monkeypatch.setitem(rate_limit.MOST, rate_limit.Limited.SIGN_UP, 2)
    started: list[tuple[Any, dict[str, Any]]] = []
    noting = SimpleNamespace(Config=lambda app, **how: started.append((app, how)))
    monkeypatch.setattr(command, "uvicorn", noting)
    monkeypatch.setattr(command, "WatchedServer", lambda _: SimpleNamespace(run=lambda: None))
    command.serve()
    [(app, how)] = started
    assert how.pop("access_log") is False  # paths hold tokens
    del how["host"], how["port"]
    with serving(app, **how) as url, httpx.Client(base_url=url, timeout=60) as client:
        answers = [
            client.post(
                "/sign-up",
                data={"email": f"r{number}@reader.example"},
                headers={"X-Forwarded-For": f"203.0.{number}.1"},
            )
            for number in range(3)
        ]
    assert [answer.status_code for answer in answers] == codes


def test_systemd_hears_when_the_pages_are_up_and_that_they_still_answer(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(60)
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "serve", "--port", "0"],
        env=os.environ
        | {
            "NEWSLETTER_DATABASE_URL": str(sqlite_engine.url),
            "NEWSLETTER_SECRET_KEYS": KEY,
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert [told.recv(100) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        told.close()
