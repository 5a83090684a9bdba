"""Dates as sources write them: standards first, then the odd forms of feeds (pure).

A date without a day stays unknown here: nobody's month or day is invented. So does one whose day
and month could be either ("03/04/2026").
"""

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

_LONGEST = 64
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier enero gennaio janeiro januari styczeń января",
            "feb february februar février fevrier fév febrero febbraio fevereiro februari февраля",
            "mar march märz mrz mars marzo março maart марта",
            "apr april avril avr abril aprile апреля",
            "may mai mayo maggio maio mei мая",
            "jun june juni juin junio giugno junho июня",
            "jul july juli juillet juil julio luglio julho июля",
            "aug august août aout agosto augustus августа",
            "sep sept september septembre septiembre settembre setembro сентября",
            "oct october oktober okt octobre octubre ottobre outubro октября",
            "nov november novembre noviembre novembro ноября",
            "dec december dezember dez décembre decembre déc diciembre dicembre dezembro декабря",
        ),
        1,
    )
    for name in names.split()
}
# In hours.
_ZONES = {
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "BST": 1, "WET": 0, "WEST": 1, "EET": 2, "EEST": 3,
    "MSK": 3, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip
_WEEKDAY = re.compile(r"^[^\W\d_]{2,12}\.?(?:,\s*|\s+)(?=\d|[^\W\d_]{3,10}\.?\s+\d)")
_ISO = re.compile(
    r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})"
    r"(?:[T ]+(?P<time>\d{1,2}:\d{2}(?::\d{2})?)(?:\.\d+)?"
    r"\s*(?P<zone>Z|[A-Za-z]{2,5}|[+-]\d{2}:?\d{2})?)?"
)
_NAMED = re.compile(
    r"(?:(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?\s*(?:de\s+)?[ -]?(?P<month>[^\W\d_]{3,10})\.?"
    r"|(?P<month2>[^\W\d_]{3,10})\.?\s+(?P<day2>\d{1,2})(?:st|nd|rd|th)?),?[ -]?\s*(?:de\s+)?"
    # Two digits only where a time of day follows: RFC 822 wrote years so.
    r"(?P<year>\d{4}|\d{2}(?=\s+\d{1,2}:))"
    r"(?:,?\s+(?:-\s+|at\s+)?(?P<time>\d{1,2}:\d{2}(?::\d{2})?)\s*(?P<zone>[A-Za-z]{1,5}|[+-]\d{2}:?\d{2})?)?"
)
_NUMBERS = re.compile(r"(?P<first>\d{1,2})[/.-](?P<second>\d{1,2})[/.-](?P<year>\d{4})(?:\s.*)?")
_CJK = re.compile(r"(?P<year>\d{4})[年년]\s*(?P<month>\d{1,2})[月월]\s*(?P<day>\d{1,2})[日일].*")


def read_date(value: str) -> datetime | None:
    """An aware moment in UTC; None for what names no day. Without an offset it is taken as UTC."""
    text = " ".join(value.split())
    if not 5 < len(text) < _LONGEST:
        return None
    for read in (_standard, _iso, _named, _numbers):
        try:
            found = read(text)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        if found is not None:
            return found
    return None


def _standard(text: str) -> datetime | None:
    """ISO 8601 or RFC 5322 (the parser reads "Nov 2026" as a day of this century, so not that)."""
    if text[:4].isdigit():
        found = datetime.fromisoformat(text)
    elif re.search(r"\d{1,2}[ -][A-Za-z]{3}[ -]\d{2,4}", text) and " 24:" not in text:
        if text.rpartition(" ")[2] in _ZONES:
            return None
        found = parsedate_to_datetime(text)
    else:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _iso(text: str) -> datetime | None:
    """ "2026-11-25 10:00:00 +0900", "2026/11/5", 2026年11月25日."""
    found = _CJK.fullmatch(text)
    if found:
        return _moment(found["year"], found["month"], found["day"])
    found = _ISO.fullmatch(text)
    return _moment(*found.groups()) if found else None


def _named(text: str) -> datetime | None:
    """ "Mi, 25 Nov 2026 10:00:00 +0100", "November 25th, 2026", "25 de noviembre de 2026"."""
    found = _NAMED.fullmatch(_WEEKDAY.sub("", text)) or _NAMED.fullmatch(text)
    month = _MONTHS.get((found["month"] or found["month2"]).lower()) if found else None
    if found is None or month is None:
        return None
    century = "" if len(found["year"]) == 4 else "19" if found["year"] >= "70" else "20"
    return _moment(
        century + found["year"], month, found["day"] or found["day2"], found["time"], found["zone"]
    )


def _numbers(text: str) -> datetime | None:
    """ "25/11/2026", or "11/25/2026": where only one reading is a date."""
    found = _NUMBERS.fullmatch(text)
    if found is None:
        return None
    first, second = int(found["first"]), int(found["second"])
    if first > 12 or first == second or "." in text[:3]:
        return _moment(found["year"], second, first)
    return _moment(found["year"], first, second) if second > 12 else None


def _moment(
    year: str, month: str | int, day: str | int, time: str | None = None, zone: str | None = None
) -> datetime:
    hour, minute, second = (*map(int, (time or "0").split(":")), 0, 0)[:3]
    start = date(int(year), int(month), int(day))
    # Midnight is written as 24:00 of the day before, too.
    moment = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(
        hours=min(hour, 24), minutes=min(minute, 59), seconds=min(second, 59)
    )
    return moment - _offset(zone)


def _offset(zone: str | None) -> timedelta:
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return size if zone[0] == "+" else -size
    return timedelta(hours=_ZONES.get((zone or "").upper(), 0))
