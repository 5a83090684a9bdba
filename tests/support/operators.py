"""An operator in tests: a client with a session, and the token of its forms."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import Engine

from newsletter.core import operator_sessions
from newsletter.core.database import session_scope, utc_now
from tests.support.visits import SIGNER, visit


def new_link(engine: Engine, hours: int = 8) -> str:
    """The path of a link that opens a session."""
    with session_scope(engine) as session:
        token = operator_sessions.new_link(session, SIGNER, hours=hours, now=utc_now())
    return f"/operator/open/{token}"


@contextmanager
def operating(engine: Engine, **settings: Any) -> Iterator[httpx.Client]:
    """A client that is signed in."""
    with visit(engine, **settings) as client:
        assert client.post(new_link(engine)).status_code == 303
        yield client


def token_in(page: httpx.Response) -> str:
    """The token of a page's forms."""
    found = re.search(r'name="token" value="([0-9a-f]{64})"', page.text)
    assert found, "the page has no form"
    return found[1]


def press(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Post a form as the pages do; follows no redirect."""
    token = token_in(client.get("/operator"))
    return client.post(path, data={"token": token, **fields})
