"""Whether a trial's challenger is better, worse or no different, at any moment. Pure.

A digest of a trial in which a reader judged papers of the two teams differently is a preference:
+1 for the challenger, -1 for today's recipe. The difference that is estimated is the mean of these,
which is the challenger's share of the preferences less the other's.

The test may be asked every day, and its answer stays valid whenever the trial is stopped for it: it
is Robbins' mixture boundary (1970, "Statistical methods related to the law of the iterated
logarithm"), which sequential A/B tests use (Johari, Koomen, Pekelis and Walsh 2022, "Always valid
inference"), on a self-normalised sum (de la Peña, Klass and Lai 2004, "Self-normalized processes").

One reader's preferences depend on one another, so the variance is summed over readers, after each
reader's preferences are added up. Such a sum depends on its past at least as much as a Brownian
motion of the same variance does; with many readers it is as good as normal, and crosses the
boundary no more often (Slepian 1962). With fewer than about ten readers nothing is ever decided.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log

from newsletter.core.models import TrialOutcome

# The chance that a trial of two equal recipes ends as better or worse, both together.
ERROR = 0.05
# Where the boundary is closest, in preferences: sharp from about 100 to 10,000 of them.
MIXED = 100.0
STEPS = 2_000  # differences from -1 to 1 that the interval is looked for among


@dataclass(frozen=True, slots=True)
class Preferences:
    """Sums over the readers who judged, of whom each has ``n`` preferences that add up to ``s``.

    ``judged`` counts digests of which something was judged, also without a preference.
    """

    readers: int = 0
    judged: int = 0
    count: int = 0  # sum of n
    total: int = 0  # sum of s
    squares: int = 0  # sum of s²
    products: int = 0  # sum of s·n
    squared_counts: int = 0  # sum of n²

    @property
    def difference(self) -> float | None:
        """Mean preference, -1 to 1; None before there is one."""
        return self.total / self.count if self.count else None

    def variance(self, difference: float) -> float:
        """Of the total, where ``difference`` is the truth; at least that of independent readers."""
        m = difference
        clustered = self.squares - 2 * m * self.products + m * m * self.squared_counts
        return max(clustered, self.count * (1 - m * m))

    def allows(self, difference: float) -> bool:
        """Whether the preferences seen so far are compatible with this difference."""
        off = self.total - difference * self.count
        return off * off < _boundary(self.variance(difference))


def preferences_of(readers: Iterable[tuple[int, int, int]]) -> Preferences:
    """The sums over readers, each given as (digests judged, preferences, their total)."""
    number = judged = count = total = squares = products = squared = 0
    for some, n, s in readers:
        number += 1
        judged += some
        count += n
        total += s
        squares += s * s
        products += s * n
        squared += n * n
    return Preferences(number, judged, count, total, squares, products, squared)


def _boundary(variance: float) -> float:
    """The square that a sum of this variance stays below for ever, but for `ERROR`."""
    return (variance + MIXED) * (log((variance + MIXED) / MIXED) - 2 * log(ERROR))


def interval(seen: Preferences) -> tuple[float, float]:
    """The differences that the preferences allow, at 95 %, at whatever moment this is asked."""
    allowed = [
        2 * step / STEPS - 1 for step in range(STEPS + 1) if seen.allows(2 * step / STEPS - 1)
    ]
    middle = seen.difference or 0.0
    return min([*allowed, middle]), max([*allowed, middle])


def needed(difference: float) -> int:
    """About how many preferences it takes to see this difference, were readers all alike."""
    count = 1
    while (difference * count) ** 2 < _boundary(count):
        count = ceil(count * 1.02)
    return count


def is_within(seen: Preferences, margin: float) -> bool:
    """Whether the preferences rule out every difference as large as the margin, either way."""
    if seen.allows(margin) or seen.allows(-margin):
        return False
    low, high = interval(seen)
    return -margin < low and high < margin


def verdict(seen: Preferences, margin: float, *, is_over: bool) -> TrialOutcome | None:
    """How the trial ends now, or None while it goes on; ``is_over`` says that its days are."""
    if not seen.allows(0.0):
        return TrialOutcome.BETTER if seen.total > 0 else TrialOutcome.WORSE
    if is_over or is_within(seen, margin):
        return TrialOutcome.NO_DIFFERENCE
    return None
