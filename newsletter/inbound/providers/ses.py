"""Amazon SES, by way of SNS: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

A topic of ours is the only one taken; its subscription is confirmed when Amazon asks.
"""

import base64
import binascii
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from newsletter.core.config import Settings
from newsletter.core.deadline import Deadline
from newsletter.core.errors import FetchError, TokenError
from newsletter.inbound.bounces.ses import ses_outcome
from newsletter.inbound.providers.base import (
    ProviderEvent,
    Reader,
    WebhookRequest,
    event_moment,
    json_object,
    moment_in,
    require_fresh,
    text_of,
)

# SNS's own hosts, one for each region: "sns.s3-us-west-2.amazonaws.com" is somebody's bucket.
_REGION = r"(?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:-gov|-iso[a-z]?)?-(?:[a-z]{4,12})-[0-9]"
_HOST = rf"https://sns\.(?:cn-[a-z]+-[0-9]\.amazonaws\.com\.cn|(?!cn-){_REGION}\.amazonaws\.com)"
_ADDRESSES = {
    "SigningCertURL": re.compile(rf"{_HOST}/SimpleNotificationService-[0-9a-f]{{1,64}}\.pem"),
    "SubscribeURL": re.compile(
        rf"{_HOST}/\?Action=ConfirmSubscription&[\w=&%:.~-]{{1,2000}}", re.ASCII
    ),
}
# The name in the certificates that sign, by itself or with a region.
_NAME = re.compile(rf"sns\.(?:{_REGION}\.)?amazonaws\.com(?:\.cn)?")
SMALLEST_KEY = 2048
LARGEST_ANSWER = 64 * 1024
# Fields that are signed, in this order, where they are present.
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ),
}  # fmt: skip
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}
SECONDS = 10
COMMON_NAME = NameOID.COMMON_NAME

Fetch = Callable[[str], bytes]


@lru_cache(maxsize=8)
def fetch_from_amazon(url: str) -> bytes:
    """GET from Amazon; a certificate is asked for once.

    Raises:
        FetchError: no answer came.
    """
    body = b""
    try:
        with (
            Deadline(SECONDS, where=url[:120]) as deadline,
            httpx.Client(timeout=SECONDS) as client,
            client.stream("GET", url, extensions=deadline.extensions) as answer,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise FetchError("answered too much", where=url[:120], transient=False)
    except httpx.HTTPError as error:
        what = f"no answer ({type(error).__name__})"
        raise FetchError(what, where=url[:120], transient=True) from error
    return body


def reader(settings: Settings, fetch: Fetch = fetch_from_amazon) -> Reader | None:
    """Reads notifications of the topic that is set; None when none is."""
    topic = settings.ses_topic_arn
    if not topic:
        return None

    def read(request: WebhookRequest) -> list[ProviderEvent]:
        message = json_object(request.body)
        _verify(message, request, topic, fetch)
        if message["Type"] == "SubscriptionConfirmation":
            fetch(_amazon_url(message, "SubscribeURL"))
        if message["Type"] != "Notification":
            return []
        outcome = ses_outcome(json_object(str(message.get("Message", "")).encode()))
        if outcome is None:
            return []
        at = event_moment(message["Timestamp"], request)
        return [ProviderEvent(text_of(message.get("MessageId")), at, outcome)]

    return read


def _verify(message: dict[str, Any], request: WebhookRequest, topic: str, fetch: Fetch) -> None:
    """Check topic, age and signature.

    Raises:
        TokenError: the message is forged, stale, or of another topic.
    """
    names = _SIGNED.get(str(message.get("Type")))
    if names is None or message.get("TopicArn") != topic:
        raise TokenError("the message is not from our SNS topic")
    require_fresh(moment_in(str(message.get("Timestamp", ""))), request)
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    algorithm = _HASHES.get(str(message.get("SignatureVersion")))
    key = _public_key(fetch(_amazon_url(message, "SigningCertURL")), request)
    if algorithm is None:
        raise TokenError("the signature version is unknown")
    try:
        signature = base64.b64decode(str(message.get("Signature", "")), validate=True)
        key.verify(signature, signed.encode(), padding.PKCS1v15(), algorithm())
    except (binascii.Error, UnicodeEncodeError, InvalidSignature) as error:
        raise TokenError("the signature does not match") from error


def _amazon_url(message: dict[str, Any], name: str) -> str:
    url = str(message.get(name, ""))
    if not _ADDRESSES[name].fullmatch(url):
        raise TokenError(f"{name} is not an Amazon URL")
    return url


def _public_key(pem: bytes, request: WebhookRequest) -> rsa.RSAPublicKey:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise TokenError("the signing certificate cannot be read") from error
    key = certificate.public_key()
    is_valid = certificate.not_valid_before_utc <= request.at <= certificate.not_valid_after_utc
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SMALLEST_KEY:
        raise TokenError("the signing certificate's key is too short")
    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(COMMON_NAME)]
    if len(names) != 1 or not _NAME.fullmatch(names[0]):
        raise TokenError("the signing certificate has another name than Amazon's")
    if not is_valid:
        raise TokenError("the signing certificate is not valid")
    return key
