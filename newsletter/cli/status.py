"""`newsletter status`: where things stand, before, during and after an edition."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlmodel import func, select

from newsletter.cli.common import DateOption, JsonOption, open_database, print_json, today
from newsletter.cli.say import say
from newsletter.core.database import read_scope, utc_now
from newsletter.core.models import DeliveryStatus, Edition, SubscriberStatus
from newsletter.core.one_line import shortened
from newsletter.editions import broadcasts, schedule
from newsletter.editions import report as reports
from newsletter.editions.advice import advice
from newsletter.editions.advice import people as count_people
from newsletter.papers.coverage import FEEDS, read_on
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
        people = count_people(session)
        sent = broadcasts.shown(session, wanted - SHOWN)
        read = read_on(session, wanted)
        turn = schedule.next_turn(session, utc_now())
    missed = report.missed if report else 0
    lines = advice(wanted, edition, missed=missed, sources=sources, people=people)
    if as_json:
        shown = _as_json(report)
        latest_edition = latest.isoformat() if latest else None
        print_json(
            {
                **shown,
                "latest_edition": latest_edition,
                "sources": sources,
                "subscribers": people,
                "broadcasts": sent,
                "read_on_date": read,
                "open_sign_ups": people[SubscriberStatus.PENDING],
                "next": {"at": turn[0].isoformat(), "readers": turn[1]} if turn else None,
                "advice": lines,
            }
        )
        return
    if report is None:
        earlier = f"; the latest is of {latest}" if latest else ""
        say(f"no edition of {wanted} yet{earlier}")
    else:
        _print_edition(report)
    for each in sent:
        counts = ", ".join(f"{number} {name}" for name, number in each["counts"].items() if number)
        subject = shortened(each["subject"], 60)
        say(f"  broadcast {each['broadcast']} of {each['date']} “{subject}”: {each['status']}")
        say(
            f"    {counts or 'no message yet'}" + (f"; paused: {each['note']}" * bool(each["note"]))
        )
    _print_sources(sources)
    if read["runs"]:
        runs = "1 run" if read["runs"] == 1 else f"{read['runs']} runs"
        say(
            f"  {runs} on {wanted}: {read['new']} new, {read['revised']} revised, "
            f"{read['known']} known, {read['failed']} failed"
        )
    counted = ", ".join(f"{number} {name}" for name, number in people.items() if number)
    say(f"  subscribers: {counted or 'none'}")
    if turn:
        readers = "1 reader" if turn[1] == 1 else f"{turn[1]} readers"
        say(f"  next: {turn[0]:%Y-%m-%d %H:%M} UTC, {readers} due")
    for line in lines:
        say(f"  {line}")


def _as_json(report: reports.Report | None) -> dict[str, Any]:
    if report is None:
        counts = {status.value: 0 for status in ledger.COUNTED}
        return {"edition": None, "status": None, "prepared": 0, "counts": counts}
    shown = reports.as_dict(report)
    shown["without_digest"] = len(report.without_digest)
    del shown["undelivered"]
    return shown


def _print_edition(report: reports.Report) -> None:
    say(f"edition {report.edition}: {report.status}, {reports.prepared_in_words(report)}")
    later = ", ".join(f"{number} {name}" for name, number in report.later.items() if number)
    for name, number in report.counts.items():
        if number:
            of_these = f", of which {later} later" if name == DeliveryStatus.SENT and later else ""
            say(f"{number:>6} {name}{of_these}")
    if report.without_digest:
        say(f"{len(report.without_digest):>6} due, but got no mail: `newsletter report` says why")
    for line in reports.what_came_back(report):
        say(f"  {line}")


def _print_sources(sources: Sequence[dict[str, Any]]) -> None:
    for source in sources:
        error = f": {source['error']}" if source["error"] and source["last_read"] else ""
        if source["source"] == FEEDS:  # each feed has a line of its own
            has_lines = any(each["source"].startswith("feed:") for each in sources)
            say("  feeds: see each below" if has_lines else "  feeds: none was read in two days")
            continue
        words = source["condition"].replace("_", " ")
        if not source["last_read"]:
            words = source["error"] or words
        say(
            f"  {source['source']}: {words}, {source['new']} new, {source['revised']} revised, "
            f"{source['failed']} failed{error}"
        )
