"""Checked values of what a subscriber asks for: address, preferences, topics. Pure.

Everything here comes from outside (a form, a CSV file, a command line), so every function
either gives the one form the tables hold or raises `InputError` with a line for a person.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from newsletter.core import language
from newsletter.core.addresses import what_is_wrong
from newsletter.core.errors import InputError
from newsletter.core.identifiers import arxiv_of_doi, canonical_doi, pubmed_name, split_arxiv_id
from newsletter.core.language import N_, _
from newsletter.core.models import Cadence, DigestLength, InterestKind, QuietNotes

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

_YES, _NO = {"yes", "true", "1"}, {"no", "false", "0"}
_CATEGORY = re.compile(r"^(?P<archive>[A-Za-z][A-Za-z-]*)(?:\.(?P<subject>[A-Za-z-]+))?$")


@dataclass(frozen=True, slots=True)
class InterestInput:
    """One interest before it has a row; a negative weight mutes.

    ``reference`` of an entry of a bibliography is what its paper is known by, or "".
    """

    kind: InterestKind
    value: str
    weight: float = 1.0
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class TopicRequest:
    """A requested topic: its name and checked interests."""

    name: str
    clues: tuple[InterestInput, ...]
    quota: int | None = None
    paused: bool = False


def _shown(value: str) -> str:
    return repr(value[:60])


def _not_among(value: str, choices: Iterable[str]) -> str:
    several = ", ".join(choices)
    return _("{value}; must be one of: {choices}", value=_shown(value), choices=several)


def _no_number(value: str, least: int, most: int) -> str:
    what = N_("{value}; must be a number from {least} to {most}")
    return _(what, value=_shown(value), least=least, most=most)


def clean_line(value: str, *, where: str, longest: int = LONGEST_VALUE) -> str:
    """One line of text, white space collapsed, in NFC.

    Raises:
        InputError: it holds a control character (a line break could forge a mail header) or is
            longer than ``longest`` characters.
    """
    value = unicodedata.normalize("NFC", value)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
        raise InputError(_("contains a line break or control character"), where=where)
    value = " ".join(value.split())
    if len(value) > longest:
        raise InputError(
            _("is {count} characters long; the maximum is {most}", count=len(value), most=longest),
            where=where,
        )
    return value


def normalise_email(email: str) -> str:
    """The one form an address has here: lower-case, domain as A-label (RFC 5890), NFC.

    Two spellings of one mailbox must meet in one row, and a bounce names the A-label.

    Raises:
        InputError: not an address that mail can be sent to.
    """
    shown = email if email.isprintable() and len(email) <= LONGEST_VALUE else _shown(email)
    where = f"address {shown!r}" if shown else "address"
    if any(unicodedata.category(character) == "Cc" for character in email):
        raise InputError(_("contains a line break or control character"), where=where)
    if unicodedata.normalize("NFKC", email) != unicodedata.normalize("NFC", email):
        raise InputError(_("contains full-width or other look-alike letters"), where=where)
    # A bounce matches a delivery without it, and an MTA starts a process for every bounce.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        checked = validate_email(email.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        english = language.current() == language.SOURCE
        what = what_is_wrong(email) if english else _("not a valid email address")
        raise InputError(what, where=where) from error
    if len(checked.local_part.encode()) > LONGEST_LOCAL_PART:
        raise InputError(_("the part before the @ is longer than 64 octets"), where=where)
    return f"{checked.local_part}@{checked.ascii_domain}".lower()


def paper_identity(value: str, *, where: str = "seed paper") -> str:
    """Canonical arXiv id (no version), lower-case DOI or "pmid:…" from typed or pasted text.

    Raises:
        InputError: neither an arXiv id nor a DOI, nor a link to one.
    """
    value = clean_line(value, where=where).rstrip("/").split("?")[0].split("#")[0]
    doi = canonical_doi(value)
    found = split_arxiv_id(value)[0] or arxiv_of_doi(doi) or doi
    if found:
        return found
    # A bare number may be anything.
    if not value.isdecimal() and (number := pubmed_name(value)):
        return number
    raise InputError(_("{value} is neither an arXiv id nor a DOI", value=repr(value)), where=where)


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


# An `InputError` in a validator passes through pydantic as it is: one line that names the field.
def _one_of(choices: type[StrEnum]) -> BeforeValidator:
    def read(value: str, info: ValidationInfo) -> StrEnum:
        try:
            return choices(value.strip().lower())
        except ValueError as error:
            what = _not_among(value, choices)
            raise InputError(what, where=info.field_name or "") from error

    return BeforeValidator(read)


def _number(least: int, most: int) -> BeforeValidator:
    def read(value: str | int | None, info: ValidationInfo) -> int | None:
        value = "" if value is None else str(value).strip()
        if not value:
            return None
        # Spreadsheets write 7 as 7.0 when a column held decimals.
        digits = value.removesuffix(".0")
        plain = digits.isascii() and digits.isdigit() and len(digits) <= 3
        if not plain or not least <= int(digits) <= most:
            raise InputError(_no_number(value, least, most), where=info.field_name or "")
        return int(digits)

    return BeforeValidator(read)


def _yes_or_no(value: str | bool, info: ValidationInfo) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower()
    if word not in _YES | _NO:
        raise InputError(
            _("{value}; must be yes or no", value=_shown(word)), where=info.field_name or ""
        )
    return word in _YES


def _quiet_notes(value: str | bool) -> QuietNotes:
    """Lists and sign-ups of before "never" say yes (on each day) or no (once a week)."""
    word = str(value).strip().lower()
    if word in _YES | _NO:
        return QuietNotes.DAILY if word in _YES else QuietNotes.WEEKLY
    try:
        return QuietNotes(word)
    except ValueError as error:
        raise InputError(_not_among(word, QuietNotes), where="tell_when_nothing") from error


def _weekday(value: str | int) -> int:
    word = str(value).strip().lower()
    for number, name in enumerate(WEEKDAYS):
        if word in {str(number), name, name[:3]}:
            return number
    raise InputError(
        _("{value}; must be a day's name, or 0 (Monday) to 6", value=_shown(word)),
        where="weekday",
    )


@cache
def _zones_by_lower_case() -> dict[str, str]:
    return {zone.lower(): zone for zone in available_timezones()}


def _time_zone(value: str) -> str:
    zone = _zones_by_lower_case().get(value.strip().lower())
    if zone is None:
        raise InputError(
            _("{value} is not a time zone like Europe/Berlin", value=_shown(value)),
            where="timezone",
        )
    return zone


def _day(value: str | date | None) -> date | None:
    if value is None or isinstance(value, date):
        return value
    if not value.strip():
        return None
    try:
        return date.fromisoformat(value.strip())
    except ValueError as error:
        raise InputError(
            _("{value} is not a date like 2026-12-24", value=_shown(value)),
            where="vacation_until",
        ) from error


def _language(value: str) -> str:
    found = language.known(value)
    if found is None:
        raise InputError(_not_among(value, language.languages()), where="language")
    return found


_YesOrNo = Annotated[bool, BeforeValidator(_yes_or_no)]
_Percent = Annotated[int, _number(0, 100)]


class Preferences(BaseModel):
    """How often, when and how much. Times of day are in ``time_zone``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cadence: Annotated[Cadence, _one_of(Cadence)] = Cadence.DAILY
    weekday: Annotated[int, BeforeValidator(_weekday)] = 0
    send_hour: Annotated[int, _number(0, 23)] = 7
    time_zone: Annotated[str, BeforeValidator(_time_zone)] = "UTC"
    max_papers: Annotated[int, _number(1, 50)] = 10
    min_score: _Percent = 0
    # 50 papers a day, seven days a week, is the most that anything else allows.
    weekly_budget: Annotated[int | None, _number(1, 350)] = None
    length: Annotated[DigestLength, _one_of(DigestLength)] = DigestLength.NORMAL
    popularity: _Percent = 20
    outside_picks: _YesOrNo = True
    tell_when_nothing: Annotated[QuietNotes, BeforeValidator(_quiet_notes)] = QuietNotes.WEEKLY
    tell_revisions: _YesOrNo = False
    fill_list: _YesOrNo = False
    read_here: _YesOrNo = False
    language: Annotated[str, BeforeValidator(_language)] = Field(default_factory=language.site)
    vacation_until: Annotated[date | None, BeforeValidator(_day)] = None

    @classmethod
    def read(
        cls, typed: Mapping[str, str | bool | None], default: "Preferences | None" = None
    ) -> "Preferences":
        """Preferences from what was typed, by field; a blank or None keeps ``default``'s value.

        A blank weekly budget means no limit; a blank vacation date ends the vacation.

        Raises:
            InputError: names the field and what it may be.
        """
        given = {name: value for name, value in typed.items() if _is_given(name, value)}
        checked = cls.model_validate(given)
        return (default or cls()).model_copy(
            update={name: getattr(checked, name) for name in given}
        )


