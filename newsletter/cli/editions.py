"""Commands that change an edition as a whole: retry, pause, cancel."""

from typing import Annotated

import typer

from newsletter.cli.common import DateOption, open_database, today
from newsletter.cli.console import out
from newsletter.core.errors import UsageError
from newsletter.core.models import DeliveryStatus
from newsletter.editions import lifecycle


def retry(
    date: DateOption = None,
    wanted: Annotated[
        list[DeliveryStatus] | None,
        typer.Option("--status", help="Which deliveries; may be repeated."),
    ] = None,
) -> None:
    """Queue failed, expired, deferred or uncertain deliveries again, for `newsletter send`."""
    again = wanted or lifecycle.RETRYABLE
    refused = [status.value for status in again if status not in lifecycle.RETRYABLE]
    if refused:
        raise UsageError(
            f"--status {refused[0]}: only {', '.join(sorted(lifecycle.RETRYABLE))} can be retried"
        )
    _, engine = open_database()
    number = lifecycle.retry(engine, date or today(), again)
    queued = "1 delivery" if number == 1 else f"{number} deliveries"
    out.print(
        f"{queued} queued again: run `newsletter send` to try them (skips subscribers who left or "
        "are suppressed)"
    )


def pause(date: DateOption = None) -> None:
    """Pause an edition in every process; `newsletter send` resumes it."""
    _, engine = open_database()
    lifecycle.pause(engine, date or today())
    out.print("paused: messages in flight will finish, no others will start")


def cancel(date: DateOption = None) -> None:
    """Cancel an edition for good; unsent digests are never sent."""
    _, engine = open_database()
    number = lifecycle.cancel(engine, date or today())
    out.print(f"cancelled: {number} {'digest' if number == 1 else 'digests'} will not be sent")
