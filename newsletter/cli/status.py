"""`newsletter status`: the progress of an edition."""

from rich.markup import escape
from rich.table import Table

from newsletter.cli.common import DateOption, JsonOption, open_database, out, print_json, today
from newsletter.core.database import read_scope
from newsletter.core.models import DeliveryStatus
from newsletter.editions import lifecycle
from newsletter.editions import report as reports


def status(date: DateOption = None, as_json: JsonOption = False) -> None:
    """Show the progress of an edition; the counts add up to the digests prepared."""
    settings, engine = open_database()
    with read_scope(engine) as session:
        report = reports.edition_report(session, lifecycle.find(session, date or today()))
        sources = reports.sources_now(session, settings.sources)
    if as_json:
        shown = reports.as_dict(report)
        shown["without_digest"] = len(report.without_digest)
        del shown["undelivered"]
        print_json({**shown, "sources": sources})
        return
    out.print(f"edition {report.edition}: {report.status}, {report.prepared} prepared")
    if report.note:
        out.print(f"  paused: {report.note}", markup=False)
    table = Table(show_header=False, box=None, pad_edge=False)
    later = ", ".join(f"{number} {name}" for name, number in report.later.items() if number)
    for name, number in report.counts.items():
        if number:
            of_these = f", of which {later} later" if name == DeliveryStatus.SENT and later else ""
            table.add_row(f"  {number}", name + of_these)
    if report.without_digest:
        table.add_row(f"  {len(report.without_digest)}", "due, but no papers")
    out.print(table)
    for line in reports.what_came_back(report):
        out.print(f"  {line}", markup=False)
    for source in sources:
        error = f": {source['error']}" if source["error"] and source["last_read"] else ""
        words = source["condition"].replace("_", " ")
        if source["condition"] == "failed" and not source["last_read"]:
            words = source["error"]
        out.print(
            escape(
                f"  {source['source']}: {words}, {source['new']} new, {source['revised']} revised, "
                f"{source['failed']} failed{error}"
            )
        )
