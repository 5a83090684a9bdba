"""Lines for people, without Rich; and log records, of whichever package."""

import logging

import typer

from newsletter.core.one_line import visible


def say(text: str, *, err: bool = False) -> None:
    """One line on standard output or standard error, with control characters shown."""
    typer.echo(visible(text), err=err)


class VisibleRecord(logging.LogRecord):
    """A log record whose message shows control characters."""

    def getMessage(self) -> str:  # noqa: N802  (the name is the base class's)
        """The message with its arguments."""
        return visible(super().getMessage())
