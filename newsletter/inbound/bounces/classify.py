"""Classify the bytes of an inbound mail: its kind, whom it is about, and why."""

import re
from dataclasses import replace
from itertools import chain

from newsletter.core.models import Reason
from newsletter.core.one_line import harmless
from newsletter.inbound.bounces import patterns
from newsletter.inbound.bounces.addresses import address_in
from newsletter.inbound.bounces.dsn import (
    DeliveryReport,
    complaint_recipient,
    delivery_report,
    disposition,
    feedback_report,
)
from newsletter.inbound.bounces.fault import NOTHING, Ours
from newsletter.inbound.bounces.mail_parts import Clues, take_apart
from newsletter.inbound.bounces.mime import first, parse
from newsletter.inbound.bounces.non_dsn import FIRST_WORDS, OPENING, letter_bounce
from newsletter.inbound.bounces.outcome import (
    LONGEST_QUOTE,
    BouncedRecipient,
    Kind,
    Outcome,
    unique,
)
from newsletter.inbound.bounces.phrases import reason_of
from newsletter.inbound.bounces.ses import ses_notification
from newsletter.inbound.bounces.status_codes import permanence_of, status_in

_CLIENT = re.compile(r"\[(?:ipv6:)?([\d.]{7,15}|[\da-f:]{3,39})\]", re.IGNORECASE)


def read(data: bytes) -> Outcome:
    """Read the mail in ``data``; never raises for any bytes.

    Only the first mebibyte is looked at (`newsletter.inbound.bounces.mime.LONGEST_MAIL`).
    """
    mail = parse(data)
    clues = take_apart(mail)
    inner = _wrapped_report(clues)
    verdict = _verdict(inner or clues, data)
    both = (clues, inner) if inner else (clues,)
    return replace(
        verdict,
        sent_to=unique(chain(verdict.sent_to, *(each.sent_to for each in both))),
        message_ids=unique(chain(verdict.message_ids, *(each.message_ids for each in both))),
        marks=(*verdict.marks, *chain(*(each.marks for each in both))),
        sender=harmless(clues.sender, 320),
        subject=harmless(clues.subject, LONGEST_QUOTE),
    )


def _wrapped_report(clues: Clues) -> Clues | None:
    """A report that a gateway put, whole, into a mail of its own."""
    if clues.reports or clues.feedback:
        return None
    for mail in clues.inner:
        kind = first(mail.headers, "content-type").lower()
        if kind.startswith("multipart/report") and "disposition" not in kind:
            inner = take_apart(mail)
            if inner.reports or inner.feedback:
                return inner
    return None


def _verdict(clues: Clues, data: bytes) -> Outcome:
    """The first sort of mail that fits; bounces before auto-replies, since many are marked so."""
    return (
        ses_notification(clues.letter)
        or _complaint(clues)
        or _challenge(clues)
        or _bounce(clues, data)
        or _unsubscribe(clues)
        or _notice(clues)
        or _auto_reply(clues)
        or Outcome(kind=Kind.UNKNOWN)
    )


def _complaint(clues: Clues) -> Outcome | None:
    for text in clues.feedback:
        report = feedback_report(text)
        if report is None:
            continue
        if not report.is_complaint:
            return Outcome(kind=Kind.UNKNOWN, detail=report.detail)
        addresses = unique(report.addresses) or _returned_to(clues)
        return _complaint_about(addresses, report.detail)
    if clues.returned and (
        patterns.COMPLAINT_SENDER in clues.sender.lower()
        or any("x-hmxmroriginalrecipient" in headers for headers in clues.returned)
        or patterns.COMPLAINT_SUBJECT.match(clues.subject)
    ):
        named = [
            address_in(first(headers, "x-hmxmroriginalrecipient")) for headers in clues.returned
        ]
        return _complaint_about(unique(named) or _returned_to(clues), "abuse")
    return None


def _complaint_about(addresses: tuple[str, ...], detail: str) -> Outcome:
    recipients = tuple(complaint_recipient(address, detail) for address in addresses[:20])
    return Outcome(kind=Kind.COMPLAINT, recipients=recipients, detail=detail)


def _returned_to(clues: Clues) -> tuple[str, ...]:
    """The recipients of the returned message; a redacted name only if there is no other."""
    hidden = ("redacted", "undisclosed")
    named = tuple(each for each in clues.returned_to if not each.lower().startswith(hidden))
    return named or clues.returned_to


