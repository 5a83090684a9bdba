"""Checked values of what a subscriber asks for: address, preferences, topics. Pure.

Everything here comes from outside (a form, a CSV file, a command line), so every function
either gives the one form the tables hold or raises `InputError` with a line for a person.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from zoneinfo import available_timezones

from newsletter.core.errors import InputError
from newsletter.core.identifiers import arxiv_of_doi, canonical_doi, split_arxiv_id
from newsletter.core.models import Cadence, DigestLength, InterestKind

# Section name for a subscriber who named no topic.
DEFAULT_TOPIC = "Your interests"
LONGEST_NAME = 100
LONGEST_VALUE = 200
# A paragraph or two about one's work; more would drown the other interests.
LONGEST_TEXT = 2000
# More than anyone states by hand; limits what a stranger can store.
MOST_INTERESTS = 200
MOST_TOPICS = 20
LONGEST_LOCAL_PART = 64  # octets (RFC 5321 §4.5.3.1.1)
MUTE_WEIGHT = -1.0
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_CATEGORY = re.compile(r"^(?P<archive>[A-Za-z][A-Za-z-]*)(?:\.(?P<subject>[A-Za-z-]+))?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How often, when and how much. Times of day are in ``time_zone``."""

    cadence: Cadence = Cadence.DAILY
    weekday: int = 0
    send_hour: int = 7
    time_zone: str = "UTC"
    max_papers: int = 10
    min_score: int = 0
    weekly_budget: int | None = None
    length: DigestLength = DigestLength.NORMAL
    popularity: int = 20
    outside_picks: bool = True
    tell_when_nothing: bool = False
    fill_list: bool = False
    vacation_until: date | None = None


@dataclass(frozen=True, slots=True)
class InterestInput:
    """One interest before it has a row; a negative weight mutes."""

    kind: InterestKind
    value: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class TopicRequest:
    """A requested topic: its name and checked interests."""

    name: str
    clues: tuple[InterestInput, ...]
    quota: int | None = None
    paused: bool = False


def clean_line(value: str, *, where: str, longest: int = LONGEST_VALUE) -> str:
    """One line of text, white space collapsed, in NFC.

    Raises:
        InputError: it holds a control character (a line break could forge a mail header) or is
            longer than ``longest`` characters.
    """
    value = unicodedata.normalize("NFC", value)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
        raise InputError("contains a line break or control character", where=where)
    value = " ".join(value.split())
    if len(value) > longest:
        raise InputError(f"is {len(value)} characters long; the maximum is {longest}", where=where)
    return value


def normalise_email(email: str) -> str:
    """The one form an address has here: lower-case, domain as A-label (RFC 5890), NFC.

    Two spellings of one mailbox must meet in one row, and a bounce names the A-label.

    Raises:
        InputError: not an address that mail can be sent to.
    """
    shown = email if email.isprintable() and len(email) <= LONGEST_VALUE else repr(email[:60])
    where = f"address {shown!r}" if shown else "address"
    if any(unicodedata.category(character) == "Cc" for character in email):
        raise InputError("contains a line break or control character", where=where)
    if unicodedata.normalize("NFKC", email) != unicodedata.normalize("NFC", email):
        raise InputError("contains full-width or other look-alike letters", where=where)
    # A bounce matches a delivery without it, and an MTA starts a process for every bounce.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        checked = validate_email(email.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise InputError(str(error), where=where) from error
    if len(checked.local_part.encode()) > LONGEST_LOCAL_PART:
        raise InputError("the part before the @ is longer than 64 octets", where=where)
    return f"{checked.local_part}@{checked.ascii_domain}".lower()


# Providers where dots in the local part mean nothing, and where a hyphen starts a tag.
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
_HYPHENS = ("yahoo.", "ymail.com", "rocketmail.com")


def mailbox_of(email: str) -> str:
    """One name for the mailbox that spellings of an address lead to; for counting only.

    What follows a plus sign is a tag nearly everywhere (RFC 5233); who reads it otherwise only
    shares a count. Takes anything; what is no address is its own mailbox.
    """
    local, at, domain = email.strip().lower().rpartition("@")
    local = local.split("+", 1)[0] or local
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    if domain.startswith(_HYPHENS):
        local = local.split("-", 1)[0] or local
    return f"{local}{at}{domain}"


def paper_identity(value: str, *, where: str = "seed paper") -> str:
    """Canonical arXiv id (no version) or lower-case DOI from typed or pasted text.

    Raises:
        InputError: neither an arXiv id nor a DOI, nor a link to one.
    """
    value = clean_line(value, where=where).rstrip("/").split("?")[0].split("#")[0]
    doi = canonical_doi(value)
    found = split_arxiv_id(value)[0] or arxiv_of_doi(doi) or doi
    if found:
        return found
    raise InputError(f"{value!r} is neither an arXiv id nor a DOI", where=where)


def category_name(value: str, *, where: str = "category") -> str:
    """A category as its source writes it: ``CS.cl`` is ``cs.CL``, ``Cond-Mat.Str-El`` lower."""
    value = clean_line(value, where=where, longest=LONGEST_NAME)
    found = _CATEGORY.match(value)
    if not found or not found["subject"]:
        return value
    subject = found["subject"]
    # arXiv: two-letter subject classes are upper-case, spelt-out ones (mes-hall) lower-case.
    subject = subject.upper() if len(subject) == 2 else subject.lower()
    return f"{found['archive'].lower()}.{subject}"


