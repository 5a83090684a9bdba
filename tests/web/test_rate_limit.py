"""How often a network may do what costs others something, and when it may again."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import session_scope
from newsletter.core.models import RateLimit
from newsletter.web.rate_limit import MOST, WINDOW, Limited
from tests.support.visits import visit


def ask(client: httpx.Client, page: str, number: int) -> httpx.Response:
    return client.post(f"/{page}", data={"email": f"reader{number}@reader.example"})


def age(engine: Engine, by: timedelta) -> None:
    """Let time go by, as the rows see it."""
    with session_scope(engine) as session:
        for row in session.exec(select(RateLimit)):
            row.until -= by


@pytest.mark.parametrize(
    ("page", "what"), [("sign-up", Limited.SIGN_UP), ("account", Limited.ACCOUNT_LINK)]
)
def test_a_network_over_the_limit_is_admitted_again_after_an_hour(
    engine: Engine, page: str, what: Limited
) -> None:
    with visit(engine) as client:
        codes = [ask(client, page, number).status_code for number in range(MOST[what] + 1)]
        assert codes == [200] * MOST[what] + [429]
        age(engine, WINDOW - timedelta(minutes=5))
        refused = ask(client, page, 99)
        assert refused.status_code == 429
        assert 200 < int(refused.headers["retry-after"]) <= 300
        age(engine, timedelta(minutes=6))
        assert ask(client, page, 100).status_code == 200
        with session_scope(engine) as session:
            assert 1 in session.exec(select(RateLimit.count)).all(), "a window of its own"


def test_each_limit_is_counted_separately(engine: Engine) -> None:
    with visit(engine) as client:
        for number in range(MOST[Limited.ACCOUNT_LINK] + 1):
            last = ask(client, "account", number)
        assert last.status_code == 429
        assert ask(client, "sign-up", 1).status_code == 200
