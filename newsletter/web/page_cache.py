"""What was made from the database, kept for as long as the database stays exactly as it is.

No entry has a time: whatever is committed, here or by another process, drops them all. Only what
everybody may see is kept here.
"""

import sqlite3
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.core import database, language

# Bytes: the page of a day takes 40 KB, and a paper in a list 1 KB.
MOST = 32 * 1024 * 1024
# What an entry takes beside its key and its value.
_ENTRY = 300
T = TypeVar("T")


class Kept:
    """Values by their keys and the language that is on; those not used for longest go first.

    Two states of a database that are equal show the same rows. A value is kept under the state
    that was read before its rows were, so that it is never older than what its state shows.
    """

    def __init__(self, engine: Engine, most: int = MOST) -> None:
        """``most`` is in bytes."""
        self._engine = engine
        self._most = most
        self._lock = Lock()
        self._state: object = None
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._size = 0

    def at_once(self, key: Hashable) -> Any:
        """The value of ``key`` if SQLite says, within microseconds, that it holds; else None."""
        return self.get(self._state_of_file(), key)

    def state(self, session: Session) -> object:
        """The state of the database, to be asked before ``session`` reads; None if unknown."""
        if session.get_bind().dialect.name == "sqlite":
            return self._state_of_file()
        # Which transactions have ended. A later statement sees what these did, or more.
        found = session.connection().exec_driver_sql("SELECT pg_current_snapshot()::text")
        return found.scalar()

    def made(self, state: object, key: Hashable, make: Callable[[], T]) -> T:
        """The value of ``key`` in ``state``; made now where none is kept."""
        found: T | None = self.get(state, key)
        if found is None:
            found = make()
            self.keep(state, key, found)
        return found

    @cached_property
    def _watch(self) -> sqlite3.Connection | None:
        """A connection to a SQLite file that does nothing but see the commits of all others."""
        path = database.file_of(self._engine.url)
        if path is None:
            return None
        address = f"{path.absolute().as_uri()}?mode=rw"
        watch = sqlite3.connect(address, uri=True, timeout=0, check_same_thread=False)
        weakref.finalize(self, watch.close)
        return watch

    def _state_of_file(self) -> object:
        with self._lock:  # a connection serves one thread at a time
            try:
                # www.sqlite.org/pragma.html#pragma_data_version
                watch = self._watch
                return watch.execute("PRAGMA data_version").fetchall() if watch else None
            except sqlite3.OperationalError:  # missing or being recovered: the page's reading tells
                return None

    def get(self, state: object, key: Hashable) -> Any:
        """The value kept under ``key`` in ``state``, or None."""
        return self.several(state, [key])[0]

    def several(self, state: object, keys: Sequence[Hashable]) -> list[Any]:
        """The value kept under each key in ``state``, or None."""
        spoken, found = language.current(), []
        with self._lock:
            if state is None or state != self._state:
                return [None] * len(keys)
            for key in keys:
                kept = self._values.get((spoken, key))
                if kept is not None:
                    self._values.move_to_end((spoken, key))
                found.append(kept[0] if kept else None)
        return found

    def keep(self, state: object, key: Hashable, value: object) -> None:
        """Keep a value that was made after ``state`` was read."""
        key = language.current(), key
        size = _ENTRY + 4 * len(repr(key)) + _bytes_of(value)
        with self._lock:
            if state != self._state:
                self._values.clear()
                self._state, self._size = state, 0
            if state is None:
                return
            self._size += size - self._values.pop(key, (None, 0))[1]
            self._values[key] = value, size
            while self._size > self._most:
                _, (_gone, freed) = self._values.popitem(last=False)
                self._size -= freed


def _bytes_of(value: object) -> int:
    inside = sum(map(_bytes_of, value)) if isinstance(value, tuple) else 0
    return sys.getsizeof(value) + inside
