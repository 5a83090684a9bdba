"""When many small failures mean that an address is dead, and what wipes the slate."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.models import (
    DeliveryStatus,
    Permanence,
    Reason,
    Subscriber,
    Suppression,
    SuppressionReason,
    SuppressionRemoval,
)
from newsletter.core.tokens import Signer
from newsletter.inbound import apply
from newsletter.inbound.bounce_score import score, weight
from tests.support.bounce_mails import READER, report
from tests.support.factories import make_delivery, make_edition, make_subscriber

SIGNER = Signer(("a" * 32,))
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = date(2026, 11, 20)
ODD = "smtp; 554 5.3.0 cannot open mailbox file"


def days(*numbers: int, counts: float = 1.0) -> list[tuple[date, float]]:
    return [(DAY + timedelta(days=number), counts) for number in numbers]


@pytest.mark.parametrize(
    ("bounces", "today", "is_weekly", "expected"),
    [
        ([], 0, False, 0),
        (days(0, 1, 2), 2, False, 3),
        (days(2, 0, 1), 2, False, 3),
        (days(0, 0, 0), 0, False, 1),
        (days(0, counts=0.5) + days(0), 0, False, 1),
        (days(0) + days(0, counts=0.5), 0, False, 1),
        (days(0, 7), 7, False, 2),
        (days(0, 8), 8, False, 1),
        (days(0, 1), 8, False, 2),
        (days(0, 1), 9, False, 0),
        (days(0, 14), 14, True, 2),
        (days(0, 15), 15, True, 1),
        (days(0), 14, True, 1),
        (days(0), 15, True, 0),
        # A bounce that counts nothing does not keep an old one fresh either.
        (days(0) + days(5, counts=0.0), 8, False, 0),
        (days(0, 10) + days(5, counts=0.0), 10, False, 1),
    ],
)
def test_the_score_counts_days_and_forgets_after_a_quiet_week(
    bounces: list[tuple[date, float]], today: int, is_weekly: bool, expected: float
) -> None:
    assert score(bounces, DAY + timedelta(days=today), is_weekly=is_weekly) == expected


@pytest.mark.parametrize(
    ("delivered", "today", "expected"),
    [
        ((), 3, 3),
        ((2,), 3, 2),
        ((1, 3), 3, 3),  # mail that arrived on a day with a bounce takes nothing off
        ((2, 4), 4, 1),
        ((-2, -1), 3, 3),  # and nothing is saved up before the first bounce
        ((4, 5, 6, 7), 7, 0),
    ],
)
def test_a_day_on_which_mail_arrived_takes_a_day_off(
    delivered: tuple[int, ...], today: int, expected: float
) -> None:
    arrived = [DAY + timedelta(days=number) for number in delivered]
    on = DAY + timedelta(days=today)
    assert score(days(0, 1, 3), on, delivered=arrived) == expected


@pytest.mark.parametrize(
    ("permanence", "reason", "expected"),
    [
        (Permanence.PERMANENT, Reason.INACTIVE, 1.0),
        (Permanence.PERMANENT, Reason.MAILBOX_FULL, 0.5),
        (Permanence.TRANSIENT, Reason.INACTIVE, 0.5),
        (Permanence.TRANSIENT, Reason.UNDEFINED, 0.5),
        (Permanence.PERMANENT, Reason.UNDEFINED, 0.0),
        (Permanence.PERMANENT, Reason.BLOCKED, 0.0),
        (Permanence.TRANSIENT, Reason.POLICY, 0.0),
    ],
)
def test_the_weight_of_a_bounce(permanence: Permanence, reason: Reason, expected: float) -> None:
    assert weight(permanence, reason) == expected


def bounce(session: Session, day: int) -> str:
    """One bounce of a digest on that day; what was done, in words."""
    known = session.exec(select(Subscriber)).first() or make_subscriber(
        session,
        READER,
        address_hash=SIGNER.hash_address(READER),
        confirmed_at=NOW - timedelta(days=200),
    )
    edition = make_edition(session, (NOW + timedelta(days=day)).date())
    delivery = make_delivery(session, edition, known, status=DeliveryStatus.SENT)
    to = SIGNER.verp_address(delivery.id or 0, "news.example.org")
    mail = report(to=to, status="5.3.0", diagnostic=ODD, returned="", report_id=f"{day}@mx.example")
    recorded = apply.receive(session, SIGNER, mail, size=len(mail), now=NOW + timedelta(days=day))
    return " ".join(recorded.actions)


def test_bounces_from_before_a_new_confirmation_are_forgotten(engine: Engine) -> None:
    with Session(engine) as session:
        for day in range(1, 5):
            assert f"score {day} of 5" in bounce(session, day)
        # The address was confirmed anew: mail arrived there.
        session.exec(select(Subscriber)).one().confirmed_at = NOW + timedelta(days=4, hours=12)
        session.flush()
        assert "score 1 of 5" in bounce(session, 5)
        assert session.exec(select(Suppression)).all() == []


def test_bounces_from_before_the_operator_lifted_the_suppression_are_forgotten(
    engine: Engine,
) -> None:
    with Session(engine) as session:
        for day in range(1, 5):
            bounce(session, day)
        session.add(
            SuppressionRemoval(
                address_hash=SIGNER.hash_address(READER),
                reason=SuppressionReason.BOUNCED,
                suppressed_at=NOW,
                removed_at=NOW + timedelta(days=4, hours=12),
                note="the reader telephoned",
            )
        )
        session.flush()
        assert "score 1 of 5" in bounce(session, 5)


def test_without_either_the_fifth_day_suppresses(engine: Engine) -> None:
    with Session(engine) as session:
        told = [bounce(session, day) for day in range(1, 6)]
        assert "score 5: suppressed" in told[-1]
        assert len(session.exec(select(Suppression)).all()) == 1
