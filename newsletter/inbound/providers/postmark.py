"""Postmark's webhooks: https://postmarkapp.com/developer/webhooks/webhooks-overview

They are not signed: Postmark sends the user and password that its settings name (HTTP Basic).
"""

import base64
import hmac
from collections.abc import Mapping
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
    part_of,
    text_of,
)

_PERMANENT, _TRANSIENT = Permanence.PERMANENT, Permanence.TRANSIENT
# "Type" of a bounce: for good or for now, and why when the server's words tell nothing.
_BOUNCES = {
    "HardBounce": (_PERMANENT, Reason.NO_SUCH_ADDRESS),
    "BadEmailAddress": (_PERMANENT, Reason.NO_SUCH_ADDRESS),
    "ManuallyDeactivated": (_PERMANENT, Reason.INACTIVE),
    "DMARCPolicy": (_PERMANENT, Reason.AUTHENTICATION),
    "SoftBounce": (_TRANSIENT, Reason.UNDEFINED),
    "Transient": (_TRANSIENT, Reason.NETWORK),
    "DnsError": (_TRANSIENT, Reason.NO_SUCH_HOST),
    "SpamNotification": (_TRANSIENT, Reason.SPAM),
    "VirusNotification": (_TRANSIENT, Reason.CONTENT),
    "Blocked": (_TRANSIENT, Reason.BLOCKED),
    "Unknown": (_TRANSIENT, Reason.UNDEFINED),
}
# Types that are no bounces, whatever they are filed under.
_OTHER_KINDS = {
    "AutoResponder": Kind.AUTO_REPLY,
    "ChallengeVerification": Kind.CHALLENGE,
    "SpamComplaint": Kind.COMPLAINT,
    "Unsubscribe": Kind.UNSUBSCRIBE,
}
# "SuppressionReason" of a change that stops sending; bounces have events of their own.
_CHANGES = {"ManualSuppression": Kind.UNSUBSCRIBE, "SpamComplaint": Kind.COMPLAINT}


def reader(settings: Settings) -> Reader | None:
    """Reads Postmark's events; None when no password is set."""
    if settings.postmark_webhook_password is None:
        return None
    secret = settings.postmark_webhook_password.get_secret_value().encode()
    expected = b"Basic " + base64.b64encode(secret)

    def read(request: WebhookRequest) -> list[ProviderEvent]:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            raise TokenError("the password is wrong")
        event = _event(json_object(request.body), request)
        return [event] if event else []

    return read


def _event(event: Mapping[str, Any], request: WebhookRequest) -> ProviderEvent | None:
    record = text_of(event.get("RecordType"))
    if record == "Delivery":
        event_id = f"delivery-{text_of(event.get('MessageID'))}-{text_of(event.get('Recipient'))}"
        at = event_moment(event.get("DeliveredAt"), request)
        return ProviderEvent(event_id, at, _outcome(event, Kind.DELIVERY_NOTICE))
    if record == "SubscriptionChange":
        return _change(event, request)
    if record not in {"Bounce", "SpamComplaint"}:
        return None
    named = text_of(event.get("Type"))
    kind = Kind.BOUNCE if named in _BOUNCES else _OTHER_KINDS.get(named, Kind.UNKNOWN)
    event_id = f"bounce-{text_of(event.get('ID'))}"
    return ProviderEvent(
        event_id, event_moment(event.get("BouncedAt"), request), _outcome(event, kind)
    )


def _change(event: Mapping[str, Any], request: WebhookRequest) -> ProviderEvent | None:
    """A reader's wish by Postmark's own link or header; None for what is not about leaving."""
    kind = _CHANGES.get(text_of(event.get("SuppressionReason")))
    if kind is None or event.get("SuppressSending") is not True:
        return None
    address, changed = text_of(event.get("Recipient")), text_of(event.get("ChangedAt"))
    recipient = BouncedRecipient(
        address=address,
        permanence=_PERMANENT,
        reason=Reason.COMPLAINT if kind is Kind.COMPLAINT else Reason.UNDEFINED,
    )
    outcome = Outcome(
        kind=kind, recipients=(recipient,), marks=marks_of(part_of(event, "Metadata"))
    )
    event_id = f"change-{address}-{changed}"
    return ProviderEvent(event_id, event_moment(event.get("ChangedAt"), request), outcome)


def _outcome(event: Mapping[str, Any], kind: Kind) -> Outcome:
    recipients: tuple[BouncedRecipient, ...] = ()
    if kind in {Kind.BOUNCE, Kind.COMPLAINT, Kind.UNSUBSCRIBE}:
        recipients = (_recipient(event, kind),)
    return Outcome(kind=kind, recipients=recipients, marks=marks_of(part_of(event, "Metadata")))


def _recipient(event: Mapping[str, Any], kind: Kind) -> BouncedRecipient:
    named = text_of(event.get("Type"))
    permanence, reason = _BOUNCES.get(named, (_PERMANENT, Reason.UNDEFINED))
    words = text_of(event.get("Details"))
    status = status_in(words)
    if kind is Kind.COMPLAINT:
        reason = Reason.COMPLAINT
    elif (told := reason_of(words, status)) is not Reason.UNDEFINED:
        reason = told
    return BouncedRecipient(
        address=text_of(event.get("Email")),
        permanence=permanence,
        reason=reason,
        status=status,
        diagnostic=harmless(words or text_of(event.get("Description")), LONGEST_QUOTE),
        # "Transient" is a delay: Postmark is still trying.
        delayed=named == "Transient",
    )
