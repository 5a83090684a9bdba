"""Shared by all commands: settings, the database, dates and JSON."""

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from newsletter.core import database
from newsletter.core.config import Settings, load_settings
from newsletter.core.errors import InputError, UsageError
from newsletter.core.one_line import in_json


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
BroadcastOption = Annotated[
    int | None,
    typer.Option("--broadcast", metavar="N", help="A broadcast instead of an edition, by number."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@contextmanager
def as_options(context: typer.Context) -> Iterator[None]:
    """Name values as the options that were typed: ``--send-hour`` for ``send_hour``.

    Raises:
        InputError: the one that was raised inside, under the option's name.
    """
    try:
        yield
    except InputError as error:
        options = {param.name: param.opts[0] for param in context.command.params}
        raise InputError(error.what, where=options.get(error.where, error.where)) from error


def today() -> date:
    """The default edition date of all commands: today, UTC."""
    return database.utc_now().date()


def open_database(*required: str) -> tuple[Settings, Engine]:
    """Settings, with the ``required`` ones checked, and the migrated database.

    Raises:
        SettingsError: a setting is missing or bad.
        DatabaseError: the database cannot be opened or is not at this version's tables.
    """
    settings = load_settings()
    settings.require(*required)
    engine = database.connect(settings.database_url, synchronous=settings.sqlite_synchronous)
    database.require_current(engine)
    return settings, engine


def check_port(host: str, port: int) -> None:
    """Check that a server can listen, before any work is done.

    Raises:
        UsageError: the port cannot be used.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise UsageError(
            f"cannot listen on port {port} of {host} ({error.strerror}): choose another with --port"
        ) from error


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(in_json(json.dumps(value, ensure_ascii=False, default=str)) + "\n")
