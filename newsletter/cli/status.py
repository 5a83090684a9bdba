"""`newsletter status`: where things stand, before, during and after an edition."""

from collections.abc import Sequence
from datetime import date as Date  # noqa: N812  (`date` is the option's name here)
from datetime import timedelta
from typing import Any

from sqlmodel import Session, func, select

from newsletter.cli.common import DateOption, JsonOption, open_database, print_json, today
from newsletter.cli.say import say
from newsletter.core.database import read_scope
from newsletter.core.models import (
    DeliveryStatus,
    Edition,
    EditionStatus,
    Subscriber,
    SubscriberStatus,
)
from newsletter.core.one_line import shortened
from newsletter.editions import report as reports
from newsletter.editions.broadcasts import latest
from newsletter.sending import ledger

# Broadcasts of this long ago are still shown.
SHOWN = timedelta(days=4)


def status(date: DateOption = None, as_json: JsonOption = False) -> None:
    """Show the progress of an edition; the counts add up to the digests prepared."""
    settings, engine = open_database()
    wanted = date or today()
    with read_scope(engine) as session:
        edition = session.exec(select(Edition).where(Edition.issue_date == wanted)).first()
        report = None if edition is None else reports.edition_report(session, edition)
        latest = session.exec(select(func.max(Edition.issue_date))).one()
        sources = reports.sources_now(session, settings.sources)
        people = _people(session)
        broadcasts = _broadcasts(session, wanted)
    advice = _advice(wanted, report, sources, people)
    if as_json:
        shown = _as_json(report)
        latest_edition = latest.isoformat() if latest else None
        print_json(
            {
                **shown,
                "latest_edition": latest_edition,
                "sources": sources,
                "subscribers": people,
                "broadcasts": broadcasts,
                "advice": advice,
            }
        )
        return
    if report is None:
        earlier = f"; the latest is of {latest}" if latest else ""
        say(f"no edition of {wanted} yet{earlier}")
    else:
        _print_edition(report)
    for each in broadcasts:
        counts = ", ".join(f"{number} {name}" for name, number in each["counts"].items() if number)
        subject = shortened(each["subject"], 60)
        say(f"  broadcast {each['broadcast']} of {each['date']} “{subject}”: {each['status']}")
        say(
            f"    {counts or 'no message yet'}" + (f"; paused: {each['note']}" * bool(each["note"]))
        )
    _print_sources(sources)
    counted = ", ".join(f"{number} {name}" for name, number in people.items() if number)
    say(f"  subscribers: {counted or 'none'}")
    for line in advice:
        say(f"  {line}")


def _as_json(report: reports.Report | None) -> dict[str, Any]:
    if report is None:
        counts = {status.value: 0 for status in ledger.COUNTED}
        return {"edition": None, "status": None, "prepared": 0, "counts": counts}
    shown = reports.as_dict(report)
    shown["without_digest"] = len(report.without_digest)
    del shown["undelivered"]
    return shown


def _broadcasts(session: Session, wanted: Date) -> list[dict[str, Any]]:
    """Broadcasts of the four days before, and those that are still open."""
    return [
        {
            "broadcast": each.id,
            "date": each.issue_date.isoformat(),
            "subject": each.subject,
            "status": each.status.value,
            "note": each.note,
            "prepared": sum(counts.values()),
            "counts": {status.value: number for status, number in counts.items()},
        }
        for each in latest(session, wanted - SHOWN)
        for counts in [ledger.counts(session, ledger.OfBroadcast(each.id or 0))]
    ]


def _people(session: Session) -> dict[str, int]:
    """How many subscribers are in each state."""
    rows = session.exec(select(Subscriber.status, func.count()).group_by(Subscriber.status))
    found = dict(rows.all())
    return {status.value: found.get(status, 0) for status in SubscriberStatus}


def _advice(
    wanted: Date,
    report: reports.Report | None,
    sources: Sequence[dict[str, Any]],
    people: dict[str, int],
) -> list[str]:
    """What is wrong or open, each with the command that helps."""
    lines = []
    failed = [source["source"] for source in sources if source["condition"] == "failed"]
    if failed:
        lines.append(f"not read: {', '.join(failed)}: run `newsletter ingest {' '.join(failed)}`")
    if not people[SubscriberStatus.ACTIVE]:
        lines.append("no active subscribers: run `newsletter subscribers add` or `import`")
    if people[SubscriberStatus.PENDING]:
        lines.append(
            f"{people[SubscriberStatus.PENDING]} have not confirmed yet: "
            "run `newsletter subscribers invite`"
        )
    if report is None:
        lines.append(f"to see what would go out: `newsletter send --date {wanted} --dry-run`")
        return lines
    if report.status == EditionStatus.PAUSED:
        why = f" ({report.note})" if report.note else ""
        lines.append(f"paused{why}: `newsletter send --date {wanted}` resumes it")
    if report.missed:
        lines.append(f"{report.missed} not delivered: `newsletter report --date {wanted}` says why")
    return lines


def _print_edition(report: reports.Report) -> None:
    say(f"edition {report.edition}: {report.status}, {report.prepared} prepared")
    later = ", ".join(f"{number} {name}" for name, number in report.later.items() if number)
    for name, number in report.counts.items():
        if number:
            of_these = f", of which {later} later" if name == DeliveryStatus.SENT and later else ""
            say(f"{number:>6} {name}{of_these}")
    if report.without_digest:
        say(f"{len(report.without_digest):>6} due, but no papers")
    for line in reports.what_came_back(report):
        say(f"  {line}")


def _print_sources(sources: Sequence[dict[str, Any]]) -> None:
    for source in sources:
        error = f": {source['error']}" if source["error"] and source["last_read"] else ""
        words = source["condition"].replace("_", " ")
        if source["condition"] == "failed" and not source["last_read"]:
            words = source["error"]
        say(
            f"  {source['source']}: {words}, {source['new']} new, {source['revised']} revised, "
            f"{source['failed']} failed{error}"
        )
