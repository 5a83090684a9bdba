"""When sources announce: to tell a quiet day from a source that is late (pure).

arXiv announces Sunday to Thursday at 20:00 US Eastern, except on its holidays
(info.arxiv.org/help/availability.html).
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_EASTERN = ZoneInfo("America/New_York")
_ARXIV_HOUR = time(20, 0)
# Feeds are built at midnight Eastern, four hours after the announcement, and it may be late.
_GRACE = timedelta(hours=6)
_ARXIV_SOURCES = frozenset({"arxiv", "arxiv-rss", "arxiv-oai"})
# Sources that list something on every working day, by the end of that day in UTC.
_WORKING_DAYS = frozenset({"hf", "biorxiv", "medrxiv"})
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6
# No need to look further back: a source without news for this long is late.
_MOST_DAYS = 31

# As arXiv published them, year by year (the end of 2025 follows its custom).
_ARXIV_HOLIDAYS = {
    2025: ("01-01", "01-20", "06-19", "07-06", "09-01", "11-27", "12-25"),
    2026: ("01-01", "01-19", "06-19", "07-03", "09-07", "11-26", "12-25", "12-29", "12-31"),
}


def arxiv_announces(day: date) -> bool:
    """Whether arXiv announces on the evening of ``day`` (US Eastern)."""
    if day.weekday() in {_FRIDAY, _SATURDAY} or is_arxiv_holiday(day):
        return False
    # A Friday at work is announced on Sunday; after a holiday Friday, Sunday may stay empty.
    return day.weekday() != _SUNDAY or not is_arxiv_holiday(day - timedelta(days=2))


def is_arxiv_holiday(day: date) -> bool:
    """Whether arXiv rests; in years it has not fixed yet, on the holidays it always keeps."""
    if day.year in _ARXIV_HOLIDAYS:
        return f"{day:%m-%d}" in _ARXIV_HOLIDAYS[day.year]
    week, weekday = (day.day - 1) // 7 + 1, day.weekday()
    return (
        (day.month, day.day) in {(1, 1), (6, 19), (7, 4), (12, 25)}
        or (day.month, weekday, week) == (1, 0, 3)  # Martin Luther King Jr. Day
        or (day.month, weekday, week) == (9, 0, 1)  # Labor Day
        or (day.month, weekday, week) == (11, 3, 4)  # Thanksgiving
    )


def is_overdue(source: str, after: datetime, now: datetime) -> bool:
    """Whether ``source`` should have announced something after ``after``, and had time to.

    Always False for a source without a calendar: nobody can say when it is late.
    """
    return any(
        after < moment and moment + _GRACE <= now for moment in _announcements(source, after, now)
    )


def _announcements(source: str, after: datetime, now: datetime) -> Iterator[datetime]:
    """Moments at which the source announces, on every day that can matter."""
    first = max(after, now - timedelta(days=_MOST_DAYS)).date() - timedelta(days=1)
    for number in range((now.date() - first).days + 1):
        day = first + timedelta(days=number)
        if source in _ARXIV_SOURCES and arxiv_announces(day):
            yield datetime.combine(day, _ARXIV_HOUR, _EASTERN).astimezone(UTC)
        elif source in _WORKING_DAYS and day.weekday() < _SATURDAY:
            yield datetime.combine(day + timedelta(days=1), time(0), UTC)
