"""`newsletter subscribers`: add, import, export, list, show, erase."""

import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from sqlmodel import col, func, select

from newsletter.cli import subscriber_changes
from newsletter.cli.common import JsonOption, as_options, open_database, print_json
from newsletter.cli.console import err, out
from newsletter.cli.progress import progress_bar
from newsletter.cli.say import say
from newsletter.cli.subscriber_view import describe, required, row_of
from newsletter.core import database
from newsletter.core.csv_cells import split_list
from newsletter.core.errors import UsageError
from newsletter.core.models import Cadence, Subscriber, SubscriberStatus, Topic
from newsletter.core.secrets import create_private
from newsletter.core.tokens import Signer
from newsletter.editions import schedule
from newsletter.messages.wording import count_in_words
from newsletter.subscribers import accounts, transactional
from newsletter.subscribers.bulk_import import import_csv
from newsletter.subscribers.bulk_update import UpdateReport, update_csv
from newsletter.subscribers.csv_reading import LIST_COLUMNS, PREFERENCE_COLUMNS, Remark
from newsletter.subscribers.csv_writing import export_rows, write_csv
from newsletter.subscribers.doubts import doubts_about
from newsletter.subscribers.validation import WEEKDAYS, Preferences, TypedTopic

# More lines than a screen holds help nobody; `--json` prints every one.
SHOWN_REMARKS = 20

subscriber_commands = typer.Typer(help="Manage subscribers.", no_args_is_help=True)
EmailArgument = Annotated[str, typer.Argument(help="The subscriber's address.")]
subscriber_commands.command("set")(subscriber_changes.set_values)
subscriber_commands.command()(subscriber_changes.unsubscribe)
subscriber_commands.command()(subscriber_changes.rename)

ConfirmedOption = Annotated[
    bool, typer.Option("--confirmed", help="They gave consent elsewhere; records that.")
]


