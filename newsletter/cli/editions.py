"""Commands that change an edition as a whole: retry, pause, cancel."""

from typing import Annotated

import typer

from newsletter.cli.common import DateOption, open_database, out, today
from newsletter.core.errors import UsageError
from newsletter.core.models import DeliveryStatus
from newsletter.editions import lifecycle


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
