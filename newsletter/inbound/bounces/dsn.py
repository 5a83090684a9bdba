"""Machine-readable reports: delivery (RFC 3464), disposition (RFC 8098), feedback (RFC 5965)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from newsletter.core.models import Permanence, Reason
from newsletter.core.one_line import harmless
from newsletter.inbound.bounces.addresses import address_in
from newsletter.inbound.bounces.outcome import LONGEST_QUOTE, BouncedRecipient, Kind
from newsletter.inbound.bounces.phrases import reason_of
from newsletter.inbound.bounces.status_codes import permanence_of, reply_in, status_in

LONGEST_REPORT = 512 * 1024
MOST_RECIPIENTS = 1000

Fields = dict[str, list[str]]

_FIELD = re.compile(r"^[ \t]{0,8}([A-Za-z][A-Za-z0-9-]{2,60})[ \t]*:[ \t]*(.*)$")
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})")
_RECIPIENT_FIELDS = ("final-recipient", "original-recipient", "x-actual-recipient")
_IS_REPORT = re.compile(r"^[ \t]*(?:final|original)-recipient[ \t]*:", re.IGNORECASE | re.MULTILINE)
_IS_ACTION = re.compile(
    r"^[ \t]*(?:action|status|diagnostic-code)[ \t]*:", re.IGNORECASE | re.MULTILINE
)
# Action (RFC 3464 §2.3.3), and what some write instead.
_FAILED = ("fail", "error", "expired", "undeliver", "reject", "bounce")
_ARRIVED = ("deliver", "relayed", "expanded")
# Feedback-Type values that are a reader's displeasure (RFC 5965 §7.3 and the IANA registry).
# "auth-failure" (RFC 6591) and "dmarc" tell of forged mail; "not-spam" is the opposite.
_COMPLAINTS = frozenset(
    {"abuse", "fraud", "opt-out", "opt-out-list", "virus", "other", "complaint", "miscategorized"}
)
_NO_COMPLAINTS = {
    "auth-failure": "authentication failure report",
    "dmarc": "DMARC report",
    "not-spam": "marked as no spam",
}


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a delivery report says: the kind of mail it makes, and the recipients."""

    kind: Kind
    recipients: tuple[BouncedRecipient, ...]
    fields: Fields


def is_delivery_report(text: str) -> bool:
    """Whether ``text`` holds the fields of a delivery report, whatever its part is called."""
    if "-recipient" not in text.lower():
        return False
    return bool(_IS_REPORT.search(text) and _IS_ACTION.search(text))


def blocks_of(text: str) -> Iterator[Fields]:
    """Groups of fields, separated by blank lines or by the start of another recipient."""
    block: Fields = {}
    last: list[str] | None = None
    for line in text[:LONGEST_REPORT].split("\n"):
        if not line.strip():
            if block:
                yield block
            block, last = {}, None
            continue
        found = _FIELD.match(line)
        if found and not (line[0] in " \t" and last is not None and _is_continued(line, found)):
            name = found[1].lower()
            if name == "final-recipient" and name in block:
                yield block
                block = {}
            last = block.setdefault(name, [])
            last.append(found[2].strip())
        elif last is not None:
            last[-1] += " " + line.strip()
    if block:
        yield block


def _is_continued(line: str, found: re.Match[str]) -> bool:
    """A folded line that happens to look like a field; reports indented as a whole are not."""
    return found[1].lower() not in {
        *_RECIPIENT_FIELDS,
        "action",
        "status",
        "diagnostic-code",
        "remote-mta",
        "reporting-mta",
        "arrival-date",
    }


