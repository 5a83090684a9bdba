"""A topic's sums as the bytes of a profile, and back: half precision, rows of zeros left out. Pure.

Most topics have no dislikes and many no likes, so most profiles hold one or two rows of three.
Of 838 topics with likes, dislikes and texts, beside 700 papers, half precision kept every top ten,
in the same order for 99.6 %, and moved scores by .0002 steps on average, .006 at most. A byte a
number, scaled by the largest of its row, would have changed one place in a hundred.
"""

from collections.abc import Sequence

import numpy as np

from newsletter.core.models import Profile
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.topic_vectors import Sums

_HALF = "<f2"
# No sum comes near this: coordinates are at most one, and likes fade.
_GREATEST = float(np.finfo(np.float16).max)


def pack(rows: Vectors) -> bytes:
    """Sums (3, D) over likes, dislikes and texts: a byte that says which follow, then these."""
    present = rows.any(axis=1)
    flags = int(present @ (1 << np.arange(len(rows))))
    halves = np.clip(rows[present], -_GREATEST, _GREATEST).astype(_HALF)
    return bytes([flags]) + halves.tobytes()


def unpack(profiles: Sequence[Profile], dimensions: int) -> Sums:
    """The sums of stored profiles, one row each."""
    found = np.zeros((len(profiles), 3, dimensions), np.float32)
    for rows, profile in zip(found, profiles, strict=True):
        flags = profile.coefficients[0]
        present = [place for place in range(3) if flags >> place & 1]
        halves = np.frombuffer(profile.coefficients, _HALF, offset=1)
        rows[present] = halves.reshape(len(present), dimensions)
    likes, dislikes, texts = found.transpose(1, 0, 2)
    return Sums(
        likes,
        dislikes,
        texts,
        np.array([profile.like_weight for profile in profiles], np.float32),
        np.array([profile.dislike_weight for profile in profiles], np.float32),
    )
