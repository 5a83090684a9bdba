"""Bytes of an inbound mail to one outcome: what sort it is, about whom, and why."""

from dataclasses import replace
from itertools import chain

from newsletter.bounces import wording
from newsletter.bounces.addresses import address_in, addresses_in, is_role
from newsletter.bounces.clues import Clues, take_apart
from newsletter.bounces.codes import is_still_trying, permanence_of, reply_in, status_in
from newsletter.bounces.fallback import flufl_recipients
from newsletter.bounces.letters import Found, failed_addresses
from newsletter.bounces.mime import first, parse
from newsletter.bounces.outcome import (
    LONGEST_QUOTE,
    BouncedRecipient,
    Kind,
    Outcome,
    Permanence,
    Reason,
    harmless,
    unique,
)
from newsletter.bounces.phrases import reason_of
from newsletter.bounces.reports import (
    DeliveryReport,
    complaint_recipient,
    delivery_report,
    disposition,
    feedback_report,
)
from newsletter.bounces.ses import ses_notification

# Enough of a letter to know its sort; what follows is mostly the returned message.
_OPENING = 6000


def read(data: bytes) -> Outcome:
    """What the mail in ``data`` says; never raises, whatever the bytes.

    Only the first mebibyte is looked at (`newsletter.bounces.mime.LONGEST_MAIL`).
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
        wording.COMPLAINT_SENDER in clues.sender.lower()
        or any("x-hmxmroriginalrecipient" in headers for headers in clues.returned)
        or wording.COMPLAINT_SUBJECT.match(clues.subject)
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
    """Whom the returned message was for; a name that was blacked out only for want of others."""
    hidden = ("redacted", "undisclosed")
    named = tuple(each for each in clues.returned_to if not each.lower().startswith(hidden))
    return named or clues.returned_to


def _challenge(clues: Clues) -> Outcome | None:
    reports = " ".join(clues.reports)
    if any(name in clues.headers for name in wording.CHALLENGE_HEADERS):
        return Outcome(kind=Kind.CHALLENGE)
    if clues.reports:
        is_one = bool(wording.CHALLENGE_DIAGNOSTIC.search(reports[:4000]))
        return Outcome(kind=Kind.CHALLENGE) if is_one else None
    opening = clues.letter[:_OPENING].lower()
    if not any(hint in opening for hint in wording.CHALLENGE_HINTS):
        return None
    return Outcome(kind=Kind.CHALLENGE) if wording.CHALLENGE_TEXT.search(opening) else None


def _bounce(clues: Clues, data: bytes) -> Outcome | None:
    report = delivery_report(clues.reports) if clues.reports else None
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
    if not _is_bounce_letter(clues):
        return None
    return _letter_bounce(clues, data)


def _explained(report: DeliveryReport, clues: Clues) -> tuple[BouncedRecipient, ...]:
    """Recipients of a report whose fields give no reason take it from the letter beside them."""
    if all(recipient.reason is not Reason.UNDEFINED for recipient in report.recipients):
        return report.recipients
    letter = clues.letter[:_OPENING]
    explained = []
    for recipient in report.recipients:
        place = letter.find(recipient.address) if recipient.reason is Reason.UNDEFINED else -1
        words = letter[place : place + 600] if place >= 0 else ""
        if not words and recipient.reason is Reason.UNDEFINED and len(report.recipients) == 1:
            words = letter[:1500]
        reason = reason_of(words, recipient.status) if words else recipient.reason
        explained.append(replace(recipient, reason=reason))
    return tuple(explained)


def _is_bounce_letter(clues: Clues) -> bool:
    """Whether a mail without a report says that something was not delivered.

    Evidence from sender, envelope, subject, words and copy is added up: 4 points are what a mail
    system's name and one word of failure make, and what no ordinary mail reaches.
    """
    subject = clues.subject
    if "x-failed-recipients" in clues.headers:
        return True
    if wording.ARRIVED_SUBJECT.search(subject):
        return False
    is_system = bool(wording.DAEMON.search(clues.sender)) or not clues.sender.strip()
    has_null_path = "return-path" in clues.headers and bool(
        wording.NULL_PATH.match(first(clues.headers, "return-path"))
    )
    if not is_system and not has_null_path and wording.ANSWER_SUBJECT.match(subject):
        return False
    score = 2 * is_system + has_null_path + (1 if clues.returned else 0)
    score += 2 * (said := bool(wording.FAILURE_SUBJECT.search(subject)))
    if _is_marked_auto_reply(clues):
        score -= 3
    elif wording.AUTO_REPLY_SUBJECT.search(subject):
        score -= 4
    if score < 2:
        return False
    enough = 4 if is_system or has_null_path else 5
    if not (said and score >= enough) and wording.FAILURE_TEXT.search(clues.letter[:_OPENING]):
        score, said = score + 2, True
    return said and score >= enough and not wording.AUTHENTICATION_REPORT.search(subject)


def _letter_bounce(clues: Clues, data: bytes) -> Outcome:
    letter = clues.letter
    found = _named(clues, data)
    warns = (
        is_still_trying(letter[:_OPENING])
        or wording.DELAY_SUBJECT.search(clues.subject) is not None
    )
    if not found:
        nameless = _about(Found("", letter[:1500]), warns)
        return Outcome(kind=Kind.BOUNCE, nameless=nameless)
    recipients = tuple(_about(each, warns) for each in found)
    if all(recipient.reason is Reason.UNDEFINED for recipient in recipients):
        # Some letters give one reason for all, above the addresses or far below.
        reason = reason_of(letter[:1500])
        status, reply = status_in(letter), reply_in(letter)
        recipients = tuple(
            replace(
                recipient,
                reason=reason,
                status=recipient.status or status,
                permanence=Permanence.TRANSIENT
                if warns
                else permanence_of(recipient.status or status, reply),
            )
            for recipient in recipients
        )
    return Outcome(kind=Kind.BOUNCE, recipients=recipients)


def _about(found: Found, warns: bool) -> BouncedRecipient:
    status = status_in(found.words)
    permanence = permanence_of(status, reply_in(found.words))
    return BouncedRecipient(
        address=found.address,
        permanence=Permanence.TRANSIENT if warns else permanence,
        status=status,
        reason=reason_of(found.words, status),
        diagnostic=harmless(found.words, LONGEST_QUOTE),
        delayed=warns,
    )


def _named(clues: Clues, data: bytes) -> list[Found]:
    """Whom a letter is about, by the surest way that tells anybody."""
    own, returned_to = clues.own, clues.returned_to
    listed = clues.header_addresses("x-failed-recipients")
    known = frozenset(value.lower() for value in returned_to) | frozenset(
        value.lower() for value in listed
    )
    found = failed_addresses(clues.letter, own=own, returned_to=known)
    if not found and clues.html and clues.html is not clues.letter:
        found = failed_addresses(clues.html, own=own, returned_to=known)
    if listed:
        words = {each.address.lower(): each.words for each in found}
        return [
            Found(each, words.get(each.lower(), clues.letter[:1500])) for each in unique(listed)
        ]
    if found:
        return found
    for guesses in (
        addresses_in(clues.subject),
        flufl_recipients(data),
        addresses_in(clues.letter[:_OPENING])[:50],
        returned_to,
    ):
        strangers = unique(
            guess for guess in guesses if guess.lower() not in own and not is_role(guess)
        )
        if len(strangers) == 1:
            return [Found(strangers[0], clues.letter[:1500])]
    return [Found(returned_to[0], clues.letter[:1500])] if len(returned_to) == 1 else []


def _unsubscribe(clues: Clues) -> Outcome | None:
    """A mail to an unsubscribe address, or one whose subject says just that."""
    if any(
        wording.UNSUBSCRIBE_ADDRESS.match(address)
        for address in clues.header_addresses("to", "delivered-to", "x-original-to", "envelope-to")
    ):
        return Outcome(kind=Kind.UNSUBSCRIBE)
    if wording.UNSUBSCRIBE_SUBJECT.match(clues.subject):
        return Outcome(kind=Kind.UNSUBSCRIBE)
    return None


def _notice(clues: Clues) -> Outcome | None:
    if wording.ARRIVED_SUBJECT.search(clues.subject):
        return Outcome(kind=Kind.DELIVERY_NOTICE)
    return None


def _is_marked_auto_reply(clues: Clues) -> bool:
    if any(name in clues.headers for name in wording.AUTO_REPLY_HEADERS):
        return True
    precedence = first(clues.headers, "precedence") + first(clues.headers, "x-precedence")
    return "auto_reply" in precedence.lower() or "auto-reply" in precedence.lower()


def _auto_reply(clues: Clues) -> Outcome | None:
    """Marked as one (RFC 3834), named as one, or sent from nobody and no bounce."""
    submitted = first(clues.headers, "auto-submitted").lower()
    if wording.AUTHENTICATION_REPORT.search(clues.subject):
        return Outcome(kind=Kind.UNKNOWN, detail="authentication failure report")
    if (
        submitted.startswith(("auto-replied", "auto-generated", "auto-notified"))
        or _is_marked_auto_reply(clues)
        or wording.AUTO_REPLY_SUBJECT.search(clues.subject)
        or ("return-path" in clues.headers and first(clues.headers, "return-path").strip() == "<>")
    ):
        return Outcome(kind=Kind.AUTO_REPLY)
    return None


def read_reply(code: int, text: str, *, address: str) -> BouncedRecipient:
    """A relay's own refusal (RFC 5321 §4.2), in the shape of a report's recipient."""
    status = status_in(text)
    return BouncedRecipient(
        address=address,
        permanence=permanence_of(status, str(code)),
        status=status,
        reason=reason_of(f"{code} {text}", status),
        diagnostic=harmless(f"{code} {text}", LONGEST_QUOTE),
    )
