"""Twilio SendGrid's signed event webhook:
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from newsletter.core.config import Settings
from newsletter.core.errors import InputError, SettingsError, TokenError
from newsletter.core.models import Permanence, Reason
from newsletter.core.one_line import harmless
from newsletter.inbound.bounces import BouncedRecipient, Kind, Outcome
from newsletter.inbound.bounces.outcome import LONGEST_QUOTE
from newsletter.inbound.bounces.phrases import reason_of
from newsletter.inbound.bounces.status_codes import status_in
from newsletter.inbound.providers.base import (
    ProviderEvent,
    Reader,
    WebhookRequest,
    event_moment,
    json_value,
    marks_of,
    moment_of,
    require_fresh,
    text_of,
)

_KINDS = {
    "bounce": Kind.BOUNCE,
    "dropped": Kind.BOUNCE,
    "deferred": Kind.BOUNCE,
    "spamreport": Kind.COMPLAINT,
    "delivered": Kind.DELIVERY_NOTICE,
    "unsubscribe": Kind.UNSUBSCRIBE,
    "group_unsubscribe": Kind.UNSUBSCRIBE,
}
# "bounce_classification", when the server's words tell nothing.
_REASONS = {
    "invalid address": Reason.NO_SUCH_ADDRESS,
    "mailbox unavailable": Reason.INACTIVE,
    "reputation": Reason.BLOCKED,
    "content": Reason.SPAM,
    "frequency/volume": Reason.RATE_LIMITED,
    "technical": Reason.SYSTEM,
}
# "dropped" for this reason repeats a wish that was heard by another way.
_DROPPED_BY_WISH = "unsubscribed address"
# Why SendGrid itself sent nothing ("dropped").
_DROPPED = {
    "bounced address": Reason.NO_SUCH_ADDRESS,
    "invalid": Reason.NO_SUCH_ADDRESS,
    "spam reporting address": Reason.COMPLAINT,
    "spam content": Reason.SPAM,
    "recipient list over package quota": Reason.RATE_LIMITED,
}


def reader(settings: Settings) -> Reader | None:
    """Reads signed events; None when no key is set.

    Raises:
        SettingsError: the key cannot be read.
    """
    if not settings.sendgrid_webhook_key:
        return None
    key = _public_key(settings.sendgrid_webhook_key)

    def read(request: WebhookRequest) -> list[ProviderEvent]:
        _verify(request, key)
        events = json_value(request.body)
        if not isinstance(events, list):
            raise InputError("is not a list of events", where="body")
        found = (_event(event, request) for event in events if isinstance(event, dict))
        return [event for event in found if event is not None]

    return read


def _public_key(text: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise SettingsError("NEWSLETTER_SENDGRID_WEBHOOK_KEY: cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SettingsError("NEWSLETTER_SENDGRID_WEBHOOK_KEY: is not an elliptic-curve key")
    return key


def _verify(request: WebhookRequest, key: ec.EllipticCurvePublicKey) -> None:
    timestamp = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
    signature = request.headers.get("x-twilio-email-event-webhook-signature", "")
    if not timestamp.isdigit():
        raise TokenError("the request is not signed")
    try:
        decoded = base64.b64decode(signature, validate=True)
        key.verify(decoded, timestamp.encode() + request.body, ec.ECDSA(hashes.SHA256()))
    except (binascii.Error, InvalidSignature, ValueError) as error:
        raise TokenError("the signature does not match") from error
    require_fresh(moment_of(timestamp), request)


def _event(event: Mapping[str, Any], request: WebhookRequest) -> ProviderEvent | None:
    name = text_of(event.get("event"))
    kind = _KINDS.get(name)
    event_id = text_of(event.get("sg_event_id"))
    if name == "dropped" and text_of(event.get("reason")).lower() == _DROPPED_BY_WISH:
        kind = Kind.UNSUBSCRIBE
    if kind is None or not event_id:
        return None
    outcome = Outcome(
        kind=kind,
        recipients=() if kind is Kind.DELIVERY_NOTICE else (_recipient(event, name),),
        message_ids=tuple(filter(None, [text_of(event.get("smtp-id")).strip("<> ")])),
        marks=marks_of(event),
    )
    return ProviderEvent(event_id, event_moment(event.get("timestamp"), request), outcome)


def _recipient(event: Mapping[str, Any], name: str) -> BouncedRecipient:
    words = text_of(event.get("reason")) or text_of(event.get("response"))
    status = status_in(text_of(event.get("status")))
    reason = reason_of(words, status)
    if name == "spamreport":
        reason = Reason.COMPLAINT
    elif name == "dropped":
        reason = _DROPPED.get(words.lower(), reason)
    elif reason is Reason.UNDEFINED:
        named = text_of(event.get("bounce_classification")).lower()
        reason = _REASONS.get(named, Reason.UNDEFINED)
    # A "blocked" message was refused for the day; SendGrid goes on mailing the address.
    is_transient = name == "deferred" or event.get("type") == "blocked" or status[:1] == "4"
    return BouncedRecipient(
        address=text_of(event.get("email")),
        permanence=Permanence.TRANSIENT if is_transient else Permanence.PERMANENT,
        reason=reason,
        status=status,
        diagnostic=harmless(words, LONGEST_QUOTE),
        delayed=name == "deferred",
    )
