"""`newsletter operator-link`: a link that opens the operator's pages, once."""

from typing import Annotated

import typer

from newsletter.cli.common import JsonOption, open_database, print_json
from newsletter.cli.say import say
from newsletter.core import operator_sessions
from newsletter.core.database import session_scope, utc_now
from newsletter.core.tokens import Signer


def operator_link(
    hours: Annotated[
        int,
        typer.Option(
            min=1, max=operator_sessions.MOST_HOURS, help="How long the browser stays signed in."
        ),
    ] = 8,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Sign every browser out and end every link instead.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print a link that opens the operator's pages; it works once, within 15 minutes."""
    settings, engine = open_database("secret_keys")
    now = utc_now()
    if revoke:
        with session_scope(engine) as session:
            ended = operator_sessions.revoke(session, now)
        if as_json:
            print_json({"revoked": ended})
            return
        say(f"{ended} open {'session or link' if ended == 1 else 'sessions and links'} ended")
        return
    with session_scope(engine) as session:
        token = operator_sessions.new_link(session, Signer(settings.keys), hours=hours, now=now)
    link = f"{settings.base_url}/operator/open/{token}"
    until = now + operator_sessions.LINK_LIFETIME
    if as_json:
        print_json({"link": link, "link_until": until.isoformat(), "hours": hours})
        return
    say(link)
    signed_in = "1 hour" if hours == 1 else f"{hours} hours"
    say(
        f"works once, until {until:%H:%M} UTC, and signs that browser in for {signed_in}; "
        "`newsletter serve` must be running",
        err=True,
    )
