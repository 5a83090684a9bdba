"""Whoever is erased leaves a keyed hash, and no import brings them back."""

from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import DeliveryEvent, EventKind, KeptMail, SignUp, Subscriber
from newsletter.subscribers import accounts
from newsletter.subscribers.bulk_import import import_csv
from tests.support.visits import EMAIL, SIGNER, add_reader, everything, send_digest


def test_nothing_that_was_kept_names_the_address_and_a_later_import_is_refused(
    engine: Engine, tmp_path: Path
) -> None:
    reader = add_reader(engine)
    other = add_reader(engine, "countess_@reader.example")
    delivery, _ = send_digest(engine, reader)
    with session_scope(engine) as session:
        session.add(
            DeliveryEvent(
                delivery_id=delivery,
                kind=EventKind.BOUNCED,
                provider="mail",
                provider_event_id="1",
                detail=f"550 5.1.1 <{EMAIL}>: no such user",
            )
        )
        for number, sender in enumerate((f"The Countess <{EMAIL.title()}>", "eve@evil.example")):
            mail = {"sender": sender, "fingerprint": str(number), "content": b"Hello"}
            session.add(KeptMail.model_validate(mail | {"kind": "unknown"}))
        known = accounts.find(session, reader)
        assert known
        session.add(SignUp(subscriber_id=known.id or 0, asked={}))
    with session_scope(engine) as session:
        assert accounts.erase(session, reader)
    rows = everything(engine)
    assert not [table for table in rows if EMAIL in str(rows[table]).lower()]
    assert [len(rows[table]) for table in ("delivery_event", "kept_mail", "sign_up")] == [1, 1, 0]
    assert SIGNER.hash_address(EMAIL) in str(rows["suppression"])

    file = tmp_path / "people.csv"
    file.write_text(f"email\n{EMAIL.upper()}\n")
    for confirmed in (True, False):
        report = import_csv(engine, SIGNER, file, confirmed=confirmed)
        assert (report.added, len(report.refused)) == (0, 1)
        assert "erased" in str(report.refused[0])
    with read_scope(engine) as session:
        assert session.exec(select(Subscriber.public_id)).all() == [other]
