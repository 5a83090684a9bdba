"""Match: the probability that a paper is about a topic, and what is said of it. Pure.

The score orders the papers of one digest; the match says whether a paper fits at all. It means
the same for every topic, reader and day, so a label and a reader's minimum can rest on it.
"""

from newsletter.core.models import Label

# Each label is a range of the match, starting here.
STRONG, GOOD, WORTH = 0.8, 0.5, 0.2


def label_of(match: float | None) -> Label:
    """The label of a match from 0 to 1; ``None``, where nothing was compared, has none."""
    if match is None or match < WORTH:
        return Label.NONE
    if match < GOOD:
        return Label.WORTH
    return Label.GOOD if match < STRONG else Label.STRONG
