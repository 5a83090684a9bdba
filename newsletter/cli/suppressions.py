"""`newsletter suppressions`: who gets no mail, why, and what to do about it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from newsletter.cli.common import JsonOption, open_database, print_json
from newsletter.cli.console import err, out
from newsletter.core import database
from newsletter.core.errors import UsageError
from newsletter.core.models import SuppressionReason
from newsletter.core.tokens import Signer
from newsletter.inbound.history import history
from newsletter.subscribers import suppression_list

suppression_commands = typer.Typer(help="Manage addresses that get no mail.", no_args_is_help=True)
EmailArgument = Annotated[str, typer.Argument(help="The address.")]
NoteOption = Annotated[str, typer.Option("--reason", help="Reason, in your own words.")]


@suppression_commands.command("list")
def list_suppressions(
    kind: Annotated[
        SuppressionReason | None, typer.Option("--kind", help="Only this kind.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number to list, newest first.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List suppressed addresses; without a subscriber, only a one-way hash is known."""
    _, engine = open_database()
    with database.read_scope(engine) as session:
        found = suppression_list.listing(session, reason=kind, limit=limit)
    if as_json:
        names = ("address_hash", "email", "reason", "created_at", "note")
        print_json(
            {"suppressions": [{name: getattr(row, name) for name in names} for row in found]}
        )
        return
    for row in found:
        shown = row.email or f"(no subscriber, {row.address_hash[:12]}…)"
        out.print(escape(f"{_day(row.created_at)} {row.reason:12} {shown} {row.note}".rstrip()))
    if not found:
        err.print("no suppressed addresses")


@suppression_commands.command()
def add(email: EmailArgument, reason: NoteOption) -> None:
    """Suppress an address."""
    settings, engine = open_database("secret_keys")
    with database.session_scope(engine) as session:
        is_new = suppression_list.add(session, Signer(settings.keys), email, note=reason)
    out.print(escape(f"{email}: {'suppressed' if is_new else 'was already suppressed'}"))


def parse_since(value: str) -> datetime:
    """A date or a time; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise typer.BadParameter(
            f"{value!r} is not a date or time like 2026-11-22 or 2026-11-22T06:30"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@suppression_commands.command()
def remove(
    reason: NoteOption,
    email: Annotated[str | None, typer.Argument(help="The address; or give --since.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since", parser=parse_since, metavar="TIME", help="All since this date or time, UTC."
        ),
    ] = None,
    kind: Annotated[
        SuppressionReason | None,
        typer.Option("--kind", help="With --since: only these; bounced unless told otherwise."),
    ] = None,
) -> None:
    """Let addresses get mail again; readers who left by themselves cannot be brought back."""
    settings, engine = open_database("secret_keys")
    if since is not None and email is None:
        # "--reason complained" says which ones as well.
        named = reason if reason in {each.value for each in SuppressionReason} else "bounced"
        with database.session_scope(engine) as session:
            number = suppression_list.remove_since(
                session,
                since,
                reason=kind or SuppressionReason(named),
                note=reason,
                now=database.utc_now(),
            )
        out.print(f"{number} {'address' if number == 1 else 'addresses'} no longer suppressed")
        return
    if email is None or since is not None:
        raise UsageError("name either an address or --since, and the --reason why")
    with database.session_scope(engine) as session:
        was_there = suppression_list.remove(
            session, Signer(settings.keys), email, note=reason, now=database.utc_now()
        )
    if not was_there:
        raise UsageError(f"{email} is not suppressed")
    out.print(escape(f"{email}: no longer suppressed"))


@suppression_commands.command("import")
def import_suppressions(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="One address per line, or CSV.")],
    reason: NoteOption = "",
    kind: Annotated[
        SuppressionReason, typer.Option("--kind", help="Kind of suppression.")
    ] = SuppressionReason.OPERATOR,
    as_json: JsonOption = False,
) -> None:
    """Suppress every address in a file, such as a list from another provider."""
    settings, engine = open_database("secret_keys")
    with database.session_scope(engine) as session:
        done = suppression_list.import_file(
            session, Signer(settings.keys), path, reason=kind, note=reason
        )
    if as_json:
        refused = [{"line": line, "what": what} for line, what in done.refused]
        print_json({"added": done.added, "known": done.known, "refused": refused})
        raise typer.Exit(1 if done.refused else 0)
    for line, what in done.refused:
        err.print(escape(f"{path}, line {line}: {what}"))
    out.print(
        f"{done.added} suppressed, {done.known} already suppressed, {len(done.refused)} refused"
    )
    if done.refused:
        raise typer.Exit(1)


@suppression_commands.command()
def show(email: EmailArgument, as_json: JsonOption = False) -> None:
    """Show the mail history of an address: why it does or does not get mail."""
    settings, engine = open_database("secret_keys")
    with database.read_scope(engine) as session:
        found = history(session, Signer(settings.keys), email)
    if as_json:
        entries: list[dict[str, Any]] = [
            {"at": entry.at, "what": entry.what} for entry in found.entries
        ]
        print_json(
            {
                "email": found.email,
                "gets_mail": found.gets_mail,
                "verdict": found.verdict,
                "entries": entries,
            }
        )
        return
    for entry in found.entries:
        out.print(escape(f"{entry.at:%Y-%m-%d %H:%M} {entry.what}"))
    out.print(f"[bold]{escape(found.verdict)}[/]")


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
