"""A few papers that differ from one another, to ask a newcomer about. Pure."""

import numpy as np
from numpy.typing import NDArray

from newsletter.ranking.candidates import Candidates
from newsletter.ranking.encoders import Vectors


def diverse(vectors: Vectors, worth: Vectors, most: int) -> list[int]:
    """At most ``most`` rows of ``vectors`` (n, d), the best first, each unlike those before.

    Greedy maximal marginal relevance (Carbonell and Goldstein 1998), with equal weights: the next
    row has the largest ``worth`` (n,) less its likeness to the nearest row that was chosen. Rows
    have length one or zero. Of equals, the first row wins.
    """
    chosen: list[int] = []
    left = np.array(worth, np.float64)
    nearest = np.zeros(len(left))
    for _ in range(min(most, len(left))):
        row = int(np.argmax(left - nearest))
        chosen.append(row)
        likeness = vectors @ vectors[row]
        nearest = np.maximum(nearest, likeness) if len(chosen) > 1 else likeness.astype(np.float64)
        left[row] = -np.inf
    return chosen


def to_ask_about(
    candidates: Candidates, allowed: NDArray[np.bool_], liked: NDArray[np.bool_], most: int
) -> list[int]:
    """Rows of papers to show next, of those ``allowed`` (n,): like the ``liked`` (n,), if any are.

    Without any, papers that are typical of a field go first: one that is like no other would be the
    most different, and tells nothing about a reader.
    """
    rows = np.flatnonzero(allowed)
    if not len(rows):
        return []
    content = candidates.content[rows]
    if liked.any():
        worth = (content @ candidates.content[liked].T).max(axis=1)
    else:
        worth = candidates.crowding[rows]
    return [int(rows[index]) for index in diverse(content, worth, most)]
