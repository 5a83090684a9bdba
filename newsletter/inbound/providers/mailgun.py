"""Mailgun's webhooks: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/

The signature is in the body: an HMAC-SHA256 over timestamp and token, and nothing else. So a token
is good for one body, and for a quarter of an hour.
"""

import hmac
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

from newsletter.core.config import Settings
from newsletter.core.errors import TokenError
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
    json_object,
    marks_of,
    moment_of,
    part_of,
    require_fresh,
    text_of,
)

WINDOW = timedelta(minutes=15)
_KINDS = {
    "failed": Kind.BOUNCE,
    "complained": Kind.COMPLAINT,
    "delivered": Kind.DELIVERY_NOTICE,
    "unsubscribed": Kind.UNSUBSCRIBE,
}
# "reason" of a failure, when the server's words tell nothing.
_REASONS = {
    "bounce": Reason.NO_SUCH_ADDRESS,
    "suppress-bounce": Reason.INACTIVE,
    "suppress-complaint": Reason.POLICY,
    "suppress-unsubscribe": Reason.POLICY,
    "greylisted": Reason.POLICY,
    "espblock": Reason.BLOCKED,
    "old": Reason.EXPIRED,
}


def reader(settings: Settings) -> Reader | None:
    """Reads Mailgun's events; None when no signing key is set."""
    if settings.mailgun_webhook_key is None:
        return None
    key = settings.mailgun_webhook_key.get_secret_value().encode()

    def read(request: WebhookRequest) -> list[ProviderEvent]:
        payload = json_object(request.body)
        signature = part_of(payload, "signature")
        _verify(signature, key, request)
        event = _event(part_of(payload, "event-data"), request, text_of(signature.get("token")))
        return [event] if event else []

    return read


def _verify(signature: Mapping[str, Any], key: bytes, request: WebhookRequest) -> None:
    timestamp, token = text_of(signature.get("timestamp")), text_of(signature.get("token"))
    expected = hmac.new(key, f"{timestamp}{token}".encode(), sha256).hexdigest()
    given = text_of(signature.get("signature"))
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise TokenError("the signature does not match")
    require_fresh(moment_of(timestamp), request, WINDOW)


def _event(event: Mapping[str, Any], request: WebhookRequest, token: str) -> ProviderEvent | None:
    kind = _KINDS.get(text_of(event.get("event")))
    event_id = text_of(event.get("id"))
    if kind is None or not event_id:
        return None
    headers = part_of(part_of(event, "message"), "headers")
    outcome = Outcome(
        kind=kind,
        recipients=() if kind is Kind.DELIVERY_NOTICE else (_recipient(event, kind),),
        sent_to=tuple(filter(None, [text_of(part_of(event, "envelope").get("sender"))])),
        message_ids=tuple(filter(None, [text_of(headers.get("message-id")).strip("<> ")])),
        marks=marks_of(part_of(event, "user-variables")),
    )
    at = event_moment(event.get("timestamp"), request)
    return ProviderEvent(event_id, at, outcome, once=token)


def _recipient(event: Mapping[str, Any], kind: Kind) -> BouncedRecipient:
    told = part_of(event, "delivery-status")
    words = text_of(told.get("message")) or text_of(told.get("description"))
    status = status_in(text_of(told.get("enhanced-code")))
    is_transient = event.get("severity") == "temporary"
    reason = reason_of(words, status)
    if kind is Kind.COMPLAINT:
        reason = Reason.COMPLAINT
    elif reason is Reason.UNDEFINED:
        reason = _REASONS.get(text_of(event.get("reason")), Reason.UNDEFINED)
    return BouncedRecipient(
        address=text_of(event.get("recipient")),
        permanence=Permanence.TRANSIENT if is_transient else Permanence.PERMANENT,
        reason=reason,
        status=status,
        diagnostic=harmless(words, LONGEST_QUOTE),
        # Mailgun tries again until it says "permanent".
        delayed=is_transient,
    )
