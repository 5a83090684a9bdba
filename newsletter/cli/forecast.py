"""`newsletter forecast`: how many digests each coming day holds, and whether they fit."""

from datetime import timedelta
from typing import Annotated

import typer

from newsletter.cli.common import JsonOption, open_database, print_json, today
from newsletter.cli.console import out
from newsletter.core.database import read_scope
from newsletter.editions.forecast import Day, Rate, rate_of
from newsletter.editions.forecast import forecast as days_of


def forecast(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many days.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Show how many digests each coming day holds, how long they take, and what does not fit."""
    settings, engine = open_database()
    with read_scope(engine) as session:
        rate = rate_of(session, settings.rate)
        found = days_of(session, today(), days, rate, settings.warm_up)
    if as_json:
        print_json({"rate": rate.per_second, "rate_source": rate.source, "days": _json(found)})
        return
    for day in found:
        hour, number = max(day.hours.items(), key=lambda item: item[1], default=(None, 0))
        busiest = f", {number} of them at {hour:%H:%M} UTC" if hour else ""
        digests = "1 digest" if day.due == 1 else f"{day.due} digests"
        takes = str(timedelta(seconds=round(day.seconds)))
        out.print(f"{day.date:%a %Y-%m-%d}  {digests}, {takes}{busiest}{_trouble(day)}")
    out.print(_rate_line(rate))


def _json(found: list[Day]) -> list[dict[str, object]]:
    return [
        {
            "date": day.date.isoformat(),
            "due": day.due,
            "seconds": round(day.seconds, 3),
            "allowed": day.allowed,
            "fits": day.fits,
            "hours": {f"{at:%Y-%m-%dT%H:%MZ}": number for at, number in day.hours.items()},
        }
        for day in found
    ]


def _trouble(day: Day) -> str:
    if day.fits:
        return ""
    if day.allowed is not None and day.due > day.allowed:
        return f"; does not fit: the warm-up allows {day.allowed}"
    return "; does not fit: the last digests would be old news"


def _rate_line(rate: Rate) -> str:
    shown = f"{rate.per_second:g} messages per second"
    return {
        "set": f"at {shown}, as NEWSLETTER_RATE sets it",
        "measured": f"at {rate.per_second:.1f} messages per second, as in the last edition",
        "assumed": f"at {shown}, which is assumed: nothing is set or measured yet",
    }[rate.source]