@subscriber_commands.command()
def add(
    context: typer.Context,
    email: EmailArgument,
    name: Annotated[str, typer.Option(help="Name used in the greeting.")] = "",
    topic: Annotated[str, typer.Option(help="Topic name.")] = "",
    text: Annotated[str, typer.Option(help="Interests in a sentence or two.")] = "",
    keywords: Annotated[str, typer.Option(help="Separated by ;")] = "",
    categories: Annotated[str, typer.Option(help="Separated by ; as in cs.CL;stat.ML")] = "",
    authors: Annotated[str, typer.Option(help="Separated by ;")] = "",
    seed_papers: Annotated[str, typer.Option(help="arXiv ids or DOIs, separated by ;")] = "",
    mutes: Annotated[str, typer.Option(help="Words to exclude, separated by ;")] = "",
    cadence: Annotated[str, typer.Option(help="daily, weekdays or weekly")] = "",
    weekday: Annotated[str, typer.Option(help="Day of the weekly digest.")] = "",
    timezone: Annotated[str, typer.Option(help="For example Europe/Berlin")] = "",
    send_hour: Annotated[str, typer.Option(help="0 to 23, in their time zone.")] = "",
    max_papers: Annotated[str, typer.Option(help="Maximum papers per digest, 1 to 50")] = "",
    min_score: Annotated[str, typer.Option(help="Minimum match, 0 to 100")] = "",
    confirmed: ConfirmedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add one subscriber, with one topic."""
    settings, engine = open_database("secret_keys")
    typed = context.params  # the options above, by name
    lists = {column: typed[column].split(";") for column in LIST_COLUMNS}
    with as_options(context):
        request = TypedTopic.read({"name": topic, "text": text, **lists})
        wanted = Preferences.read(
            {field: typed.get(column) for column, field in PREFERENCE_COLUMNS.items()}
        )
    with database.session_scope(engine) as session:
        added = accounts.add(
            session,
            Signer(settings.keys),
            email=email,
            name=name,
            preferences=wanted,
            topics=[request],
            confirmed=confirmed,
            source="command line",
        )
        described = describe(session, added)
    warnings = doubts_about(request)
    if as_json:
        print_json({"subscriber": described, "warnings": warnings})
        return
    for warning in warnings:
        err.print(f"warning: {warning}", markup=False)
    state = "active" if confirmed else "pending: run `newsletter subscribers invite`"
    out.print(f"{escape(added.email)} added ({state})")


@subscriber_commands.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV with a header line.")],
    confirmed: ConfirmedOption = False,
    update: Annotated[
        bool, typer.Option("--update", help="Change subscribers who are known; add nobody.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --update: show each change and make none.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add subscribers from a CSV file; people who unsubscribed are never added back.

    Columns: email, name, cadence, weekday, timezone, send_hour, max_papers, topic, text,
    keywords, categories, authors, seed_papers, mutes. All but the first are optional. Separate
    lists with semicolons. Several lines with one email and different topics make several topics.
    With --update a blank cell leaves what is there.
    """
    if dry_run and not update:
        raise UsageError("--dry-run goes with --update")
    if update and confirmed:
        raise UsageError("--update changes nobody's consent: leave --confirmed out")
    settings, engine = open_database("secret_keys")
    signer = Signer(settings.keys)
    if update:
        raise typer.Exit(
            _update(update_csv(engine, signer, file, dry_run=dry_run), dry_run, as_json)
        )
    with progress_bar("importing subscribers") as progress:
        report = import_csv(engine, signer, file, confirmed=confirmed, progress=progress)
    if as_json:
        print_json(asdict(report))
        raise typer.Exit(1 if report.refused else 0)
    state = "active" if confirmed else "pending: run `newsletter subscribers invite`"
    out.print(
        f"{escape(report.file)}: {count_in_words(report.added, 'subscriber')} added ({state}), "
        f"{count_in_words(report.topics_added, 'topic')} added, "
        f"{count_in_words(report.confirmed, 'pending subscriber')} activated, "
        f"{count_in_words(len(report.unchanged), 'line')} already known, "
        f"{count_in_words(len(report.refused), 'line')} refused"
    )
    _print_remarks("warning", report.warnings)
    _print_remarks("known", report.unchanged)
    _print_remarks("refused", report.refused)
    if report.refused:
        raise typer.Exit(1)


def _update(report: UpdateReport, dry_run: bool, as_json: bool) -> int:
    """Print what an update did; returns the exit code."""
    code = 1 if report.refused else 0
    if as_json:
        print_json({"dry_run": dry_run, **asdict(report)})
        return code
    for change in report.changed:
        place = f"{change.topic}: {change.column}" if change.topic else change.column
        old, new = change.old or "(none)", change.new or "(none)"
        out.print(f"line {change.line}: {change.email}: {place}: {old} → {new}", markup=False)
    done = "would change" if dry_run else "changed"
    out.print(
        f"{report.file}: {count_in_words(len(report.changed), 'value')} {done}, "
        f"{count_in_words(len(report.unchanged), 'line')} already so, "
        f"{count_in_words(len(report.refused), 'line')} refused"
        + "; nothing was changed"
        * dry_run,
        markup=False,
    )
    _print_remarks("warning", report.warnings)
    _print_remarks("refused", report.refused)
    return code


def _print_remarks(title: str, remarks: list[Remark]) -> None:
    for remark in remarks[:SHOWN_REMARKS]:
        email = "" if remark.email in remark.reason else f"{remark.email} "
        err.print(escape(f"  {title}: line {remark.line}: {email}{remark.reason}"))
    if len(remarks) > SHOWN_REMARKS:
        err.print(f"  … and {len(remarks) - SHOWN_REMARKS} more {title} (--json lists every one)")


@subscriber_commands.command()
def invite(
    email: Annotated[str | None, typer.Argument(help="Invite this subscriber only.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Queue a confirmation mail for each pending subscriber; the next `newsletter send` sends it.

    Nobody is asked twice within a day.
    """
    settings, engine = open_database("from_address", "secret_keys")
    with database.session_scope(engine) as session:
        address = None if email is None else required(session, email).email
        queued, pending = transactional.invite(
            session, email=address, message_domain=settings.from_domain
        )
    if as_json:
        print_json({"queued": queued, "pending": pending})
        return
    if not pending:
        out.print("no subscriber is pending")
        return
    asked = f", {pending - queued} were already asked within a day" if pending > queued else ""
    out.print(f"{queued} of {pending} pending: confirmations queued{asked}")


@subscriber_commands.command("export")
def export_file(
    output: Annotated[
        Path | None, typer.Option(help="File to write (default: standard output).")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="Only this subscriber's lines.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export all subscribers as CSV, one line per topic, in the format that `import` reads."""
    _, engine = open_database()
    with database.read_scope(engine) as session:
        rows = export_rows(session, required(session, profile).email if profile else "")
        if as_json:
            print_json({"subscribers": [_with_lists(row) for row in rows]})
            return
        try:
            if output:
                create_private(output)
            opened = output.open("w", encoding="utf-8", newline="") if output else None
        except OSError as error:
            raise UsageError(f"cannot write {output}: {error.strerror}") from error
        with opened or nullcontext(sys.stdout) as file:
            count = write_csv(rows, file)
    if output:
        out.print(f"{count} lines written to {escape(str(output))}")


def _with_lists(row: dict[str, str]) -> dict[str, Any]:
    return {
        name: (split_list(cell) if name in LIST_COLUMNS else cell) for name, cell in row.items()
    }


_LISTED = ("address", "name", "status", "cadence", "hour", "since")


@subscriber_commands.command("list")
def list_all(
    status: Annotated[SubscriberStatus | None, typer.Option(help="Only in this state.")] = None,
    cadence: Annotated[Cadence | None, typer.Option(help="Only with this cadence.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only with a topic of this name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List subscribers by address."""
    _, engine = open_database()
    query = select(Subscriber).order_by(col(Subscriber.email))
    filters: dict[str, str] = {}
    if status:
        query, filters["status"] = query.where(Subscriber.status == status), status.value
    if cadence:
        query, filters["cadence"] = query.where(Subscriber.cadence == cadence), cadence.value
    if topic is not None:
        named = select(Topic.subscriber_id).where(
            func.lower(col(Topic.name)) == topic.strip().lower()
        )
        query, filters["topic"] = query.where(col(Subscriber.id).in_(named)), topic
    with database.read_scope(engine) as session:
        found = session.exec(query).all()
        total = session.exec(select(func.count()).select_from(Subscriber)).one()
    if as_json:
        print_json(
            {
                "subscribers": [row_of(subscriber) for subscriber in found],
                "filters": filters,
                "of": total,
            }
        )
        return
    rows = [
        (
            subscriber.email,
            subscriber.name,
            subscriber.status.value,
            subscriber.cadence.value,
            f"{subscriber.send_hour}:00 {subscriber.time_zone}",
            f"{subscriber.created_at:%Y-%m-%d}",
        )
        for subscriber in found
    ]
    if not total:
        out.print("no subscribers yet: run `newsletter subscribers add` or `import`")
        return
    if rows and out.is_terminal:
        table = Table(*_LISTED, box=None)
        for row in rows:
            table.add_row(*map(escape, row))
        out.print(table)
    elif rows:  # a line each, for other programs, which do not read the names of the columns
        say("\t".join(_LISTED), err=True)
        for row in rows:
            say("\t".join(row))
    if filters:
        shown = ", ".join(f"{name} {value}" for name, value in filters.items())
        err.print(f"{len(rows)} of {total} subscribers: only {shown}", markup=False)


@subscriber_commands.command()
def show(email: EmailArgument, as_json: JsonOption = False) -> None:
    """Show everything kept about one subscriber."""
    _, engine = open_database()
    with database.read_scope(engine) as session:
        subscriber = required(session, email)
        described = describe(session, subscriber)
        at = schedule.next_digest(subscriber, database.utc_now())
        described["next_digest"] = at.isoformat() if at else None
    if as_json:
        print_json({"subscriber": described})
        return
    topics = described.pop("topics")
    deliveries = described.pop("deliveries")
    described["weekday"] = WEEKDAYS[subscriber.weekday]
    described["next_digest"] = f"{at:%Y-%m-%d %H:%M} UTC" if at else "none while not active"
    for key, value in described.items():
        out.print(f"{key + ': ':<18}{escape(_in_words(value))}")
    for topic in topics:
        out.print(f"{'topic:':<18}{escape(topic.pop('name'))}")
        for key, value in topic.items():
            shown = ", ".join(value) if isinstance(value, list) else str(value)
            if value:
                out.print(f"{'':<18}{key}: {escape(shown)}")
    counted = ", ".join(f"{count} {status}" for status, count in deliveries.items())
    out.print(f"{'deliveries:':<18}{counted or 'none'}")


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


@subscriber_commands.command()
def erase(
    email: EmailArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a subscriber and all their data, except a one-way hash of the address.

    The hash prevents a later import from adding the address again.
    """
    _, engine = open_database()
    with database.read_scope(engine) as session:
        subscriber = required(session, email)
    if not yes and not as_json:
        typer.confirm(f"Erase {subscriber.email} for good?", abort=True, err=True)
    with database.session_scope(engine) as session:
        accounts.erase(session, subscriber.public_id)
    if as_json:
        print_json({"email": subscriber.email, "erased": True})
        return
    out.print(f"{escape(subscriber.email)} erased; a later import of this address will be refused")
