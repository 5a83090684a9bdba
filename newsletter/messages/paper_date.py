"""When a paper was published, as far as it is known, and as a digest says it."""

from collections.abc import Sequence
from datetime import date

from newsletter.core import language
from newsletter.core.models import Paper


def parts_of(paper: Paper) -> list[int]:
    """Year, month and day to show; 0 for what is not known or goes without saying.

    The year is shown when the paper is of another than the year when it came in, so that a digest
    that is resent says the same.
    """
    published = paper.published_at
    if published is None:
        return [0, 0, 0]
    if paper.published_precision == "year":
        return [published.year, 0, 0]
    if paper.published_precision == "month":
        return [published.year, published.month, 0]
    is_other = published.year != paper.first_seen_at.year
    return [published.year if is_other else 0, published.month, published.day]


def date_in_words(paper: Paper) -> str:
    """What a digest says of a paper's date; "" where none is known."""
    return in_words(parts_of(paper))


def in_words(parts: Sequence[int]) -> str:
    """``18 November 2025``, or as much of it as there is, in the language that is on."""
    year, month, day = parts
    if not month:
        return str(year or "")
    if not day:
        return language.month_and_year(date(year, month, 1))
    if not year:
        return language.day_and_month(date(2000, month, day))  # a leap year has every day
    return language.long_day(date(year, month, day))
