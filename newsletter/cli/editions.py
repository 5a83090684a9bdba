"""Commands around an edition: prepare, preview, status, report, retry, pause, cancel."""

from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from newsletter.cli.common import err, open_database, out, print_json, progress_bar
from newsletter.core.config import Settings
from newsletter.core.database import read_scope, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.models import DeliveryStatus
from newsletter.core.tokens import Signer
from newsletter.editions import lifecycle, report_html
from newsletter.editions import preview as previews
from newsletter.editions import report as reports
from newsletter.messages.lint import check_message
from newsletter.messages.renderer import Renderer


class ReportFormat(StrEnum):
    """How `newsletter report` prints."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


def parse_date(value: str) -> date:
    """A date from the command line."""
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007  (a date has no zone)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is not a date like 2026-11-22") from error


DateOption = Annotated[
    date | None,
    typer.Option("--date", parser=parse_date, metavar="YYYY-MM-DD", help="Default: today, UTC."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def today() -> date:
    """The date of the edition that commands mean unless told otherwise."""
    return utc_now().date()


def make_renderer(settings: Settings) -> Renderer:
    """The renderer for these settings.

    Raises:
        SettingsError: a needed setting is missing.
    """
    return Renderer(settings, Signer(settings.keys))


def prepare(date: DateOption = None) -> None:
    """Rank the papers for everyone who is due, and freeze the edition."""
    settings, engine = open_database("from_address")
    with progress_bar("preparing digests") as progress:
        done = lifecycle.prepare(
            engine,
            date or today(),
            message_domain=settings.from_domain,
            sources=settings.sources,
            model=settings.feature_model,
            progress=progress,
        )
    out.print(
        f"edition {date or today()}: {done.new} digests prepared, "
        f"{done.nothing} subscribers with nothing to get, {done.due} due"
    )


def preview(
    email: Annotated[str, typer.Argument(help="The subscriber's address.")],
    date: DateOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to F.html or F.eml; else print text.")
    ] = None,
) -> None:
    """Look at one subscriber's digest; nothing is sent."""
    settings, engine = open_database("from_address", "secret_keys")
    digest = previews.preview(engine, email, date or today(), settings.feature_model)
    renderer = make_renderer(settings)
    message = renderer.digest(digest).data
    if output is None:
        out.print(escape(renderer.parts(digest).text))
    elif output.suffix == ".html":
        _write(output, renderer.parts(digest).html.encode(), "a browser")
    elif output.suffix == ".eml":
        _write(output, message, "a mail program")
    else:
        raise UsageError(f"--output {output}: the name must end in .html or .eml")
    err.print(
        escape(
            f"{len(digest.papers)} papers, {len(message) / 1024:.0f} KB; subject: {digest.subject}"
        )
    )
    for check in check_message(message, spam=output is not None):
        mark = {True: "good", False: "not good", None: "unknown"}[check.passed]
        err.print(escape(f"  {mark}: {check.name}: {check.found}"))


def _write(path: Path, content: bytes, program: str) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"--output {path}: {error.strerror}") from error
    err.print(escape(f"written to {path}: open it in {program}"))


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
    if report.note:
        out.print(f"  paused: {report.note}", markup=False)
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


def retry(
    date: DateOption = None,
    wanted: Annotated[
        list[DeliveryStatus] | None,
        typer.Option("--status", help="Which ones; may be given more than once."),
    ] = None,
) -> None:
    """Queue again what failed, expired or is uncertain; then run `newsletter send`."""
    again = wanted or [
        DeliveryStatus.FAILED,
        DeliveryStatus.EXPIRED,
        DeliveryStatus.DEFERRED,
        DeliveryStatus.UNCERTAIN,
    ]
    allowed = {
        DeliveryStatus.FAILED,
        DeliveryStatus.EXPIRED,
        DeliveryStatus.DEFERRED,
        DeliveryStatus.UNCERTAIN,
    }
    refused = [status.value for status in again if status not in allowed]
    if refused:
        raise UsageError(
            f"--status {refused[0]}: only {', '.join(sorted(allowed))} can be tried again"
        )
    _, engine = open_database()
    number = lifecycle.retry(engine, date or today(), again)
    queued = "1 delivery" if number == 1 else f"{number} deliveries"
    out.print(
        f"{queued} queued again: run `newsletter send` to try them (who left, or is suppressed, "
        "gets nothing)"
    )


def pause(date: DateOption = None) -> None:
    """Stop an edition from going out, in every process; `newsletter send` goes on."""
    _, engine = open_database()
    lifecycle.pause(engine, date or today())
    out.print("paused: messages in flight finish, no other begins")


def cancel(date: DateOption = None) -> None:
    """End an edition for good; what was not sent is not sent."""
    _, engine = open_database()
    number = lifecycle.cancel(engine, date or today())
    out.print(f"cancelled: {number} {'delivery' if number == 1 else 'deliveries'} will not be made")