def _is_given(name: str, value: str | bool | None) -> bool:
    if isinstance(value, str) and name not in {"weekly_budget", "vacation_until"}:
        return bool(value.strip())
    return value is not None


def _each(clean: Callable[..., str]) -> BeforeValidator:
    def read(values: Iterable[str], info: ValidationInfo) -> tuple[str, ...]:
        return tuple(clean(value, where=info.field_name) for value in values if value.strip())

    return BeforeValidator(read)


def _divided(values: Iterable[str]) -> list[str]:
    """Categories are written with commas between them as often as with semicolons."""
    return [part.strip() for value in values for part in re.split("[;,]", value)]


def _paragraphs(text: str) -> tuple[str, ...]:
    lines = (line.replace("\t", " ") for line in text.splitlines())
    return tuple(clean_line(line, where="text", longest=LONGEST_TEXT) for line in lines)


def _quota(value: str | int | None) -> int | None:
    if isinstance(value, str):
        digits = value.strip()
        if not re.fullmatch(r"[0-9]{0,3}", digits):
            raise InputError(_no_number(digits, 1, 50), where="quota")
        value = int(digits) if digits else None
    if value is not None and not 1 <= value <= 50:
        raise InputError(_("{value} papers; must be 1 to 50", value=value), where="quota")
    return value


