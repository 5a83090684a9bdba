"""Bounces in free text without a report: is it one, about whom, why, and for how long."""

from dataclasses import replace

from newsletter.core.models import Permanence, Reason
from newsletter.core.one_line import harmless
from newsletter.inbound.bounces import patterns
from newsletter.inbound.bounces.addresses import addresses_in, is_role
from newsletter.inbound.bounces.flufl import second_opinion
from newsletter.inbound.bounces.free_text import Found, failed_addresses
from newsletter.inbound.bounces.mail_parts import Clues
from newsletter.inbound.bounces.mime import first
from newsletter.inbound.bounces.outcome import (
    LONGEST_QUOTE,
    BouncedRecipient,
    Kind,
    Outcome,
    unique,
)
from newsletter.inbound.bounces.phrases import reason_of
from newsletter.inbound.bounces.status_codes import (
    is_still_trying,
    permanence_of,
    reply_in,
    status_in,
)

# Enough of a letter to know its sort; what follows is mostly the returned message.
OPENING = 6000
# And enough to find the one reason that holds for everybody named.
FIRST_WORDS = 1500
# A mail system's name and one word of failure make four points; no ordinary mail reaches them.
ENOUGH = 4
# Something about it is odd: worth a second opinion.
SUSPICIOUS = 1


def letter_bounce(clues: Clues, data: bytes) -> Outcome | None:
    """The bounce in a mail without a machine-readable report; None if it is not a bounce."""
    points = _points(clues)
    if points < SUSPICIOUS:
        return None
    known = frozenset(
        address.lower()
        for address in (*clues.returned_to, *clues.header_addresses("x-failed-recipients"))
    )
    if points < ENOUGH:
        second = _second_opinion(clues, data, known)
        return _outcome(clues, [_place(clues, each) for each in second]) if second else None
    return _outcome(clues, _named(clues, data, known))


def _points(clues: Clues) -> int:
    """Evidence from sender, envelope, subject, words and copy, added up."""
    subject = clues.subject
    if "x-failed-recipients" in clues.headers:
        return ENOUGH
    if patterns.ARRIVED_SUBJECT.search(subject) or patterns.AUTHENTICATION_REPORT.search(subject):
        return 0
    is_system = bool(patterns.DAEMON.search(clues.sender)) or not clues.sender.strip()
    has_null_path = "return-path" in clues.headers and bool(
        patterns.NULL_PATH.match(first(clues.headers, "return-path"))
    )
    is_persons = not is_system and not has_null_path
    if is_persons and patterns.ANSWER_SUBJECT.match(subject):
        return 0
    points = 2 * is_system + has_null_path + bool(clues.returned) - is_persons
    said = bool(patterns.FAILURE_SUBJECT.search(subject))
    points += 2 * said
    if clues.is_marked_auto_reply:
        points -= 3
    elif patterns.AUTO_REPLY_SUBJECT.search(subject):
        points -= 4
    if points < 1 or (said and points >= ENOUGH):
        return points
    if patterns.FAILURE_TEXT.search(clues.letter[:OPENING]):
        return points + 2
    # Without a word of failure the rest is not enough.
    return points if said else min(points, ENOUGH - 1)


def _second_opinion(clues: Clues, data: bytes, known: frozenset[str]) -> tuple[str, ...]:
    ids = frozenset(value.lower() for value in clues.message_ids)
    return second_opinion(data, own=clues.own, returned_to=known, ids=ids)


def _outcome(clues: Clues, found: list[Found]) -> Outcome:
    letter = clues.letter
    warns = is_still_trying(letter[:OPENING]) or bool(patterns.DELAY_SUBJECT.search(clues.subject))
    if not found:
        nameless = _about(Found("", letter[:FIRST_WORDS]), warns)
        return Outcome(kind=Kind.BOUNCE, nameless=nameless)
    recipients = tuple(_about(each, warns) for each in found)
    if any(recipient.reason is not Reason.UNDEFINED for recipient in recipients):
        return Outcome(kind=Kind.BOUNCE, recipients=recipients)
    # Some letters give one reason for all, above the addresses or far below.
    shared = _about(Found("", letter), warns)
    reason = reason_of(letter[:FIRST_WORDS])
    recipients = tuple(
        replace(
            recipient,
            reason=reason,
            status=recipient.status or shared.status,
            permanence=recipient.permanence if recipient.status else shared.permanence,
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
        reason=reason_of(found.words, status, recipient=found.address),
        diagnostic=harmless(found.words, LONGEST_QUOTE),
        delayed=warns,
    )


def _named(clues: Clues, data: bytes, known: frozenset[str]) -> list[Found]:
    """Whom a letter is about.

    A header that lists them is believed; so are addresses that the returned message was for.
    Of anything less sure flufl.bounce is asked too.
    """
    found = failed_addresses(clues.letter, own=clues.own, returned_to=known)
    if not found and clues.html and clues.html is not clues.letter:
        found = failed_addresses(clues.html, own=clues.own, returned_to=known)
    words = {each.address.lower(): each for each in found}
    listed = unique(clues.header_addresses("x-failed-recipients"))
    if listed:
        return [words.get(each.lower()) or _place(clues, each) for each in listed]
    if words and known.issuperset(words):
        return found
    second = _second_opinion(clues, data, known)
    others = [each for each in second if each.lower() not in words]
    if len(others) == len(second):
        # Nobody in common: its detectors know particular systems, our evidence is general.
        return [_place(clues, each) for each in others] or found or _guessed(clues)
    return [*found, *(_place(clues, each) for each in others)]


def _place(clues: Clues, address: str) -> Found:
    """An address with the words of the letter from it on, or the letter's first."""
    place = max(0, clues.letter.find(address))
    return Found(address, clues.letter[place : place + FIRST_WORDS])


def _guessed(clues: Clues) -> list[Found]:
    """The only stranger that subject, letter or returned message name.

    Addresses at the sender's own domains count only if there is no other.
    """
    domains = {own.rpartition("@")[2] for own in clues.own}
    for guesses in (
        addresses_in(clues.subject),
        addresses_in(clues.letter[:OPENING])[:50],
        clues.carried_to,
        clues.returned_to,
    ):
        strangers = unique(
            guess for guess in guesses if guess.lower() not in clues.own and not is_role(guess)
        )
        elsewhere = [each for each in strangers if each.lower().rpartition("@")[2] not in domains]
        if len(elsewhere or strangers) == 1:
            return [_place(clues, (elsewhere or strangers)[0])]
    only = clues.returned_to
    return [_place(clues, only[0])] if len(only) == 1 else []
