"""Public pages, rendered once and kept for a minute: they are the same for everybody."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from newsletter.core import language

# Votes may be this old on a page, in seconds; new papers are there at once.
FRESH = 60.0
# The days that people look at; crawlers that walk through the years push each other out.
MOST = 200


class Kept:
    """Bodies by what they show and in which language."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._bodies: OrderedDict[Hashable, tuple[float, bytes]] = OrderedDict()

    def body(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The result of ``make``, made again when it is older than `FRESH`."""
        now = time.monotonic()
        key = language.current(), key
        with self._lock:
            until, body = self._bodies.get(key, (0.0, b""))
        if now < until:
            return body
        body = make()
        with self._lock:
            self._bodies[key] = (now + FRESH, body)
            while len(self._bodies) > MOST:
                self._bodies.popitem(last=False)
        return body