def _topic_name(value: str) -> str:
    return clean_line(value, where="topic", longest=LONGEST_NAME) or DEFAULT_TOPIC


def _paused(value: str | bool, info: ValidationInfo) -> bool:
    is_blank = isinstance(value, str) and not value.strip()
    return not is_blank and _yes_or_no(value, info)


_Lines = Annotated[tuple[str, ...], _each(clean_line)]


class TypedTopic(BaseModel):
    """A topic as it was typed, each value cleaned and checked; see `read`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[tuple[str, ...], BeforeValidator(_paragraphs)] = ()
    keywords: _Lines = ()
    categories: Annotated[tuple[str, ...], _each(category_name), BeforeValidator(_divided)] = ()
    authors: _Lines = ()
    seed_papers: Annotated[tuple[str, ...], _each(paper_identity)] = ()
    mutes: _Lines = ()
    quota: Annotated[int | None, BeforeValidator(_quota)] = None
    paused: Annotated[bool, BeforeValidator(_paused)] = False
    name: Annotated[str, BeforeValidator(_topic_name)] = DEFAULT_TOPIC

    @classmethod
    def read(cls, typed: Mapping[str, object]) -> TopicRequest:
        """Make a topic from what was typed, by field, without blanks and repetitions.

        ``text`` holds a statement a line, ``quota`` and ``paused`` may be words; the other
        interests are lists.

        Raises:
            InputError: names the field and what is wrong with it.
        """
        topic = cls.model_validate(typed)
        return TopicRequest(topic.name, topic._clues(), topic.quota, topic.paused)

    def _clues(self) -> tuple[InterestInput, ...]:
        wanted = {
            InterestKind.TEXT: self.text,
            InterestKind.KEYWORD: self.keywords,
            InterestKind.CATEGORY: self.categories,
            InterestKind.AUTHOR: self.authors,
            InterestKind.SEED_PAPER: self.seed_papers,
        }
        stated = [InterestInput(kind, each) for kind, values in wanted.items() for each in values]
        stated += [InterestInput(InterestKind.KEYWORD, each, MUTE_WEIGHT) for each in self.mutes]
        clues: dict[tuple[InterestKind, str], InterestInput] = {}
        for clue in stated:
            if not clue.value:
                continue
            known = clues.setdefault((clue.kind, clue.value.casefold()), clue)
            if known.weight * clue.weight < 0:
                raise InputError(
                    _("{value} is both wanted and muted", value=repr(clue.value)), where="mutes"
                )
        if len(clues) > MOST_INTERESTS:
            what = _(
                "{count} interests; the maximum is {most}", count=len(clues), most=MOST_INTERESTS
            )
            raise InputError(what, where="topic")
        return tuple(clues.values())
