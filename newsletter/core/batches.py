"""Values in batches: what one statement, or one transaction, takes at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

# Values in one IN (…): SQLite allows 32,766 variables, but plans suffer sooner.
IN_LIMIT = 500

_T = TypeVar("_T")


def batched(values: Iterable[_T], size: int = IN_LIMIT) -> Iterator[list[_T]]:
    """``values`` in order, in lists of ``size``; the last one may be shorter."""
    left = iter(values)
    while batch := list(islice(left, size)):
        yield batch
