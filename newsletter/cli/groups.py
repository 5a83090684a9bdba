"""`newsletter groups`: readers who share one list of interests."""

from typing import Annotated

import typer
from rich.markup import escape

from newsletter.cli.common import JsonOption, open_database, print_json
from newsletter.cli.console import err, out
from newsletter.core.database import read_scope, session_scope
from newsletter.subscribers import groups

group_commands = typer.Typer(
    help="Manage groups of readers who share one list of interests.", no_args_is_help=True
)
NameArgument = Annotated[str, typer.Argument(help="Name of the group.")]
EmailArgument = Annotated[str, typer.Argument(help="A subscriber's address.")]


@group_commands.command()
def create(
    name: NameArgument,
    keeper: Annotated[
        str, typer.Option("--keeper", help="Whose topics are the group's, and who changes them.")
    ],
) -> None:
    """Create a group; its members get digests by its keeper's topics."""
    _, engine = open_database()
    with session_scope(engine) as session:
        groups.create(session, name, keeper)
    out.print(escape(f"{name}: created, kept by {keeper}"))


@group_commands.command()
def add(
    name: NameArgument,
    emails: Annotated[list[str], typer.Argument(help="Subscribers' addresses.")],
) -> None:
    """Add subscribers to a group; all or none."""
    _, engine = open_database()
    with session_scope(engine) as session:
        for email in emails:
            groups.add(session, name, email)
    out.print(escape(f"{name}: {len(emails)} added"))


@group_commands.command()
def remove(email: EmailArgument) -> None:
    """Take a subscriber out of their group; they stay a subscriber, with their own topics."""
    _, engine = open_database()
    with session_scope(engine) as session:
        name = groups.remove(session, email)
        is_left = any(group.name == name for group in groups.listing(session))
    ended = "" if is_left else "; nobody is left, so the group has ended"
    out.print(escape(f"{name}: {email} removed{ended}"))


@group_commands.command()
def keeper(name: NameArgument, email: EmailArgument) -> None:
    """Make another member the keeper; the group's topics replace their own."""
    _, engine = open_database()
    with session_scope(engine) as session:
        groups.set_keeper(session, name, email)
    out.print(escape(f"{name}: kept by {email}"))


@group_commands.command()
def delete(name: NameArgument) -> None:
    """End a group; its members stay subscribers, with their own topics."""
    _, engine = open_database()
    with session_scope(engine) as session:
        count = groups.disband(session, name)
    out.print(escape(f"{name}: deleted; its members ({count}) have their own topics again"))


@group_commands.command("list")
def list_all(as_json: JsonOption = False) -> None:
    """List groups with their members, the keeper first."""
    _, engine = open_database()
    with read_scope(engine) as session:
        found = groups.listing(session)
    if as_json:
        print_json(
            {
                "groups": [
                    {
                        "name": each.name,
                        "keeper": each.members[0],
                        "members": list(each.members),
                    }
                    for each in found
                ]
            }
        )
        return
    for each in found:
        out.print(escape(f"{each.name}: {', '.join(each.members)}"))
    if not found:
        err.print("no groups")
