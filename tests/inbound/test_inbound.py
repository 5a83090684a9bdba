"""What comes back changes the ledger, suppression and subscription, once, and only when ours."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.database import session_scope
from newsletter.core.models import (
    Cadence,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    KeptMail,
    Reason,
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
)
from newsletter.core.tokens import Purpose, Signer
from newsletter.inbound import apply
from newsletter.inbound.apply import Recorded, record_rejection
from newsletter.inbound.bounces import Ours, read_reply
from newsletter.sending.ledger.rates import rates_of
from tests.support.bounce_mails import (
    MESSAGE_ID,
    READER,
    RETURNED,
    complaint,
    letter,
    person,
    report,
)
from tests.support.factories import make_delivery, make_edition, make_subscriber

SIGNER = Signer(("a" * 32,))
DOMAIN = "news.example.org"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FULL = {"status": "5.2.2", "diagnostic": "smtp; 552 5.2.2 over quota"}
ODD = {"status": "5.3.0", "diagnostic": "smtp; 554 5.3.0 cannot open mailbox file"}


@pytest.fixture
def session(engine: Engine) -> Any:
    with session_scope(engine) as session:
        yield session


def sent(session: Session, email: str = READER, **fields: Any) -> Delivery:
    """A digest that a relay took an hour ago."""
    subscriber = make_subscriber(
        session,
        email,
        address_hash=SIGNER.hash_address(email),
        confirmed_at=NOW - timedelta(days=200),
    )
    values = {
        "status": DeliveryStatus.SENT,
        "message_id": MESSAGE_ID,
        "created_at": NOW - timedelta(hours=1),
    }
    return make_delivery(session, make_edition(session), subscriber, **(values | fields))


def next_digest(session: Session, before: Delivery, day: int) -> Delivery:
    """Another sent digest to the same subscriber, ``day`` days later."""
    subscriber = session.get_one(Subscriber, before.subscriber_id)
    edition = make_edition(session, NOW.date() + timedelta(days=day))
    return make_delivery(session, edition, subscriber, status=DeliveryStatus.SENT)


def verp(delivery: Delivery) -> str:
    return SIGNER.verp_address(delivery.id or 0, DOMAIN)


def receive(session: Session, mail: bytes, now: datetime = NOW) -> Recorded:
    recorded = apply.receive(session, SIGNER, mail, size=len(mail), now=now)
    session.flush()
    session.expire_all()
    return recorded


def suppression(session: Session, email: str = READER) -> SuppressionReason | None:
    found = session.get(Suppression, SIGNER.hash_address(email))
    return found.reason if found else None


def events(session: Session) -> list[EventKind]:
    return [event.kind for event in session.exec(select(DeliveryEvent))]


def test_a_dead_address_is_suppressed_at_once_and_the_ledger_says_bounced(session: Session) -> None:
    delivery = sent(session)
    recorded = receive(session, report(to=verp(delivery)))
    assert recorded.matched
    assert suppression(session) is SuppressionReason.BOUNCED
    assert delivery.status is DeliveryStatus.BOUNCED
    [event] = session.exec(select(DeliveryEvent)).all()
    assert (event.kind, event.delivery_id) == (EventKind.BOUNCED, delivery.id)
    assert (event.permanence, event.reason, event.status) == (
        "permanent", "no_such_address", "5.1.1",
    )  # fmt: skip
    assert session.exec(select(KeptMail)).all() == []


def test_the_same_mail_again_changes_nothing(session: Session) -> None:
    delivery = sent(session)
    mail = report(to=verp(delivery), **ODD)
    receive(session, mail)
    again = receive(session, b"Received: by another way\nDelivered-To: x@y.example\n" + mail)
    assert again.matched
    assert again.is_replay
    assert again.actions == ()
    assert events(session) == [EventKind.BOUNCED]


def test_a_verp_address_is_known_in_any_case(session: Session) -> None:
    delivery = sent(session, message_id="other@news.example.org")
    assert receive(session, report(to=verp(delivery).upper(), returned="")).matched
    assert delivery.status is DeliveryStatus.BOUNCED


def test_a_forged_verp_address_is_nobodys(session: Session) -> None:
    delivery = sent(session, "other@reader.example", message_id="other@news.example.org")
    forged = f"bounce+{delivery.id}-{'a' * 16}@{DOMAIN}"
    assert not receive(session, report(to=forged, returned="")).matched
    assert delivery.status is DeliveryStatus.SENT


def test_verp_wins_over_the_mark_that_over_message_id_and_that_over_the_named_recipient(
    session: Session,
) -> None:
    named = sent(session, message_id="named@news.example.org")
    by_id = sent_to(session, "id@reader.example", MESSAGE_ID)
    by_mark = sent_to(session, "mark@reader.example", "a-mark@news.example.org")
    by_verp = sent_to(session, "verp@reader.example", "verp@news.example.org")
    all_four = (by_verp, by_mark, by_id, named)
    mark = f"X-Newsletter-Delivery: {verp(by_mark)}\n"
    receive(session, report(to=verp(by_verp), report_id="1@mx.example", returned=RETURNED + mark))
    assert statuses(*all_four) == ["bounced", "sent", "sent", "sent"]
    receive(session, report(report_id="2@mx.example", returned=RETURNED + mark))
    assert statuses(*all_four) == ["bounced", "bounced", "sent", "sent"]
    for number, returned in enumerate((RETURNED, ""), start=3):
        recorded = receive(session, report(report_id=f"{number}@mx.example", returned=returned))
        assert recorded.matched
        assert recorded.is_unproven
        assert statuses(*all_four) == ["bounced", "bounced", "sent", "sent"]


# What a stranger can know: the address of a reader, and the Message-ID that a reply quotes.
UNPROVEN_WAYS = {"by address": "", "by Message-ID": RETURNED}


@pytest.mark.parametrize("returned", UNPROVEN_WAYS.values(), ids=UNPROVEN_WAYS.keys())
def test_a_bounce_without_our_signature_is_kept_for_the_operator_and_changes_nothing(
    session: Session, returned: str
) -> None:
    delivery = sent(session)
    forged = report(to="papers@news.example.org", returned=returned)
    recorded = receive(session, forged)
    assert recorded.actions == (f"{READER}: bounced, but nothing proves it; kept for review",)
    assert suppression(session) is None
    assert delivery.status is DeliveryStatus.SENT
    assert rates_of(session, delivery.edition_id or 0).total.bounced == 0
    [kept] = session.exec(select(KeptMail)).all()
    assert (kept.kind, kept.content) == ("bounce", forged)


@pytest.mark.parametrize("returned", UNPROVEN_WAYS.values(), ids=UNPROVEN_WAYS.keys())
def test_claims_without_our_signature_never_add_up(session: Session, returned: str) -> None:
    delivery = sent(session)
    for day in range(25):
        claim = report(
            to="papers@news.example.org", returned=returned, report_id=f"{day}@mx.example", **ODD
        )
        receive(session, claim.replace(b"Hello", b"Hello %d" % day), NOW + timedelta(days=day))
    assert suppression(session) is None
    assert delivery.status is DeliveryStatus.SENT
    # One real bounce after all of them counts as one.
    receive(session, report(to=verp(delivery), **ODD), NOW + timedelta(days=25))
    assert suppression(session) is None


def test_a_flood_of_claims_is_one_event_a_day(session: Session) -> None:
    sent(session)
    for number in range(30):
        claim = report(to="papers@news.example.org", report_id=f"{number}@mx.example")
        receive(session, claim.replace(b"Hello", b"Hello %d" % number))
    assert events(session) == [EventKind.BOUNCED]


def test_a_signature_of_ours_from_another_message_proves_nothing_about_this_one(
    session: Session,
) -> None:
    """A reader knows the marks in their own mail."""
    victim = sent(session)
    own = sent_to(session, "mallory@reader.example", "own@news.example.org")
    mark = f"X-Newsletter-Delivery: {verp(own)}\n"
    receive(session, report(recipient=READER, returned=RETURNED + mark))
    assert suppression(session, READER) is None
    assert victim.status is DeliveryStatus.SENT


def test_mail_that_arrives_takes_days_off_the_score(session: Session) -> None:
    first = sent(session)
    for day in range(1, 40):
        delivery = next_digest(session, first, day)
        delivery.created_at = NOW + timedelta(days=day)
        session.flush()
        if day % 2:
            mail = report(to=verp(delivery), report_id=f"{day}@mx.example", returned="", **ODD)
            receive(session, mail, NOW + timedelta(days=day))
    assert suppression(session) is None
    assert bounce_again(session, first, [40, 41, 42]) == []
    assert bounce_again(session, first, [43, 44]) == [43, 44]


def bounce_again(session: Session, first: Delivery, days: list[int]) -> list[int]:
    suppressed = []
    for day in days:
        delivery = next_digest(session, first, day)
        mail = report(to=verp(delivery), report_id=f"{day}@mx.example", returned="", **ODD)
        receive(session, mail, NOW + timedelta(days=day))
        if suppression(session):
            suppressed.append(day)
    return suppressed


@pytest.mark.parametrize(
    "returned", [f"To: {READER}\nSubject: Your papers\n", RETURNED], ids=UNPROVEN_WAYS.keys()
)
def test_a_complaint_without_our_signature_suppresses_nobody(
    session: Session, returned: str
) -> None:
    delivery = sent(session)
    forged = complaint(returned=returned)
    recorded = receive(session, forged)
    assert recorded.matched
    assert suppression(session) is None
    assert delivery.status is DeliveryStatus.SENT
    assert rates_of(session, delivery.edition_id or 0).total.complained == 0
    [kept] = session.exec(select(KeptMail)).all()
    assert kept.kind == "complaint"


def sent_to(session: Session, email: str, message_id: str) -> Delivery:
    subscriber = make_subscriber(session, email, address_hash=SIGNER.hash_address(email))
    edition = make_edition(session, NOW.date() - timedelta(days=len(message_id)))
    fields = {"message_id": message_id, "status": DeliveryStatus.SENT}
    return make_delivery(session, edition, subscriber, **fields)


def statuses(*deliveries: Delivery) -> list[str]:
    return [str(delivery.status) for delivery in deliveries]


def test_a_mark_in_the_returned_message_tells_too(session: Session) -> None:
    delivery = sent(session, "other@reader.example", message_id="other@news.example.org")
    mail = report(returned=f"X-Newsletter-Delivery: {verp(delivery)}\n")
    assert receive(session, mail).matched
    assert delivery.status is DeliveryStatus.BOUNCED


def test_a_named_recipient_counts_only_where_mail_went_lately(session: Session) -> None:
    delivery = sent(
        session, message_id="other@news.example.org", created_at=NOW - timedelta(days=40)
    )
    assert not receive(session, report(returned="")).matched
    assert delivery.status is DeliveryStatus.SENT
    assert suppression(session) is None


def test_a_forwarded_address_that_fails_is_the_subscribers_failure(session: Session) -> None:
    delivery = sent(session)
    receive(session, report(to=verp(delivery), recipient="elsewhere@other.example"))
    assert suppression(session) is SuppressionReason.BOUNCED


@pytest.mark.parametrize(
    ("status", "diagnostic"),
    [
        ("5.2.2", "smtp; 552 5.2.2 over quota"),
        ("5.7.1", "smtp; 550 5.7.1 blocked by policy"),
        ("5.7.26", "smtp; 550 5.7.26 unauthenticated"),
        ("5.1.1", "smtp; 552 mailbox full (#5.1.1)"),
        ("5.3.4", "smtp; 552 message too large"),
        ("4.4.7", "smtp; 421 timed out"),
        ("5.0.0", "smtp; 554 delivery error"),
    ],
)
def test_full_policy_and_transient_bounces_never_suppress_at_once(
    session: Session, status: str, diagnostic: str
) -> None:
    delivery = sent(session)
    recorded = receive(session, report(to=verp(delivery), status=status, diagnostic=diagnostic))
    assert recorded.matched
    assert suppression(session) is None
    assert delivery.status is DeliveryStatus.BOUNCED


def bounce_daily(session: Session, days: list[int], **how: str) -> list[int]:
    """One bounce on each of the days; returns on which days the address was suppressed."""
    first = sent(session)
    suppressed = []
    for day in days:
        delivery = next_digest(session, first, day)
        mail = report(to=verp(delivery), report_id=f"{day}@mx.example", returned="", **how)
        receive(session, mail, NOW + timedelta(days=day))
        if suppression(session):
            suppressed.append(day)
    return suppressed


def test_five_days_of_permanent_bounces_in_a_row_suppress(session: Session) -> None:
    assert bounce_daily(session, [1, 2, 3, 4, 5], **ODD) == [5]


def test_a_full_mailbox_is_given_ten_days(session: Session) -> None:
    assert bounce_daily(session, list(range(1, 12)), **FULL) == [10, 11]


def test_the_score_ages_a_quiet_week_wipes_it(session: Session) -> None:
    assert bounce_daily(session, [1, 2, 3, 4, 12, 13, 14, 15], **ODD) == []


def test_policy_never_adds_up_to_a_suppression(session: Session) -> None:
    how = {"status": "5.7.1", "diagnostic": "smtp; 550 5.7.1 blocked by policy"}
    assert bounce_daily(session, list(range(1, 20)), **how) == []


def test_a_weekly_digest_bounces_its_way_to_suppression_too(session: Session) -> None:
    first = sent(session)
    session.get_one(Subscriber, first.subscriber_id).cadence = Cadence.WEEKLY
    session.flush()
    for week in range(1, 6):
        delivery = next_digest(session, first, 7 * week)
        mail = report(to=verp(delivery), report_id=f"{week}@mx.example", returned="", **ODD)
        receive(session, mail, NOW + timedelta(days=7 * week))
    assert suppression(session) is SuppressionReason.BOUNCED


def test_several_bounces_on_one_day_count_once(session: Session) -> None:
    delivery = sent(session)
    for number in range(10):
        receive(session, report(to=verp(delivery), report_id=f"{number}@mx.example", **ODD))
    assert suppression(session) is None


def test_a_complaint_suppresses_at_once(session: Session) -> None:
    delivery = sent(session)
    mark = f"X-Newsletter-Delivery: {verp(delivery)}\n"
    returned = RETURNED.replace(READER, "redacted@reader.example") + mark
    assert receive(session, complaint(returned=returned)).matched
    assert suppression(session) is SuppressionReason.COMPLAINED
    assert delivery.status is DeliveryStatus.COMPLAINED
    receive(session, report(to=verp(delivery)))
    assert delivery.status is DeliveryStatus.COMPLAINED


@pytest.mark.parametrize(
    "mail",
    [
        report(action="delayed", status="4.4.1"),
        person("Automatic reply: Your papers", "I am away.", In_Reply_To=f"<{MESSAGE_ID}>"),
        complaint(feedback_type="auth-failure"),
    ],
)
def test_delays_auto_replies_and_forgery_reports_do_nothing(session: Session, mail: bytes) -> None:
    delivery = sent(session)
    assert receive(session, mail).matched
    assert delivery.status is DeliveryStatus.SENT
    assert suppression(session) is None
    assert EventKind.BOUNCED not in events(session)


def test_a_delivery_notice_is_an_event(session: Session) -> None:
    delivery = sent(session)
    receive(session, report(to=verp(delivery), action="delivered", status="2.0.0"))
    assert events(session) == [EventKind.DELIVERED]
    assert delivery.status is DeliveryStatus.SENT


def test_an_unsubscribe_mail_with_our_token_unsubscribes(session: Session) -> None:
    subscriber = session.get_one(Subscriber, sent(session).subscriber_id)
    token = SIGNER.sign(Purpose.UNSUBSCRIBE, subscriber.public_id)
    mail = letter("Ada", "unsubscribe", "", to=f"unsubscribe+{token}@{DOMAIN}")
    assert receive(session, mail).actions == ("unsubscribed",)
    assert subscriber.status is SubscriberStatus.UNSUBSCRIBED
    assert suppression(session) is SuppressionReason.UNSUBSCRIBED
    assert receive(session, mail).matched


@pytest.mark.parametrize("token", ["", "forged.token", None])
def test_an_unsubscribe_mail_without_our_token_is_kept_and_changes_nothing(
    session: Session, token: str | None
) -> None:
    subscriber = session.get_one(Subscriber, sent(session).subscriber_id)
    if token is None:  # a real one, made for something else
        token = SIGNER.sign(Purpose.PREFERENCES, subscriber.public_id)
    mail = letter(READER, "unsubscribe", "", to=f"unsubscribe+{token}@{DOMAIN}")
    assert not receive(session, mail).matched
    assert subscriber.status is SubscriberStatus.ACTIVE
    [kept] = session.exec(select(KeptMail)).all()
    assert kept.kind == "unsubscribe"


def test_an_unmatched_message_is_kept_whole_once(session: Session) -> None:
    mail = report(recipient="nobody@else.example", returned="")
    for _ in range(2):
        assert not receive(session, mail).matched
    [kept] = session.exec(select(KeptMail)).all()
    assert (kept.kind, kept.content, kept.size) == ("bounce", mail, len(mail))
    assert events(session) == []


def test_a_personal_reply_is_kept_for_the_operator_even_if_matched(session: Session) -> None:
    sent(session)
    mail = person("Re: Your papers", "Please take me off.", In_Reply_To=f"<{MESSAGE_ID}>")
    assert receive(session, mail).matched
    [kept] = session.exec(select(KeptMail)).all()
    assert kept.subject == "Re: Your papers"


@pytest.mark.parametrize("public_id", ["Qk3xUPPERlower_-0Z", "0123456789abcdef"])
def test_an_unsubscribe_address_survives_lower_case(session: Session, public_id: str) -> None:
    delivery = sent(session)
    reader = session.get_one(Subscriber, delivery.subscriber_id)
    reader.public_id = public_id
    session.flush()
    token = SIGNER.mailbox_token(Purpose.UNSUBSCRIBE, public_id)
    assert token == token.lower()
    forged = token[:-1] + ("a" if token[-1] != "a" else "b")
    for bad in (forged, SIGNER.sign(Purpose.UNSUBSCRIBE, public_id).lower()):
        assert not receive(
            session, letter("A", "stop", "", to=f"unsubscribe+{bad}@{DOMAIN}")
        ).matched
    mail = letter("Ada", "unsubscribe", "", to=f"UNSUBSCRIBE+{token.upper()}@{DOMAIN}")
    assert receive(session, mail).matched
    assert suppression(session) is SuppressionReason.UNSUBSCRIBED
    assert reader.status is SubscriberStatus.UNSUBSCRIBED


def test_hostile_text_can_be_stored(session: Session) -> None:
    delivery = sent(session)
    for number, bad in enumerate(("\0", "\x1b[2J", "\N{SNOWMAN}", "=?utf-8?q?=00?=", "𝕏")):
        mail = report(
            to=verp(delivery), diagnostic=f"smtp; 554 {bad}", status="5.3.0",
            report_id=f"{number}@mx.example",
        )  # fmt: skip
        assert receive(session, mail).matched
        receive(session, letter("a@b.example", f"s {bad} {number}", f"{bad} {number}"))
    assert len(events(session)) == 5


def refuse(session: Session, delivery: Delivery, response: str) -> tuple[str, ...]:
    ours = Ours.of(verp(delivery), [DOMAIN])
    found = read_reply(550, response, address=delivery.to_address, ours=ours)
    return record_rejection(session, SIGNER, delivery, found, now=NOW)


def test_a_relays_refusal_goes_the_same_way_as_a_bounce(session: Session) -> None:
    delivery = sent(session, status=DeliveryStatus.FAILED)
    [action] = refuse(session, delivery, "5.1.1 user unknown")
    assert action.endswith("suppressed")
    assert suppression(session) is SuppressionReason.BOUNCED
    assert refuse(session, delivery, "5.1.1 user unknown") == ()
    assert delivery.status is DeliveryStatus.FAILED


def test_a_relays_refusal_by_policy_suppresses_nobody(session: Session) -> None:
    delivery = sent(session, status=DeliveryStatus.FAILED)
    refuse(session, delivery, "5.7.1 blocked")
    assert suppression(session) is None
    [event] = session.exec(select(DeliveryEvent)).all()
    assert event.reason == Reason.POLICY
