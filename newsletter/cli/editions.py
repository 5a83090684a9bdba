"""Commands that change an edition or broadcast as a whole: retry, pause, cancel."""

from datetime import date as Date  # noqa: N812  (`date` is the option's name here)
from typing import Annotated

import typer

from newsletter.cli.common import BroadcastOption, DateOption, open_database, today
from newsletter.cli.console import out
from newsletter.core.errors import UsageError
from newsletter.core.models import DeliveryStatus
from newsletter.editions import lifecycle
from newsletter.messages.wording import count_in_words
from newsletter.sending.ledger import OfBroadcast


def retry(
    date: DateOption = None,
    broadcast: BroadcastOption = None,
    wanted: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            help="failed, expired, deferred or uncertain; may be repeated. Default: all of them.",
        ),
    ] = None,
) -> None:
    """Queue failed, expired, deferred or uncertain deliveries again, for `newsletter send`."""
    refused = [status for status in wanted or () if status not in lifecycle.RETRYABLE]
    if refused:
        raise UsageError(
            f"--status {refused[0]}: only {', '.join(sorted(lifecycle.RETRYABLE))} can be retried"
        )
    again = [DeliveryStatus(status) for status in wanted or ()] or lifecycle.RETRYABLE
    _, engine = open_database()
    number = lifecycle.retry(engine, _which(date, broadcast), again)
    if not number:
        *most, last = again
        states = f"{', '.join(most)} or {last}" if most else last
        out.print(f"nothing to retry: no delivery is {states}")
        return
    queued = "1 delivery" if number == 1 else f"{number} deliveries"
    wanted_date = "" if date is None else f" --date {date}"
    command = f"send{wanted_date}" if broadcast is None else "send --due"
    out.print(
        f"{queued} queued again: run `newsletter {command}` to try them (skips subscribers who "
        "left or are suppressed)"
    )


def pause(date: DateOption = None, broadcast: BroadcastOption = None) -> None:
    """Pause an edition or broadcast in every process; sending it again resumes it."""
    _, engine = open_database()
    lifecycle.pause(engine, _which(date, broadcast))
    out.print("paused: messages in flight will finish, no others will start")


def cancel(date: DateOption = None, broadcast: BroadcastOption = None) -> None:
    """Cancel an edition or broadcast for good; what is unsent is never sent."""
    _, engine = open_database()
    number = lifecycle.cancel(engine, _which(date, broadcast))
    thing = "digest" if broadcast is None else "message"
    out.print(f"cancelled: {count_in_words(number, thing)} will not be sent")


def _which(date: Date | None, broadcast: int | None) -> lifecycle.Which:
    if broadcast is None:
        return date or today()
    if date is not None:
        raise UsageError("use either --date or --broadcast")
    return OfBroadcast(broadcast)
