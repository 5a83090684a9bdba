"""Bounce and complaint rates per edition and domain, and when a send run should pause."""

from uuid import uuid4

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.core.database import session_scope
from newsletter.core.models import (
    Delivery,
    DeliveryEvent,
    DeliveryKind,
    DeliveryStatus,
    Edition,
    EventKind,
    Permanence,
    Reason,
)
from newsletter.sending.ledger.rates import Rate, Rates, rates_of, verdict, why_pause
from tests.support.factories import ISSUE_DATE, make_delivery, make_edition, make_subscriber

LIMITS = {"bounce_limit": 0.05, "complaint_limit": 0.003}


def send(session: Session, edition: Edition, email: str, status: DeliveryStatus) -> Delivery:
    return make_delivery(session, edition, make_subscriber(session, email), status=status)


def happen(session: Session, delivery: Delivery, kind: EventKind, reason: str = "") -> None:
    session.add(
        DeliveryEvent(
            delivery_id=delivery.id,
            kind=kind,
            provider="mail",
            provider_event_id=uuid4().hex,
            permanence=Permanence.PERMANENT if reason else "",
            reason=reason,
        )
    )
    session.flush()


def test_rates_are_counted_by_domain_from_tried_deliveries(engine: Engine) -> None:
    sent, failed = DeliveryStatus.SENT, DeliveryStatus.FAILED
    with session_scope(engine) as session:
        edition = make_edition(session)
        for number in range(3):
            send(session, edition, f"r{number}@big.example", sent)
        bounced = send(session, edition, "b@big.example", DeliveryStatus.BOUNCED)
        for _ in range(2):  # a mail, and a webhook about the same
            happen(session, bounced, EventKind.BOUNCED, Reason.NO_SUCH_ADDRESS)
        refused = send(session, edition, "f@big.example", failed)
        happen(session, refused, EventKind.BOUNCED, Reason.BLOCKED)
        angry = send(session, edition, "c@small.example", DeliveryStatus.COMPLAINED)
        happen(session, angry, EventKind.COMPLAINED, "complaint")
        happen(session, angry, EventKind.CLICKED)
        send(session, edition, "q@small.example", DeliveryStatus.QUEUED)
        late = send(session, edition, "d@small.example", sent)
        happen(session, late, EventKind.DEFERRED, Reason.MAILBOX_FULL)
        other = make_edition(session, ISSUE_DATE.replace(day=19))
        elsewhere = send(session, other, "x@other.example", DeliveryStatus.BOUNCED)
        happen(session, elsewhere, EventKind.BOUNCED, Reason.MOVED)

        found = rates_of(session, edition.id or 0)

    assert found == Rates(
        Rate("", tried=7, bounced=2, policy=1, complained=1),
        (
            Rate("big.example", tried=5, bounced=2, policy=1, complained=0),
            Rate("small.example", tried=2, bounced=0, policy=0, complained=1),
        ),
    )
    assert found.total.bounce_rate == pytest.approx(2 / 7)


def test_an_edition_without_deliveries_has_no_rates(engine: Engine) -> None:
    with session_scope(engine) as session:
        found = rates_of(session, make_edition(session).id or 0)
    assert found == Rates(Rate("", 0, 0, 0, 0), ())
    assert why_pause(found, **LIMITS) is None


def of_all(tried: int, bounced: int = 0, policy: int = 0, complained: int = 0) -> Rates:
    return Rates(Rate("", tried, bounced, policy, complained), ())


def test_a_send_run_pauses_at_gmails_limit_of_complaints() -> None:
    assert why_pause(of_all(1000, complained=2), **LIMITS) is None
    why = why_pause(of_all(1000, complained=3), **LIMITS)
    assert why == "3 of 1000 readers complained (0.30%; the limit is 0.30%)"


def test_one_complaint_in_a_small_list_pauses_nothing() -> None:
    assert why_pause(of_all(20, complained=1), **LIMITS) is None


def test_a_storm_of_bounces_pauses_and_policy_is_named() -> None:
    assert why_pause(of_all(100, bounced=19), **LIMITS) is None
    assert why_pause(of_all(1000, bounced=49), **LIMITS) is None
    assert why_pause(of_all(400, bounced=20), **LIMITS) == (
        "20 of 400 deliveries bounced (5.0%; the limit is 5.0%)"
    )
    why = why_pause(of_all(100, bounced=50, policy=40), **LIMITS)
    assert why is not None
    assert "5.7.x" in why


def test_one_large_domain_alone_can_pause_a_run() -> None:
    found = Rates(
        Rate("", 10_000, 60, 0, 0),
        (Rate("big.example", 500, 60, 60, 0), Rate("rest.example", 9_500, 0, 0, 0)),
    )
    why = why_pause(found, **LIMITS)
    assert why is not None
    assert why.startswith("60 of 500 deliveries at big.example bounced")


def test_notes_without_an_edition_are_not_counted(engine: Engine) -> None:
    with session_scope(engine) as session:
        edition = make_edition(session)
        subscriber = make_subscriber(session)
        make_delivery(
            session,
            edition,
            subscriber,
            edition_id=None,
            kind=DeliveryKind.CONFIRMATION,
            status=DeliveryStatus.SENT,
        )
        assert rates_of(session, edition.id or 0).total.tried == 0


@pytest.mark.parametrize(
    ("tried", "bounced", "complained", "said"),
    [
        (1000, 0, 3, "complaints over Gmail's limit of 0.3 %"),
        (3000, 0, 3, "complaints over the 0.1 % that Gmail advises"),
        (3001, 0, 3, ""),
        (1001, 0, 3, "complaints over the 0.1 % that Gmail advises"),
        (10, 0, 2, ""),  # too few to mean anything
        (400, 20, 0, "bounces over 5 %"),
        (401, 20, 0, ""),
        (100, 19, 0, ""),
        (1000, 400, 3, "complaints over Gmail's limit of 0.3 %"),
        (0, 0, 0, ""),
    ],
)
def test_a_rate_is_judged_at_its_limits_and_only_with_enough_cases(
    tried: int, bounced: int, complained: int, said: str
) -> None:
    assert verdict(Rate("there.example", tried, bounced, 0, complained)) == said
