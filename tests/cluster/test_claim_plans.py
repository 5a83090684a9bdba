"""A claim reads the unfinished rows alone, however many editions were sent before."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlmodel import SQLModel, col, select

from newsletter.core import bulk
from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import EditionStatus, Subscriber
from newsletter.sending import ledger
from tests.support import factories

OLD, WAITING = 4, 2_000  # editions that were sent, and readers of each


@pytest.fixture
def edition_id(bare_engine: Engine) -> int:
    """An edition to send, after many that were sent."""
    delivery = SQLModel.metadata.tables["delivery"]
    with session_scope(bare_engine) as session:
        first = factories.make_subscriber(session)
        table = SQLModel.metadata.tables["subscriber"]
        row = {each.name: getattr(first, each.name) for each in table.c if each.name != "id"}
        unique = ("public_id", "email", "address_hash")
        people = [row | dict.fromkeys(unique, f"r{number}") for number in range(WAITING)]
        bulk.insert_rows(session, table, people)
        readers = session.exec(select(Subscriber.id).order_by(col(Subscriber.id))).all()
        for back in range(OLD, -1, -1):
            status = EditionStatus.SENT if back else EditionStatus.SENDING
            day = date(2026, 11, 20) - timedelta(days=back)
            edition = factories.make_edition(session, day, status=status)
            rows = [
                {
                    "edition_id": edition.id,
                    "subscriber_id": reader,
                    "kind": "digest",
                    "to_address": "r@there.example",
                    "message_id": f"{back}.{reader}@site.example",
                    "status": "sent" if back else "queued",
                }
                for reader in readers
            ]
            bulk.insert_rows(session, delivery, rows)
    with bare_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE delivery")
    return edition.id or 0


def test_claims_and_the_question_what_is_left_use_the_index_of_unfinished_rows(
    bare_engine: Engine, edition_id: int
) -> None:
    plans: list[str] = []

    def explain(connection: Connection, cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if "delivery" in statement and not statement.startswith("EXPLAIN"):
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", given)
            plans.append("\n".join(plan.scalars()))

    event.listen(bare_engine, "before_cursor_execute", explain)
    with session_scope(bare_engine) as session:
        claimed = ledger.claim(session, edition_id, owner="one", now=utc_now(), limit=50)
        assert ledger.is_unfinished(session, edition_id)
    event.remove(bare_engine, "before_cursor_execute", explain)
    assert len(claimed) == 50
    assert len(plans) == 3
    for plan in plans:
        assert "ix_delivery_unfinished" in plan
        # Rows that were chosen may be found in any way; choosing them is in the subquery.
        for way in ("Seq Scan on delivery", "pk_delivery on delivery"):
            assert f"{way} delivery_1" not in plan