def parse_topic(
    *,
    name: str = "",
    text: str = "",
    keywords: Iterable[str] = (),
    categories: Iterable[str] = (),
    authors: Iterable[str] = (),
    seed_papers: Iterable[str] = (),
    mutes: Iterable[str] = (),
    quota: int | None = None,
    paused: bool = False,
) -> TopicRequest:
    """Make a topic from typed values, without blanks and repetitions.

    Raises:
        InputError: names the field and what is wrong with it.
    """
    clues: dict[tuple[InterestKind, str], InterestInput] = {}

    def put(kind: InterestKind, value: str, weight: float = 1.0) -> None:
        if not value:
            return
        known = clues.setdefault((kind, value.casefold()), InterestInput(kind, value, weight))
        if known.weight * weight < 0:
            raise InputError(f"{value!r} is both wanted and muted", where="mutes")

    for line in text.splitlines():
        put(
            InterestKind.TEXT,
            clean_line(line.replace("\t", " "), where="text", longest=LONGEST_TEXT),
        )
    for keyword in keywords:
        put(InterestKind.KEYWORD, clean_line(keyword, where="keywords"))
    for category in categories:
        put(InterestKind.CATEGORY, category_name(category, where="categories"))
    for author in authors:
        put(InterestKind.AUTHOR, clean_line(author, where="authors"))
    for seed in seed_papers:
        if seed.strip():
            put(InterestKind.SEED_PAPER, paper_identity(seed, where="seed_papers"))
    for mute in mutes:
        put(InterestKind.KEYWORD, clean_line(mute, where="mutes"), MUTE_WEIGHT)
    if len(clues) > MOST_INTERESTS:
        raise InputError(f"{len(clues)} interests; the maximum is {MOST_INTERESTS}", where="topic")
    if quota is not None and not 1 <= quota <= 50:
        raise InputError(f"{quota} papers; must be 1 to 50", where="quota")
    shown = clean_line(name, where="topic", longest=LONGEST_NAME) or DEFAULT_TOPIC
    return TopicRequest(shown, tuple(clues.values()), quota, paused)


def parse_preferences(
    *,
    cadence: str = "",
    weekday: str = "",
    send_hour: str = "",
    time_zone: str = "",
    max_papers: str = "",
    min_score: str = "",
    weekly_budget: str | None = None,
    length: str = "",
    popularity: str = "",
    outside_picks: bool | None = None,
    tell_when_nothing: bool | None = None,
    fill_list: bool | None = None,
    vacation_until: str | None = None,
    default: Preferences | None = None,
) -> Preferences:
    """Make preferences from typed values; a blank or None keeps ``default``'s value.

    A blank weekly budget means no limit; a blank vacation date ends the vacation.

    Raises:
        InputError: names the field and what it may be.
    """
    default = default or Preferences()
    return replace(
        default,
        cadence=_cadence(cadence) if cadence.strip() else default.cadence,
        weekday=_weekday(weekday) if weekday.strip() else default.weekday,
        send_hour=_number(send_hour, "send_hour", 0, 23, default.send_hour),
        time_zone=_time_zone(time_zone) if time_zone.strip() else default.time_zone,
        max_papers=_number(max_papers, "max_papers", 1, 50, default.max_papers),
        min_score=_number(min_score, "min_score", 0, 100, default.min_score),
        weekly_budget=_budget(weekly_budget)
        if weekly_budget is not None
        else default.weekly_budget,
        length=_length(length) if length.strip() else default.length,
        popularity=_number(popularity, "popularity", 0, 100, default.popularity),
        outside_picks=default.outside_picks if outside_picks is None else outside_picks,
        tell_when_nothing=(
            default.tell_when_nothing if tell_when_nothing is None else tell_when_nothing
        ),
        fill_list=default.fill_list if fill_list is None else fill_list,
        vacation_until=_day(vacation_until)
        if vacation_until is not None
        else default.vacation_until,
    )


def _budget(value: str) -> int | None:
    # 50 papers a day, seven days a week, is the most that anything else allows.
    return _number(value, "weekly_budget", 1, 350, 0) or None


def _length(value: str) -> DigestLength:
    try:
        return DigestLength(value.strip().lower())
    except ValueError as error:
        choices = ", ".join(DigestLength)
        raise InputError(f"{value[:60]!r}; must be one of: {choices}", where="length") from error


def _day(value: str) -> date | None:
    if not value.strip():
        return None
    try:
        return date.fromisoformat(value.strip())
    except ValueError as error:
        raise InputError(
            f"{value[:60]!r} is not a date like 2026-12-24", where="vacation_until"
        ) from error


def _cadence(value: str) -> Cadence:
    try:
        return Cadence(value.strip().lower())
    except ValueError as error:
        choices = ", ".join(Cadence)
        raise InputError(f"{value[:60]!r}; must be one of: {choices}", where="cadence") from error


def _weekday(value: str) -> int:
    value = value.strip().lower()
    for number, name in enumerate(WEEKDAYS):
        if value in {str(number), name, name[:3]}:
            return number
    raise InputError(f"{value[:60]!r}; must be a day's name, or 0 (Monday) to 6", where="weekday")


@cache
def _zones_by_lower_case() -> dict[str, str]:
    return {zone.lower(): zone for zone in available_timezones()}


def _time_zone(value: str) -> str:
    zone = _zones_by_lower_case().get(value.strip().lower())
    if zone is None:
        raise InputError(f"{value[:60]!r} is not a time zone like Europe/Berlin", where="timezone")
    return zone


def _number(value: str, where: str, least: int, most: int, default: int) -> int:
    value = value.strip()
    if not value:
        return default
    # Spreadsheets write 7 as 7.0 when a column held decimals.
    digits = value.removesuffix(".0")
    plain = digits.isascii() and digits.isdigit() and len(digits) <= 3
    if not plain or not least <= int(digits) <= most:
        raise InputError(f"{value[:60]!r}; must be a number from {least} to {most}", where=where)
    return int(digits)
