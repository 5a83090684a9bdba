"""Requests as providers sign and send them, about the message that `bounce_mails` returns."""

import base64
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from tests.support.bounce_mails import MESSAGE_ID, READER

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
SUBSCRIBE_URL = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
AMAZON_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SENDGRID_KEY = ec.generate_private_key(ec.SECP256R1())
MAILGUN_KEY = "mailgun's key"
POSTMARK_PASSWORD = "postmark:s3cret"


def certificate(key: rsa.RSAPrivateKey, *, days: int = 30) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def sns(
    notification: dict[str, Any] | None = None,
    *,
    key: rsa.RSAPrivateKey = AMAZON_KEY,
    version: str = "2",
    age: timedelta = timedelta(),
    **fields: str,
) -> bytes:
    """A signed message of SNS, as it is POSTed; ``fields`` replace what is in it."""
    message = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": json.dumps(notification or bounce()),
        "Timestamp": (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
    } | fields
    names = sorted({*message, "Subject"} - {"SignatureVersion", "SigningCertURL"})
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
    signature = key.sign(signed.encode(), padding.PKCS1v15(), algorithm)
    return json.dumps(message | {"Signature": base64.b64encode(signature).decode()}).encode()


def bounce(
    kind: str = "Permanent", subtype: str = "General", status: str = "5.1.1"
) -> dict[str, Any]:
    return {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": subtype,
            "bouncedRecipients": [{"emailAddress": READER, "status": status}],
        },
        "mail": mail_part(),
    }


def mail_part() -> dict[str, Any]:
    return {
        "source": "bounce+1-x@digest.example.org",
        "messageId": "an id of Amazon's own",
        "headers": [{"name": "Message-ID", "value": f"<{MESSAGE_ID}>"}],
    }


def sendgrid(
    *events: dict[str, Any], age: int = 0, key: ec.EllipticCurvePrivateKey = SENDGRID_KEY
) -> tuple[bytes, dict[str, str]]:
    filled = [
        {
            "email": READER,
            "timestamp": int(time.time()),
            "smtp-id": f"<{MESSAGE_ID}>",
            "sg_event_id": f"event-{number}",
        }
        | event
        for number, event in enumerate(events)
    ]
    body = json.dumps(filled).encode()
    timestamp = str(int(time.time()) - age)
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return body, {
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
    }


def mailgun(*, age: int = 0, key: str = MAILGUN_KEY, token: str = "", **event: Any) -> bytes:
    """An event as it is POSTed; each has a token of its own unless one is given."""
    timestamp = str(int(time.time()) - age)
    filled = {
        "event": "failed",
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": time.time(),
        "severity": "permanent",
        "reason": "bounce",
        "recipient": READER,
        "delivery-status": {"code": 550, "message": "5.1.1 no such user", "enhanced-code": "5.1.1"},
        "message": {"headers": {"message-id": MESSAGE_ID}},
    } | event
    token = token or sha256(json.dumps(filled, default=str).encode()).hexdigest()[:50]
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), sha256).hexdigest()
    signed = {"timestamp": timestamp, "token": token, "signature": signature}
    return json.dumps({"signature": signed, "event-data": filled}).encode()
