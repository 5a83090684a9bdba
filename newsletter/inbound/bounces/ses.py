"""Amazon SES's notifications (JSON), as they come by webhook and, from SNS, by mail.

Source: the SES developer guide, "Amazon SNS notification contents" and "event publishing".
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from newsletter.core.models import Permanence, Reason
from newsletter.core.one_line import harmless
from newsletter.inbound.bounces.addresses import address_in
from newsletter.inbound.bounces.dsn import is_displeasure
from newsletter.inbound.bounces.outcome import (
    ADDRESS_IS_DEAD,
    LONGEST_QUOTE,
    BouncedRecipient,
    Kind,
    Outcome,
    unique,
)
from newsletter.inbound.bounces.phrases import reason_of
from newsletter.inbound.bounces.status_codes import status_in

_KINDS = {
    "bounce": Kind.BOUNCE,
    "complaint": Kind.COMPLAINT,
    "delivery": Kind.DELIVERY_NOTICE,
    "deliverydelay": Kind.BOUNCE,
}
_REASONS = {
    "noemail": Reason.NO_SUCH_ADDRESS,
    "suppressed": Reason.INACTIVE,
    "onaccountsuppressionlist": Reason.INACTIVE,
    "mailboxfull": Reason.MAILBOX_FULL,
    "messagetoolarge": Reason.TOO_LARGE,
    "contentrejected": Reason.CONTENT,
    "attachmentrejected": Reason.CONTENT,
    "recipientservererror": Reason.SYSTEM,
    "transientcommunicationfailure": Reason.NETWORK,
    "ipfailure": Reason.BLOCKED,
    "spamdetected": Reason.SPAM,
}


def ses_notification(text: str) -> Outcome | None:
    """The outcome in a mail whose text is a notification; None if it is not one."""
    start = text.lstrip()
    if not start.startswith("{") or "Type" not in start[:5000]:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(start)
    except (ValueError, RecursionError):
        return None
    return ses_outcome(value) if isinstance(value, dict) else None


def ses_outcome(notification: Mapping[str, Any]) -> Outcome | None:
    """A notification as an outcome; None for those that say nothing about delivery."""
    name = _text(notification, "notificationType") or _text(notification, "eventType")
    kind = _KINDS.get(name.lower().replace(" ", ""))
    if kind is None:
        return None
    feedback = _text(_part(notification, "complaint"), "complaintFeedbackType")
    if kind is Kind.COMPLAINT and feedback and not is_displeasure(feedback):
        return Outcome(kind=Kind.UNKNOWN, detail=harmless(feedback, 40))
    mail = _part(notification, "mail")
    headers = [
        (_text(header, "name").lower(), _text(header, "value"))
        for header in _items(mail, "headers")
    ]
    recipients: Iterable[BouncedRecipient] = ()
    if name.lower() == "complaint":
        recipients = _complaint(_part(notification, "complaint"))
    elif name.lower() == "bounce":
        recipients = _bounce(_part(notification, "bounce"))
    elif kind is Kind.BOUNCE:
        recipients = _delay(_part(notification, "deliveryDelay"))
    return Outcome(
        kind=kind,
        recipients=tuple(recipients),
        sent_to=unique([address_in(_text(mail, "source"))]),
        message_ids=unique(
            harmless(value, 250).strip("<> ") for name, value in headers if name == "message-id"
        ),
        marks=tuple((name, value) for name, value in headers if name.startswith("x-")),
        detail=harmless(feedback, 40),
    )


def _bounce(bounce: Mapping[str, Any]) -> Iterable[BouncedRecipient]:
    is_told_permanent = _text(bounce, "bounceType").lower() == "permanent"
    named = _REASONS.get(_text(bounce, "bounceSubType").lower())
    for recipient in _items(bounce, "bouncedRecipients"):
        address = address_in(_text(recipient, "emailAddress"))
        diagnostic = _text(recipient, "diagnosticCode")
        status = status_in(_text(recipient, "status"))
        reason = named or reason_of(diagnostic, status, recipient=address)
        # "Transient, general" is also SES's word for a domain that does not exist ("5.4.4").
        is_dead = status.startswith("5.") and reason in ADDRESS_IS_DEAD
        is_permanent = is_told_permanent or is_dead
        if reason is Reason.UNDEFINED and is_permanent:
            # "Permanent, general" is SES's word for a mailbox it was told does not exist.
            reason = Reason.NO_SUCH_ADDRESS
        yield BouncedRecipient(
            address=address,
            permanence=Permanence.PERMANENT if is_permanent else Permanence.TRANSIENT,
            reason=reason,
            status=status,
            diagnostic=harmless(diagnostic, LONGEST_QUOTE),
        )


def _delay(delay: Mapping[str, Any]) -> Iterable[BouncedRecipient]:
    reason = _REASONS.get(_text(delay, "delayType").lower(), Reason.UNDEFINED)
    for recipient in _items(delay, "delayedRecipients"):
        yield BouncedRecipient(
            address=address_in(_text(recipient, "emailAddress")),
            permanence=Permanence.TRANSIENT,
            reason=reason,
            status=status_in(_text(recipient, "status")),
            diagnostic=harmless(_text(recipient, "diagnosticCode"), LONGEST_QUOTE),
            delayed=True,
        )


def _complaint(complaint: Mapping[str, Any]) -> Iterable[BouncedRecipient]:
    for recipient in _items(complaint, "complainedRecipients"):
        yield BouncedRecipient(
            address=address_in(_text(recipient, "emailAddress")),
            permanence=Permanence.PERMANENT,
            reason=Reason.COMPLAINT,
        )


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _items(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = value.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