def delivery_report(texts: Iterable[str], only: str = "") -> DeliveryReport | None:
    """The recipients of all delivery-status parts; None when they name none.

    ``only`` is who is meant where a report is about one recipient and names it in another way
    than by a mail address (X.400, a local user).
    """
    everything: Fields = {}
    groups: list[Fields] = []
    for text in texts:
        for block in blocks_of(text):
            for name, values in block.items():
                everything.setdefault(name, []).extend(values)
            if any(name in block for name in _RECIPIENT_FIELDS):
                groups.append(block)
    recipients: list[BouncedRecipient] = []
    arrived = False
    for group in groups[:MOST_RECIPIENTS]:
        general = everything if len(groups) == 1 else {}
        action = _value(group, general, "action").lower()
        status = _STATUS.search(_value(group, general, "status"))
        if action.startswith(_ARRIVED) or (not action and status and status[1][0] == "2"):
            arrived = True
        elif recipient := _recipient(
            group, general, action, status[1] if status else "", only if len(groups) == 1 else ""
        ):
            recipients.append(recipient)
    if recipients:
        return DeliveryReport(Kind.BOUNCE, tuple(recipients), everything)
    return DeliveryReport(Kind.DELIVERY_NOTICE, (), everything) if arrived else None


def _value(group: Fields, general: Fields, name: str) -> str:
    """A field of the recipient's group, or where there is but one, of the whole report."""
    return " ".join(group.get(name) or general.get(name) or [])


def _recipient(
    group: Fields, general: Fields, action: str, status: str, only: str
) -> BouncedRecipient | None:
    named = [address_in(_xtext(_value(group, {}, name))) for name in _RECIPIENT_FIELDS]
    final, original, actual = named
    address = final or original or actual or only
    if not address:
        return None
    diagnostic = _value(group, general, "diagnostic-code")
    said = " ".join([diagnostic, _value(group, general, "x-supplementary-info")]).strip()
    better = status_in(said)
    if better and (not status or (status[2:] == "0.0" and status[0] == better[0])):
        status = better
    delayed = action.startswith("delay") or (not action.startswith(_FAILED) and status[:1] == "4")
    permanence = Permanence.TRANSIENT if delayed else permanence_of(status, reply_in(said))
    return BouncedRecipient(
        address=address,
        original=original or actual,
        permanence=permanence,
        status=status,
        reason=reason_of(said, status, recipient=address),
        diagnostic=harmless(said, LONGEST_QUOTE),
        delayed=delayed,
    )


def _xtext(value: str) -> str:
    """What must be written as "+2B" and "+3D" (RFC 3461 §4): a plus and an equals sign."""
    return value.replace("+2B", "+").replace("+3D", "=")


def disposition(text: str) -> str:
    """The Disposition field (RFC 8098 §3.2.6) of a disposition notification, lower-case."""
    for block in blocks_of(text):
        if "disposition" in block:
            return " ".join(block["disposition"]).lower()
    return ""


def is_displeasure(feedback_type: str) -> bool:
    """Whether a Feedback-Type, of a report or of a provider's event, is a reader's complaint."""
    return feedback_type.lower().strip() in _COMPLAINTS


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """What a feedback report says. ``detail`` names its type."""

    is_complaint: bool
    detail: str
    addresses: tuple[str, ...]
    senders: tuple[str, ...]


def feedback_report(text: str) -> FeedbackReport | None:
    """A feedback report (RFC 5965), complaint or not; None when it has no type."""
    fields: Fields = {}
    for block in blocks_of(text):
        for name, values in block.items():
            fields.setdefault(name, []).extend(values)
    kind = " ".join(fields.get("feedback-type", [])).lower().strip()
    if not kind:
        return None
    named = [
        address_in(value)
        for name in ("original-rcpt-to", "removal-recipient", "original-recipient")
        for value in fields.get(name, [])
    ]
    is_complaint = is_displeasure(kind) and "auth-failure" not in fields
    detail = kind if is_complaint else _NO_COMPLAINTS.get(kind, harmless(kind, 40))
    senders = [address_in(value) for value in fields.get("original-mail-from", [])]
    return FeedbackReport(
        is_complaint, detail, tuple(filter(None, named)), tuple(filter(None, senders))
    )


def complaint_recipient(address: str, detail: str) -> BouncedRecipient:
    """A complaining reader in the shape of a report's recipient."""
    return BouncedRecipient(
        address=address, permanence=Permanence.PERMANENT, reason=Reason.COMPLAINT, diagnostic=detail
    )
