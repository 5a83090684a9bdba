"""Records which messages were in flight when a process was killed.

Results share a commit, so a process that is killed leaves rows ``sending`` of three sorts: not
handed over yet, in the relay's hands, and answered. A file of two short lines a message tells
them apart for who takes over: what a process wrote survives it (not a power cut, after which
the file is not believed and every such row is uncertain). So the copies that a kill can cause are
no more than its open connections, however large the groups.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from newsletter.core.errors import StoppedError
from newsletter.core.models import DeliveryStatus
from newsletter.sending.ledger import Result
from newsletter.sending.mailer import lease_owner

# The file starts over when it is this long and its lines are mostly of recorded results.
LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Flight:
    """What a log tells: results that may not be recorded, and the attempts without one.

    Both by delivery.
    """

    results: Mapping[int, Result]
    in_air: Mapping[int, int]


def folder_for(engine: Engine) -> Path:
    """Where logs are kept: beside an SQLite database, else in the working folder."""
    name = engine.url.database if engine.dialect.name == "sqlite" else None
    return Path(name).resolve().parent if name else Path.cwd()


def _path(folder: Path, owner: str) -> Path:
    return folder / f"newsletter-{owner.rpartition(':')[2]}.flight"


@dataclass(slots=True)
class FlightLog:
    """Written by one run; every line is in the system's hands before the call returns."""

    folder: Path
    owner: str
    _file: int = -1
    _size: int = 0
    _in_air: dict[int, int] = field(default_factory=dict)

    def open(self) -> None:
        """Start the file.

        Raises:
            StoppedError: it cannot be written.
        """
        path = _path(self.folder, self.owner)
        try:
            self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
        except OSError as error:
            raise StoppedError(f"cannot write {path}: {error.strerror}") from error
        self._start()

    def _start(self) -> None:
        self._size = 0
        self._write(json.dumps([lease_owner.boot(), self.owner]))
        for delivery_id, attempt in self._in_air.items():
            self._write(f"[{delivery_id}, {attempt}]")

    def started(self, delivery_id: int, attempt: int) -> None:
        """Record that a message is about to be handed over."""
        self._in_air[delivery_id] = attempt
        self._write(f"[{delivery_id}, {attempt}]")

    def withdrawn(self, delivery_id: int, attempt: int) -> None:
        """Record that no relay could be used: none has heard of the message."""
        del self._in_air[delivery_id]
        self._write(f"[{delivery_id}, {attempt}, null]")

    def finished(self, result: Result) -> None:
        """Record an attempt's result, which the database does not have yet."""
        self._in_air.pop(result.delivery_id, None)
        # Formatted by hand: encoding a list takes five times as long.
        retry = f'"{result.retry_at.isoformat()}"' if result.retry_at else "null"
        self._write(
            f'[{result.delivery_id}, {result.attempt}, "{result.status}", {result.code}, '
            f'{json.dumps(result.response)}, "{result.at.isoformat()}", {retry}]'
        )

    def recorded(self, waiting: list[Result]) -> None:
        """Record that all results except ``waiting`` are committed."""
        if self._size > LONGEST:
            # In place, and not by a new file: between the cut and the lines that follow, a kill
            # leaves an empty file, which says that nothing can be known.
            os.ftruncate(self._file, 0)
            self._start()
            for result in waiting:
                self.finished(result)

    def close(self) -> None:
        """End the file: everything is recorded."""
        os.close(self._file)
        _path(self.folder, self.owner).unlink(missing_ok=True)

    def _write(self, values: str) -> None:
        line = f"{values}\n".encode()
        try:
            os.write(self._file, line)
        except OSError as error:
            raise StoppedError(f"cannot write the flight log: {error.strerror}") from error
        self._size += len(line)


def read(folder: Path, owner: str) -> Flight | None:
    """What a dead owner's log says; None if there is no log to trust."""
    try:
        *lines, _torn = _path(folder, owner).read_bytes().split(b"\n")
        head, *entries = [json.loads(line) for line in lines]
    except (OSError, ValueError):
        return None
    if not lease_owner.boot() or head != [lease_owner.boot(), owner]:
        return None  # of another boot: a power cut may have taken its last lines
    results: dict[int, Result] = {}
    in_air: dict[int, int] = {}
    for delivery_id, attempt, *landed in entries:
        if not landed:
            in_air[delivery_id] = attempt
            results.pop(delivery_id, None)
            continue
        in_air.pop(delivery_id, None)
        if landed == [None]:
            continue
        status, code, response, at, retry = landed
        results[delivery_id] = Result(
            delivery_id,
            attempt,
            DeliveryStatus(status),
            code,
            response,
            datetime.fromisoformat(at),
            datetime.fromisoformat(retry) if retry else None,
        )
    return Flight(results, in_air)


def forget(folder: Path, owner: str) -> None:
    """Delete a log that has been used; its owner is gone."""
    _path(folder, owner).unlink(missing_ok=True)
