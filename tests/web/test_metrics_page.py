"""`/metrics`: for who knows the token, and nothing personal in it."""

import pytest
from sqlalchemy import Engine

from newsletter.core.database import session_scope
from tests.support import factories
from tests.support.visits import visit

TOKEN = "a token for Prometheus"


def test_metrics_are_there_only_with_the_token(engine: Engine) -> None:
    with visit(engine) as client:
        assert client.get("/metrics").status_code == 404
    with visit(engine, metrics_token=TOKEN) as client:
        assert client.get("/metrics").status_code == 401
        wrong = {"Authorization": "Bearer another token"}
        assert client.get("/metrics", headers=wrong).status_code == 401


@pytest.mark.parametrize("email", ["ada@reader.example"])
def test_metrics_hold_counts_and_nothing_about_a_person(engine: Engine, email: str) -> None:
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        subscriber = factories.make_subscriber(session, email)
        factories.make_digest(session, edition, subscriber, [factories.make_paper(session)])
    with visit(engine, metrics_token=TOKEN) as client:
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'newsletter_subscribers{status="active"} 1.0' in answer.text
    assert email not in answer.text
    assert subscriber.public_id not in answer.text
