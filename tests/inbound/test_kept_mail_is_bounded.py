"""Mail that nobody can place is kept, but not without end; most of it is refused at the door."""

import asyncio
from datetime import timedelta

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import KeptMail
from newsletter.core.tokens import Signer
from newsletter.inbound import apply, unmatched
from newsletter.inbound.lmtp import SmtpHandler
from tests.support.bounce_mails import person

SIGNER = Signer(("a" * 32,))
NOW = utc_now()


def subjects(engine: Engine) -> list[str]:
    with read_scope(engine) as session:
        return list(session.exec(select(KeptMail.subject).order_by("id")))


def receive(engine: Engine, subject: str, body: str = "Hello", days: int = 0) -> None:
    mail = person(subject, body)
    with session_scope(engine) as session:
        apply.receive(session, SIGNER, mail, size=len(mail), now=NOW + timedelta(days=days))


def test_the_oldest_mail_makes_room_for_the_newest(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unmatched, "MOST_KEPT", 3)
    for number in range(6):
        receive(engine, f"mail {number}", f"body {number}")
    assert subjects(engine) == ["mail 3", "mail 4", "mail 5"]


def test_mail_is_kept_for_ninety_days(engine: Engine) -> None:
    receive(engine, "old", "first")
    receive(engine, "newer", "second", days=89)
    assert subjects(engine) == ["old", "newer"]
    receive(engine, "newest", "third", days=91)
    assert subjects(engine) == ["newer", "newest"]


def test_of_a_large_mail_the_start_is_kept(engine: Engine) -> None:
    receive(engine, "large", "x" * 600_000)
    with read_scope(engine) as session:
        [kept] = session.exec(select(KeptMail)).all()
    assert len(kept.content) == unmatched.LONGEST_KEPT
    assert kept.size > 600_000


@pytest.mark.parametrize(
    ("address", "is_taken"),
    [
        ("papers@news.example.org", True),
        ("Postmaster@news.example.org", True),
        ("abuse@news.example.org", True),
        (SIGNER.verp_address(7, "news.example.org"), True),
        ("info@news.example.org", False),
        ("ada@news.example.org", False),
        ("papers+x@news.example.org", False),
        ("bounce+7-aaaaaaaaaaaaaaaa@news.example.org", False),
        ("unsubscribe+x.y@news.example.org", False),
        ("papers@elsewhere.example", False),
        ("papers", False),
        ("", False),
    ],
)
def test_mail_to_other_local_parts_is_refused_at_the_door(address: str, is_taken: bool) -> None:
    handler = SmtpHandler(SIGNER, {"news.example.org"}, print, mailboxes={"Papers"})
    loop = asyncio.new_event_loop()
    try:
        server = SMTP(handler, loop=loop)
        answer = loop.run_until_complete(
            handler.handle_RCPT(server, Session(loop), Envelope(), address, [])
        )
    finally:
        loop.close()
    assert answer.startswith("250" if is_taken else "550")
