"""Webhooks that somebody forges: hosts that only look like Amazon's, tokens used twice."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.config import Settings
from newsletter.core.database import read_scope, utc_now
from newsletter.core.errors import TokenError
from newsletter.core.models import UsedToken
from newsletter.inbound.providers import ses
from newsletter.inbound.providers.base import WebhookRequest
from newsletter.web import webhooks
from tests.support.live_site import serving
from tests.support.visits import KEY
from tests.support.webhook_requests import (
    AMAZON_KEY,
    CERTIFICATE_URL,
    MAILGUN_KEY,
    TOPIC,
    certificate,
    mailgun,
    sns,
)

PEM = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
NOT_AMAZON = [
    "https://sns.s3-us-west-2.amazonaws.com" + PEM,
    "https://sns.s3.amazonaws.com" + PEM,
    "https://sns.s3-website-us-east-1.amazonaws.com" + PEM,
    "https://sns.us-east-1.elb.amazonaws.com" + PEM,
    "https://sns.execute-api-1.amazonaws.com" + PEM,
    "https://s3.us-east-1.amazonaws.com/sns.us-east-1.amazonaws.com" + PEM,
    "https://sns.us-east-1.amazonaws.com.evil.example" + PEM,
    "https://sns.us-east-1.amazonaws.com@evil.example" + PEM,
    "https://evil.example/?https://sns.us-east-1.amazonaws.com" + PEM,
    "https://sns.us-east-1.amazonaws.com:8443" + PEM,
    "http://sns.us-east-1.amazonaws.com" + PEM,
    "https://sns.us-east-1.amazonaws.com/other.pem",
    "https://sns.us-east-1.amazonaws.com/x" + PEM,
    "https://sns.us-east-1.amazonaws.com" + PEM + "?x=y",
    "https://sns.us-east-1.amazonaws.com" + PEM + "\n",
    "https://sns.us-east-1.amazonaws.com/..%2f" + PEM,
    "https://SNS.us-east-1.amazonaws.com.cn" + PEM,
    "https://sns.cn-north-1.amazonaws.com" + PEM,
    "",
]


def read(body: bytes, pem: bytes | None = None) -> list[str]:
    """What the reader fetched."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return certificate(AMAZON_KEY) if pem is None else pem

    reader = ses.reader(Settings(ses_topic_arn=TOPIC), fetch)
    assert reader is not None
    reader(WebhookRequest(body, {}, utc_now()))
    return asked


@pytest.mark.parametrize("url", NOT_AMAZON)
def test_a_certificate_is_fetched_from_amazons_own_hosts_only(url: str) -> None:
    with pytest.raises(TokenError, match="is not an Amazon URL"):
        read(sns(SigningCertURL=url))


@pytest.mark.parametrize(
    "host",
    [
        "sns.us-east-1.amazonaws.com",
        "sns.eu-central-2.amazonaws.com",
        "sns.ap-southeast-3.amazonaws.com",
        "sns.us-gov-west-1.amazonaws.com",
        "sns.me-central-1.amazonaws.com",
        "sns.cn-northwest-1.amazonaws.com.cn",
    ],
)
def test_each_region_has_a_host(host: str) -> None:
    assert read(sns(SigningCertURL=f"https://{host}{PEM}")) == [f"https://{host}{PEM}"]


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.us-east-1.amazonaws.com/?Action=Publish&Token=t",
        "https://sns.us-east-1.amazonaws.com/Action=ConfirmSubscription&Token=t",
        "https://sns.s3-us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=t",
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t#@evil.example",
    ],
)
def test_a_subscription_is_confirmed_at_amazons_own_hosts_only(url: str) -> None:
    body = sns(Type="SubscriptionConfirmation", Token="t", SubscribeURL=url)
    with pytest.raises(TokenError, match="SubscribeURL is not an Amazon URL"):
        read(body)


def named(name: str | None, *, bits: int = 2048) -> tuple[rsa.RSAPrivateKey, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(attributes))
        .issuer_name(x509.Name(attributes))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return key, made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("name", "bits", "said"),
    [
        ("evil.example", 2048, "has another name"),
        ("sns.amazonaws.com.evil.example", 2048, "has another name"),
        ("s3.amazonaws.com", 2048, "has another name"),
        ("*.amazonaws.com", 2048, "has another name"),
        (None, 2048, "has another name"),
        ("sns.amazonaws.com", 1024, "key is too short"),
    ],
)
def test_a_certificate_of_another_name_or_with_a_weak_key_signs_nothing(
    name: str | None, bits: int, said: str
) -> None:
    key, pem = named(name, bits=bits)
    with pytest.raises(TokenError, match=said):
        read(sns(key=key), pem)


@pytest.mark.parametrize("topic", ["", TOPIC + "x", TOPIC.upper(), TOPIC.replace("ses", "other")])
def test_another_topic_is_refused_before_anything_is_fetched(topic: str) -> None:
    with pytest.raises(TokenError, match="not from our SNS topic"):
        read(sns(TopicArn=topic))
    assert read(sns()) == [CERTIFICATE_URL]


def test_a_token_of_mailgun_signs_one_body_only(engine: Engine) -> None:
    settings = Settings(secret_keys=KEY, mailgun_webhook_key=MAILGUN_KEY)
    app = FastAPI()
    app.include_router(webhooks.router_for(engine, settings))
    first = mailgun(id="1", token="t" * 50)
    second = mailgun(id="2", event="complained", token="t" * 50)
    with serving(app) as url:
        codes = [
            httpx.post(f"{url}/webhooks/mailgun", content=body).status_code
            for body in (first, second, first)
        ]
        old = httpx.post(f"{url}/webhooks/mailgun", content=mailgun(age=16 * 60, id="3"))
    assert codes == [200, 403, 200]
    assert old.status_code == 403
    with read_scope(engine) as session:
        [used] = session.exec(select(UsedToken)).all()
    assert used.until > utc_now() + timedelta(hours=23)
