"""The signed bounce address inside every message: what lost its envelope still finds home."""

import base64
import email
import email.policy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from sqlalchemy import Engine

from newsletter.core.config import Settings
from newsletter.core.database import session_scope
from newsletter.core.models import DeliveryStatus
from newsletter.core.tokens import Signer
from newsletter.inbound.apply import receive
from newsletter.inbound.matching import MatchBasis, match
from newsletter.inbound.providers import mailgun, postmark, sendgrid, ses
from newsletter.inbound.providers.base import Reader, WebhookRequest
from newsletter.messages.renderer import Renderer
from tests.support import digests as mails
from tests.support import factories, webhook_requests
from tests.support.bounce_mails import READER, report
from tests.support.webhook_requests import MAILGUN_KEY, POSTMARK_PASSWORD, SENDGRID_KEY, TOPIC

SIGNER = Signer((mails.SECRET,))
PUBLIC = SENDGRID_KEY.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)
WEBHOOKS = mails.settings(
    ses_topic_arn=TOPIC,
    sendgrid_webhook_key=base64.b64encode(PUBLIC).decode(),
    postmark_webhook_password=POSTMARK_PASSWORD,
    mailgun_webhook_key=MAILGUN_KEY,
)


def message(settings: Settings, **fields: Any) -> EmailMessage:
    data = Renderer(settings, SIGNER).digest(mails.digest(**fields)).data
    return email.message_from_bytes(data, policy=email.policy.default)


def test_the_mark_is_the_envelope_sender_and_is_not_signed(tmp_path: Path) -> None:
    settings = mails.signing_settings(tmp_path)
    envelope = Renderer(settings, SIGNER).digest(mails.digest())
    made = message(settings)
    assert made.get_all("X-Newsletter-Delivery") == [envelope.sender]
    for signature in made.get_all("DKIM-Signature", []):
        assert "x-newsletter-delivery" not in str(signature).lower()


def test_providers_headers_are_there_only_where_their_webhook_is_open() -> None:
    names = ("X-PM-Metadata-delivery", "X-SMTPAPI", "X-Mailgun-Variables")
    assert not any(name in message(mails.settings()) for name in names)
    assert all(name in message(WEBHOOKS) for name in names)
    assert "X-SMTPAPI" not in message(mails.settings(postmark_webhook_password="u:p"))


def of_postmark(made: EmailMessage) -> tuple[Reader | None, bytes, dict[str, str]]:
    metadata = {"delivery": str(made["X-PM-Metadata-delivery"])}
    event = {"RecordType": "Bounce", "ID": 1, "Type": "HardBounce", "Metadata": metadata}
    basic = base64.b64encode(POSTMARK_PASSWORD.encode()).decode()
    headers = {"authorization": f"Basic {basic}"}
    return postmark.reader(WEBHOOKS), json.dumps(event).encode(), headers


def of_sendgrid(made: EmailMessage) -> tuple[Reader | None, bytes, dict[str, str]]:
    own = json.loads(str(made["X-SMTPAPI"]))["unique_args"]
    body, headers = webhook_requests.sendgrid(
        {"event": "bounce", "status": "5.1.1", "smtp-id": "<theirs@sendgrid.example>"} | own
    )
    return sendgrid.reader(WEBHOOKS), body, {name.lower(): value for name, value in headers.items()}


def of_mailgun(made: EmailMessage) -> tuple[Reader | None, bytes, dict[str, str]]:
    own = json.loads(str(made["X-Mailgun-Variables"]))
    body = webhook_requests.mailgun(**{"user-variables": own, "message": {}})
    return mailgun.reader(WEBHOOKS), body, {}


def of_amazon(made: EmailMessage) -> tuple[Reader | None, bytes, dict[str, str]]:
    mark = "X-Newsletter-Delivery"
    headers = [{"name": mark, "value": str(made[mark])}]
    event = webhook_requests.bounce() | {"mail": {"source": "a@b.example", "headers": headers}}
    pem = webhook_requests.certificate(webhook_requests.AMAZON_KEY)
    return ses.reader(WEBHOOKS, lambda url: pem), webhook_requests.sns(event), {}


@pytest.mark.parametrize("provider", [of_postmark, of_sendgrid, of_mailgun, of_amazon])
def test_a_value_carried_by_the_provider_identifies_the_delivery(
    engine: Engine,
    provider: Callable[[EmailMessage], tuple[Reader | None, bytes, dict[str, str]]],
) -> None:
    now = datetime.now(UTC)
    with session_scope(engine) as session:
        subscriber = factories.make_subscriber(session, "someone@else.example")
        delivery = factories.make_delivery(
            session, factories.make_edition(session), subscriber, status=DeliveryStatus.SENT
        )
        made = message(WEBHOOKS, delivery_id=delivery.id)
        reader, body, headers = provider(made)
        assert reader is not None
        [event] = reader(WebhookRequest(body, headers, now))
        [found] = match(session, SIGNER, event.outcome, now=now)
        assert (found.clue, found.delivery.id) == (MatchBasis.MARK, delivery.id)


def test_a_bounce_stripped_to_the_headers_is_matched_by_its_mark(engine: Engine) -> None:
    now = datetime.now(UTC)
    with session_scope(engine) as session:
        subscriber = factories.make_subscriber(session, READER)
        delivery = factories.make_delivery(
            session, factories.make_edition(session), subscriber, status=DeliveryStatus.SENT
        )
        mark = str(message(WEBHOOKS, delivery_id=delivery.id)["X-Newsletter-Delivery"])
        mail = report(returned=f"Subject: Your papers\nX-Newsletter-Delivery: {mark}\n")
        recorded = receive(session, SIGNER, mail, size=len(mail), now=now)
        session.refresh(delivery)
        assert recorded.matched
        assert not recorded.is_unproven
        assert delivery.status is DeliveryStatus.BOUNCED
