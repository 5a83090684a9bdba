"""`newsletter prune`: old rows out; what later days need stays."""

from dataclasses import asdict
from typing import Annotated

import typer

from newsletter.cli.common import JsonOption, open_database, print_json
from newsletter.cli.say import say
from newsletter.core.database import read_scope, utc_now
from newsletter.editions import prune as pruning


def prune(
    keep_days: Annotated[
        int,
        typer.Option("--keep-days", min=1, max=36_500, help="Days whose rows stay as they are."),
    ] = pruning.KEEP_DAYS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go; change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove the words of old digests, old events, kept mails and logs of fetches."""
    _, engine = open_database()
    now = utc_now()
    if dry_run:
        with read_scope(engine) as session:
            gone = pruning.outlook(session, now, keep_days=keep_days)
    else:
        gone = pruning.prune(engine, now, keep_days=keep_days)
    if as_json:
        print_json({"keep_days": keep_days, "dry_run": dry_run, **asdict(gone)})
        return
    counted = ", ".join(
        f"{number} {name.replace('_', ' ')}" for name, number in asdict(gone).items() if number
    )
    verb = "would remove" if dry_run else "removed"
    say(f"{verb} what is older than {keep_days} days: {counted or 'nothing'}")
