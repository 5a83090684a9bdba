"""`newsletter status` and `newsletter report`: how far an edition is, and who did not get it."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from newsletter.cli.common import DateOption, JsonOption, open_database, out, print_json, today
from newsletter.core.database import read_scope
from newsletter.core.models import DeliveryStatus
from newsletter.editions import lifecycle, report_html
from newsletter.editions import report as reports


class ReportFormat(StrEnum):
    """How `newsletter report` prints."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


def status(date: DateOption = None, as_json: JsonOption = False) -> None:
    """How far an edition is; the counts add up to what was prepared."""
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
    table = Table(show_header=False, box=None, pad_edge=False)
    later = ", ".join(f"{number} {name}" for name, number in report.later.items() if number)
    for name, number in report.counts.items():
        if number:
            of_these = f", of which {later} later" if name == DeliveryStatus.SENT and later else ""
            table.add_row(f"  {number}", name + of_these)
    if report.without_digest:
        table.add_row(f"  {len(report.without_digest)}", "due, with nothing to get")
    out.print(table)
    _print_what_came_back(report)
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


def _print_what_came_back(report: reports.Report) -> None:
    for line in reports.what_came_back(report):
        out.print(f"  {line}", markup=False)


def report(
    date: DateOption = None,
    form: Annotated[ReportFormat, typer.Option("--format")] = ReportFormat.TEXT,
) -> None:
    """Who did not get an edition, and why."""
    _, engine = open_database()
    with read_scope(engine) as session:
        edition = lifecycle.find(session, date or today())
        found = reports.edition_report(session, edition)
        ends = report_html.finished(session, edition.id or 0)
    if form is ReportFormat.HTML:
        out.file.write(report_html.as_html(found, report_html.draw(ends)))
        return
    if form is ReportFormat.JSON:
        print_json(reports.as_dict(found))
        return
    if form is ReportFormat.CSV:
        out.file.write(reports.as_csv(found))
        return
    out.print(f"edition {found.edition}: {found.status}, {found.prepared} prepared")
    if found.note:
        out.print(f"paused: {found.note}", markup=False)
    out.print(f"read: {found.coverage or 'nothing was fetched for it'}")
    _print_what_came_back(found)
    for row in found.undelivered:
        again = f", again at {row.retry_at:%H:%M} UTC" if row.retry_at else ""
        reason = f"{row.code} {row.reason}" if row.code else row.reason
        out.print(escape(f"  {row.status}: {row.email}: {reason or 'not tried yet'}{again}"))
    for email, why in found.without_digest:
        out.print(escape(f"  no digest: {email}: {why}"))
    if not found.undelivered and not found.without_digest:
        out.print("  everybody got it")