def _challenge(clues: Clues) -> Outcome | None:
    reports = " ".join(clues.reports)
    if any(name in clues.headers for name in patterns.CHALLENGE_HEADERS):
        return Outcome(kind=Kind.CHALLENGE)
    if clues.reports:
        is_one = bool(patterns.CHALLENGE_DIAGNOSTIC.search(reports[:4000]))
        return Outcome(kind=Kind.CHALLENGE) if is_one else None
    opening = clues.letter[:OPENING].lower()
    if not any(hint in opening for hint in patterns.CHALLENGE_HINTS):
        return None
    return Outcome(kind=Kind.CHALLENGE) if patterns.CHALLENGE_TEXT.search(opening) else None


def _bounce(clues: Clues, data: bytes) -> Outcome | None:
    report = delivery_report(clues.reports, _only_one(clues)) if clues.reports else None
    if report and report.kind is Kind.DELIVERY_NOTICE:
        return Outcome(kind=Kind.DELIVERY_NOTICE)
    if report:
        return Outcome(kind=Kind.BOUNCE, recipients=_explained(report, clues))
    disposed = " ".join(disposition(text) for text in clues.dispositions)
    if (
        clues.dispositions
        and "deleted" not in disposed
        and "fail" not in disposed
        and "denied" not in disposed
    ):
        return Outcome(kind=Kind.DELIVERY_NOTICE, detail=harmless(disposed, 100))
    return letter_bounce(clues, data)


def _only_one(clues: Clues) -> str:
    """The one recipient of the returned message; nothing if there are several."""
    return clues.returned_to[0] if len(clues.returned_to) == 1 else ""


def _explained(report: DeliveryReport, clues: Clues) -> tuple[BouncedRecipient, ...]:
    """Recipients of a report whose fields give no reason take it from the letter beside them."""
    if all(recipient.reason is not Reason.UNDEFINED for recipient in report.recipients):
        return report.recipients
    letter = clues.letter[:OPENING]
    explained = []
    for recipient in report.recipients:
        place = letter.find(recipient.address) if recipient.reason is Reason.UNDEFINED else -1
        words = letter[place : place + 600] if place >= 0 else ""
        if not words and recipient.reason is Reason.UNDEFINED and len(report.recipients) == 1:
            words = letter[:FIRST_WORDS]
        reason = reason_of(words, recipient.status) if words else recipient.reason
        explained.append(replace(recipient, reason=reason))
    return tuple(explained)


def _unsubscribe(clues: Clues) -> Outcome | None:
    """A mail to an unsubscribe address, or one whose subject says just that."""
    if any(
        patterns.UNSUBSCRIBE_ADDRESS.match(address)
        for address in clues.header_addresses("to", "delivered-to", "x-original-to", "envelope-to")
    ):
        return Outcome(kind=Kind.UNSUBSCRIBE)
    if patterns.UNSUBSCRIBE_SUBJECT.match(clues.subject):
        return Outcome(kind=Kind.UNSUBSCRIBE)
    return None


def _notice(clues: Clues) -> Outcome | None:
    if patterns.ARRIVED_SUBJECT.search(clues.subject):
        return Outcome(kind=Kind.DELIVERY_NOTICE)
    return None


def _auto_reply(clues: Clues) -> Outcome | None:
    """Marked as one (RFC 3834), named as one, or sent from nobody and no bounce."""
    submitted = first(clues.headers, "auto-submitted").lower()
    if patterns.AUTHENTICATION_REPORT.search(clues.subject):
        return Outcome(kind=Kind.UNKNOWN, detail="authentication failure report")
    if (
        submitted.startswith(("auto-replied", "auto-generated", "auto-notified"))
        or clues.is_marked_auto_reply
        or patterns.AUTO_REPLY_SUBJECT.search(clues.subject)
        or ("return-path" in clues.headers and first(clues.headers, "return-path").strip() == "<>")
    ):
        return Outcome(kind=Kind.AUTO_REPLY)
    return None


def read_reply(code: int, text: str, *, address: str, ours: Ours = NOTHING) -> BouncedRecipient:
    """A relay's own refusal (RFC 5321 §4.2), in the shape of a report's recipient.

    ``ours`` is what it may quote of us; the IP address in brackets that it tells is ours as well.
    """
    status = status_in(text)
    ours = Ours.of(ours.sender, (*ours.names, *_CLIENT.findall(text[:LONGEST_QUOTE])))
    return BouncedRecipient(
        address=address,
        permanence=permanence_of(status, str(code)),
        status=status,
        reason=reason_of(f"{code} {text}", status, recipient=address, ours=ours),
        diagnostic=harmless(f"{code} {text}", LONGEST_QUOTE),
    )
