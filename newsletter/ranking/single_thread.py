"""Matrix products on one thread, where thousands of small ones follow each other.

Two threads then mostly wait for each other: a chunk of 500 digests takes 93 ms of one core, and
180 ms of two, on which other work would have run (bench-prepare).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import threadpoolctl


@cache
def _libraries() -> Any:
    # Those that are loaded; looking for them takes 8 ms.
    return threadpoolctl.ThreadpoolController()  # type: ignore[no-untyped-call]


@contextmanager
def single_thread() -> Iterator[None]:
    """Within it products run on one thread, in this process."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield
