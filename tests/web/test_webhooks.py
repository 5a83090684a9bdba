"""Providers' webhooks on a real server: signed events count once, forged and stale ones never."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import FetchError, SettingsError
from newsletter.core.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
)
from newsletter.core.tokens import Signer
from newsletter.web import webhooks
from tests.support import digests as mails
from tests.support.bounce_mails import MESSAGE_ID, READER
from tests.support.factories import make_delivery, make_edition, make_subscriber
from tests.support.live_site import serving
from tests.support.webhook_requests import (
    AMAZON_KEY,
    CERTIFICATE_URL,
    MAILGUN_KEY,
    POSTMARK_PASSWORD,
    SENDGRID_KEY,
    SUBSCRIBE_URL,
    TOPIC,
    bounce,
    certificate,
    mail_part,
    mailgun,
    sendgrid,
    sns,
)

SIGNER = Signer((mails.SECRET,))


@dataclass
class Hooks:
    """The server, what Amazon would answer, and the database behind."""

    url: str
    amazon: dict[str, bytes]
    asked: list[str]
    engine: Engine

    def post(self, provider: str, body: bytes, headers: dict[str, str] | None = None) -> int:
        return httpx.post(
            f"{self.url}/webhooks/{provider}", content=body, headers=headers
        ).status_code

    def events(self) -> list[tuple[str, EventKind, str]]:
        with read_scope(self.engine) as session:
            found = session.exec(select(DeliveryEvent).order_by(DeliveryEvent.id)).all()  # type: ignore[arg-type]
            return [(event.provider, event.kind, event.reason) for event in found]

    def status(self) -> DeliveryStatus:
        with read_scope(self.engine) as session:
            return session.exec(select(Delivery)).one().status

    def suppression(self) -> SuppressionReason | None:
        with read_scope(self.engine) as session:
            found = session.get(Suppression, SIGNER.hash_address(READER))
            return found.reason if found else None


@pytest.fixture
def hooks(engine: Engine) -> Iterator[Hooks]:
    with session_scope(engine) as session:
        subscriber = make_subscriber(session, READER, address_hash=SIGNER.hash_address(READER))
        make_delivery(
            session,
            make_edition(session),
            subscriber,
            status=DeliveryStatus.SENT,
            message_id=MESSAGE_ID,
            created_at=utc_now(),
        )
    key = SENDGRID_KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    settings = mails.settings(
        ses_topic_arn=TOPIC,
        sendgrid_webhook_key=base64.b64encode(key).decode(),
        postmark_webhook_password=POSTMARK_PASSWORD,
        mailgun_webhook_key=MAILGUN_KEY,
    )
    amazon = {CERTIFICATE_URL: certificate(AMAZON_KEY), SUBSCRIBE_URL: b"confirmed"}
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        if url not in amazon:
            raise FetchError("no answer", where=url, transient=True)
        return amazon[url]

    app = FastAPI()
    app.include_router(webhooks.router_for(engine, settings, fetch=fetch))
    with serving(app) as url:
        yield Hooks(url, amazon, asked, engine)


# --- Amazon SES ---------------------------------------------------------------------------------


def test_a_bounce_from_amazon_suppresses_once(hooks: Hooks) -> None:
    for version in ("2", "1", "2"):
        assert hooks.post("ses", sns(version=version)) == 200
    assert hooks.events() == [("ses", EventKind.BOUNCED, "no_such_address")]
    assert hooks.suppression() is SuppressionReason.BOUNCED
    assert hooks.status() is DeliveryStatus.BOUNCED


def test_amazons_other_notifications_are_mapped(hooks: Hooks) -> None:
    complaint = {
        "eventType": "Complaint",
        "complaint": {"complainedRecipients": [{"emailAddress": READER}]},
        "mail": mail_part(),
    }
    delay = {
        "eventType": "DeliveryDelay",
        "deliveryDelay": {
            "delayType": "MailboxFull",
            "delayedRecipients": [{"emailAddress": READER, "status": "4.2.2"}],
        },
        "mail": mail_part(),
    }
    notifications = [
        {"eventType": "Delivery", "mail": mail_part()},
        delay,
        bounce("Transient", "MailboxFull", "5.2.2"),
        {"eventType": "Open", "mail": mail_part()},
        complaint,
    ]
    for number, notification in enumerate(notifications):
        assert hooks.post("ses", sns(notification, MessageId=f"m{number}")) == 200
    assert hooks.events() == [
        ("ses", EventKind.DELIVERED, ""),
        ("ses", EventKind.DEFERRED, "mailbox_full"),
        ("ses", EventKind.BOUNCED, "mailbox_full"),
        ("ses", EventKind.COMPLAINED, "complaint"),
    ]
    assert hooks.suppression() is SuppressionReason.COMPLAINED


def test_a_subscription_to_our_topic_is_confirmed_and_no_other(hooks: Hooks) -> None:
    ask: dict[str, Any] = {"Type": "SubscriptionConfirmation", "Token": "t"}
    ask["SubscribeURL"] = SUBSCRIBE_URL
    assert hooks.post("ses", sns(**ask, TopicArn="arn:aws:sns:eu-west-1:666:other")) == 403
    stolen = ask | {"SubscribeURL": "https://evil.example/?x=sns.eu-west-1.amazonaws.com"}
    assert hooks.post("ses", sns(**stolen)) == 403
    assert SUBSCRIBE_URL not in hooks.asked
    assert hooks.post("ses", sns(**ask)) == 200
    assert hooks.asked.count(SUBSCRIBE_URL) == 1


FORGED = (
    sns(key=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    sns(SigningCertURL="https://evil.example/SimpleNotificationService-1.pem"),
    sns(SigningCertURL="https://sns.eu-west-1.amazonaws.com.evil.example/x.pem"),
    sns(SigningCertURL="http://sns.eu-west-1.amazonaws.com/x.pem"),
    sns(age=timedelta(days=2)),
    sns(age=-timedelta(hours=1)),
    sns(TopicArn="arn:aws:sns:eu-west-1:666:other"),
    sns().replace(b"Permanent", b"Transient"),
    sns(version="3"),
    sns(Type="Anything"),
)


def test_forged_and_stale_messages_of_amazon_are_refused(hooks: Hooks) -> None:
    for message in FORGED:
        assert hooks.post("ses", message) == 403, message
    assert hooks.events() == []


def test_a_certificate_that_ran_out_signs_nothing(hooks: Hooks) -> None:
    hooks.amazon[CERTIFICATE_URL] = certificate(AMAZON_KEY, days=-1)
    assert hooks.post("ses", sns()) == 403
    hooks.amazon[CERTIFICATE_URL] = b"no certificate"
    assert hooks.post("ses", sns()) == 403


def test_amazon_tries_again_when_its_certificate_cannot_be_fetched(hooks: Hooks) -> None:
    # SNS gives up for good on a 4xx.
    del hooks.amazon[CERTIFICATE_URL]
    assert hooks.post("ses", sns()) == 503


# --- SendGrid -----------------------------------------------------------------------------------


def test_events_of_sendgrid_are_mapped_and_replays_are_harmless(hooks: Hooks) -> None:
    body, headers = sendgrid(
        {"event": "processed"},
        {"event": "delivered", "response": "250 OK"},
        {"event": "deferred", "response": "451 4.7.1 greylisted"},
        {"event": "bounce", "type": "blocked", "reason": "550 5.7.1 blocked", "status": "5.7.1"},
        {"event": "bounce", "type": "bounce", "reason": "552 5.2.2 over quota", "status": "5.2.2"},
        {"event": "bounce", "type": "bounce", "reason": "550 no", "status": "5.0.0",
         "bounce_classification": "Invalid Address"},
        {"event": "spamreport"},
        {"event": "open"},
    )  # fmt: skip
    for _ in range(2):
        assert hooks.post("sendgrid", body, headers) == 200
    assert hooks.events() == [
        ("sendgrid", EventKind.DELIVERED, ""),
        ("sendgrid", EventKind.DEFERRED, "policy"),
        ("sendgrid", EventKind.BOUNCED, "policy"),
        ("sendgrid", EventKind.BOUNCED, "mailbox_full"),
        ("sendgrid", EventKind.BOUNCED, "no_such_address"),
        ("sendgrid", EventKind.COMPLAINED, "complaint"),
    ]
    assert hooks.status() is DeliveryStatus.COMPLAINED


@pytest.mark.parametrize(
    ("event", "permanence", "is_suppressed"),
    [
        ({"event": "deferred", "response": "451 4.7.1 greylisted"}, "transient", False),
        ({"event": "deferred", "response": "550 5.1.1 no such user"}, "transient", False),
        ({"event": "bounce", "type": "blocked", "reason": "550 5.1.1 no such user",
          "status": "5.1.1"}, "transient", False),
        ({"event": "bounce", "type": "bounce", "reason": "451 4.2.1 not now", "status": "4.2.1"},
         "transient", False),
        ({"event": "bounce", "type": "bounce", "reason": "550 5.1.1 no such user",
          "status": "5.1.1"}, "permanent", True),
        ({"event": "bounce", "reason": "550 5.1.1 no such user", "status": "5.1.1"},
         "permanent", True),
        ({"event": "dropped", "reason": "Bounced Address"}, "permanent", True),
    ],
)  # fmt: skip
def test_temporary_sendgrid_failures_are_never_permanent(
    hooks: Hooks, event: dict[str, str], permanence: str, is_suppressed: bool
) -> None:
    assert hooks.post("sendgrid", *sendgrid(event)) == 200
    with read_scope(hooks.engine) as session:
        assert session.exec(select(DeliveryEvent.permanence)).all() == [permanence]
    assert (hooks.suppression() is not None) is is_suppressed


def test_forged_and_stale_events_of_sendgrid_are_refused(hooks: Hooks) -> None:
    event = {"event": "spamreport"}
    body, headers = sendgrid(event)
    assert hooks.post("sendgrid", body) == 403
    assert hooks.post("sendgrid", body.replace(b"spam", b"ham!"), headers) == 403
    assert hooks.post("sendgrid", body, headers | {
        "X-Twilio-Email-Event-Webhook-Signature": "bm90aGluZw=="
    }) == 403  # fmt: skip
    assert hooks.post("sendgrid", *sendgrid(event, age=2 * 86400)) == 403
    assert (
        hooks.post("sendgrid", *sendgrid(event, key=ec.generate_private_key(ec.SECP256R1()))) == 403
    )
    assert hooks.events() == []


# --- Postmark -----------------------------------------------------------------------------------


def postmark(hooks: Hooks, password: str = POSTMARK_PASSWORD, **event: Any) -> int:
    filled = {
        "RecordType": "Bounce",
        "ID": 4323372036854775807,
        "Type": "HardBounce",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Email": READER,
        "BouncedAt": "2026-11-20T13:28:10.2735393-04:00",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
    } | event
    basic = base64.b64encode(password.encode()).decode()
    return hooks.post("postmark", json.dumps(filled).encode(), {"Authorization": f"Basic {basic}"})


def test_events_of_postmark_are_mapped_and_replays_are_harmless(hooks: Hooks) -> None:
    assert postmark(hooks, RecordType="Delivery", Recipient=READER, DeliveredAt="no date") == 200
    assert postmark(hooks, ID=1, Type="Transient", Details="421 later") == 200
    assert postmark(hooks, ID=2, Type="AutoResponder") == 200
    assert postmark(hooks, ID=3, Type="SoftBounce", Details="452 4.2.2 full mailbox") == 200
    for _ in range(2):
        assert postmark(hooks) == 200
    assert postmark(hooks, ID=5, RecordType="SpamComplaint", Type="SpamComplaint") == 200
    assert hooks.events() == [
        ("postmark", EventKind.DEFERRED, "network"),
        ("postmark", EventKind.BOUNCED, "mailbox_full"),
        ("postmark", EventKind.BOUNCED, "no_such_address"),
        ("postmark", EventKind.COMPLAINED, "complaint"),
    ]


def test_postmark_without_its_password_is_refused(hooks: Hooks) -> None:
    assert postmark(hooks, password="postmark:guess") == 403
    assert hooks.post("postmark", b"{}") == 403
    assert hooks.events() == []


# --- Mailgun ------------------------------------------------------------------------------------


def test_events_of_mailgun_are_mapped_and_replays_are_harmless(hooks: Hooks) -> None:
    told: dict[str, Any] = {"delivery-status": {"code": 605, "message": ""}}
    for message in (
        mailgun(id="1", event="delivered"),
        mailgun(id="2", severity="temporary", reason="greylisted"),
        mailgun(id="3", reason="old", **told),
        mailgun(),
        mailgun(),
        mailgun(id="5", event="complained"),
        mailgun(id="6", event="clicked"),
    ):
        assert hooks.post("mailgun", message) == 200
    assert hooks.events() == [
        ("mailgun", EventKind.DELIVERED, ""),
        ("mailgun", EventKind.DEFERRED, "no_such_address"),
        ("mailgun", EventKind.BOUNCED, "expired"),
        ("mailgun", EventKind.BOUNCED, "no_such_address"),
        ("mailgun", EventKind.COMPLAINED, "complaint"),
    ]


def test_forged_and_stale_events_of_mailgun_are_refused(hooks: Hooks) -> None:
    assert hooks.post("mailgun", mailgun(key="guess")) == 403
    assert hooks.post("mailgun", mailgun(age=2 * 86400)) == 403
    assert hooks.post("mailgun", mailgun(age=-3600)) == 403
    assert hooks.post("mailgun", b'{"event-data": {}}') == 403
    assert hooks.events() == []


# --- A wish to leave, by whatever door ---------------------------------------------------------


def leave_by_sendgrid(hooks: Hooks, **event: str) -> int:
    body, headers = sendgrid(event)
    return hooks.post("sendgrid", body, headers)


DOORS: dict[str, Callable[[Hooks], int]] = {
    "Postmark": lambda hooks: postmark(
        hooks, RecordType="SubscriptionChange", Recipient=READER, Origin="Recipient",
        SuppressSending=True, SuppressionReason="ManualSuppression",
        ChangedAt="2026-11-20T10:53:34.416071Z",
    ),
    "Postmark, by mail": lambda hooks: postmark(hooks, Type="Unsubscribe"),
    "Mailgun": lambda hooks: hooks.post("mailgun", mailgun(event="unsubscribed")),
    "SendGrid": lambda hooks: leave_by_sendgrid(hooks, event="unsubscribe"),
    "SendGrid, a group": lambda hooks: leave_by_sendgrid(hooks, event="group_unsubscribe"),
    "SendGrid, dropped": lambda hooks: leave_by_sendgrid(
        hooks, event="dropped", reason="Unsubscribed Address"
    ),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_who_leaves_by_a_providers_door_has_left(hooks: Hooks, door: str) -> None:
    for _ in range(2):
        assert DOORS[door](hooks) == 200
    assert [kind for _, kind, _ in hooks.events()] == [EventKind.UNSUBSCRIBED]
    assert hooks.suppression() is SuppressionReason.UNSUBSCRIBED
    with read_scope(hooks.engine) as session:
        [reader] = session.exec(select(Subscriber)).all()
    assert reader.status is SubscriberStatus.UNSUBSCRIBED
    assert hooks.status() is DeliveryStatus.SENT


@pytest.mark.parametrize(
    "change",
    [
        {"SuppressSending": False, "SuppressionReason": None},
        {"SuppressSending": True, "SuppressionReason": "HardBounce"},
    ],
)
def test_other_changes_at_postmark_are_nobodys_wish(hooks: Hooks, change: dict[str, Any]) -> None:
    assert postmark(hooks, RecordType="SubscriptionChange", Recipient=READER, **change) == 200
    assert hooks.suppression() is None


def test_who_moves_a_mail_out_of_the_spam_folder_complains_of_nothing(hooks: Hooks) -> None:
    complaint: dict[str, Any] = {
        "complainedRecipients": [{"emailAddress": READER}],
        "complaintFeedbackType": "not-spam",
    }
    told = {"eventType": "Complaint", "complaint": complaint, "mail": mail_part()}
    assert hooks.post("ses", sns(told)) == 200
    assert hooks.suppression() is None
    assert hooks.status() is DeliveryStatus.SENT
    complaint["complaintFeedbackType"] = "abuse"
    assert hooks.post("ses", sns(told)) == 200
    assert hooks.suppression() is SuppressionReason.COMPLAINED


@pytest.mark.parametrize(
    ("status", "words", "is_dead"),
    [
        ("5.4.4", "Unable to lookup DNS for reader.example", True),
        ("5.4.4", "smtp; 550 5.4.4 Invalid domain", True),
        ("5.2.2", "smtp; 552 5.2.2 mailbox full", False),
        ("4.4.7", "smtp; 421 4.4.7 timed out", False),
        ("5.7.1", "smtp; 550 5.7.1 blocked", False),
    ],
)
def test_what_amazon_calls_transient_is_read_like_an_smtp_reply(
    hooks: Hooks, status: str, words: str, is_dead: bool
) -> None:
    failed = {"emailAddress": READER, "status": status, "diagnosticCode": words}
    bounced = {
        "bounceType": "Transient", "bounceSubType": "General", "bouncedRecipients": [failed],
    }  # fmt: skip
    told = {"eventType": "Bounce", "bounce": bounced, "mail": mail_part()}
    assert hooks.post("ses", sns(told)) == 200
    assert hooks.suppression() is (SuppressionReason.BOUNCED if is_dead else None)


@pytest.mark.parametrize("event", ["delivered", "unsubscribed"])
def test_a_mail_that_is_known_to_have_arrived_is_no_longer_uncertain(
    hooks: Hooks, event: str
) -> None:
    with session_scope(hooks.engine) as session:
        session.exec(select(Delivery)).one().status = DeliveryStatus.UNCERTAIN
    assert hooks.post("mailgun", mailgun(event=event)) == 200
    assert hooks.status() is DeliveryStatus.SENT


# --- All of them --------------------------------------------------------------------------------


NONSENSE = (b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"Type": {"a": [1]}}', b'"x"')


def test_nonsense_is_refused_with_a_word(hooks: Hooks) -> None:
    for provider in ("ses", "sendgrid", "postmark", "mailgun"):
        for body in NONSENSE:
            assert hooks.post(provider, body) in {400, 403}, (provider, body[:40])


def test_events_about_strangers_change_nothing(hooks: Hooks) -> None:
    stranger = {"email": "stranger@else.example", "smtp-id": "<x@else.example>"}
    body, headers = sendgrid({"event": "spamreport"} | stranger)
    assert hooks.post("sendgrid", body, headers) == 200
    assert hooks.events() == []
    assert hooks.status() is DeliveryStatus.SENT


def test_a_provider_without_a_key_has_no_endpoint(sqlite_engine: Engine) -> None:
    assert webhooks.router_for(sqlite_engine, mails.settings()).routes == []


@pytest.mark.parametrize("key", ["no base64", "bm90aGluZw=="])
def test_a_bad_sendgrid_key_is_reported_at_the_start(sqlite_engine: Engine, key: str) -> None:
    with pytest.raises(SettingsError, match="SENDGRID"):
        webhooks.router_for(sqlite_engine, mails.settings(sendgrid_webhook_key=key))
