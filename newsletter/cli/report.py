"""`newsletter report`: who did not get an edition, and why."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape

from newsletter.cli.common import BroadcastOption, DateOption, open_database, print_json, today
from newsletter.cli.console import out
from newsletter.core.database import read_scope
from newsletter.editions import lifecycle, report_html
from newsletter.editions import report as reports
from newsletter.sending.ledger import OfBroadcast


class ReportFormat(StrEnum):
    """How `newsletter report` prints."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


def report(
    date: DateOption = None,
    broadcast: BroadcastOption = None,
    form: Annotated[ReportFormat, typer.Option("--format")] = ReportFormat.TEXT,
) -> None:
    """Show who did not get an edition or broadcast, and why."""
    _, engine = open_database()
    with read_scope(engine) as session:
        of: int | OfBroadcast
        if broadcast is None:
            edition = lifecycle.find(session, date or today())
            found, of = reports.edition_report(session, edition), edition.id or 0
        else:
            sent = lifecycle.find_broadcast(session, broadcast)
            found, of = reports.broadcast_report(session, sent), OfBroadcast(broadcast)
        ends = report_html.finished(session, of)
    if form is ReportFormat.HTML:
        out.file.write(report_html.as_html(found, report_html.draw(ends)))
        return
    if form is ReportFormat.JSON:
        print_json(reports.as_dict(found))
        return
    if form is ReportFormat.CSV:
        out.file.write(reports.as_csv(found))
        return
    name = f"edition {found.edition}" if broadcast is None else f"broadcast {broadcast}"
    out.print(f"{name}: {found.status}, {reports.prepared_in_words(found)}")
    if found.note:
        out.print(f"paused: {found.note}", markup=False)
    if broadcast is None:
        out.print(f"coverage: {found.coverage or 'no source was read'}")
    for line in reports.what_came_back(found):
        out.print(f"  {line}", markup=False)
    if found.missed:
        out.print(f"{found.missed} not delivered:")
    for row in found.undelivered:
        again = f", again at {row.retry_at:%H:%M} UTC" if row.retry_at else ""
        reason = f"{row.code} {row.reason}" if row.code else row.reason
        out.print(escape(f"  {row.status}: {row.email}: {reason or 'not tried yet'}{again}"))
    for email, why in found.without_digest:
        out.print(escape(f"  no mail: {email}: {why}"))
    if not found.undelivered and not found.without_digest:
        out.print("  every digest was sent" if broadcast is None else "  all were sent")
