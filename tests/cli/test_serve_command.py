"""`newsletter serve`: whose word about the visitor's address is believed."""

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
    monkeypatch.setattr("uvicorn.run", lambda app, **how: started.append((app, how)))
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
