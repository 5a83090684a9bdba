"""How good the picks were, from what readers judged. Pure: `scorecard_counts` reads the rows.

Judgements are few and not a random sample: readers judge what they care to judge. So every share
is of judged papers alone, has its interval, and is withheld where there are too few.
"""

from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from newsletter.core.language import N_, _, gettext, ngettext, number, sentence
from newsletter.core.models import Label

# Half the width of a 95 % interval in standard deviations of a normal distribution.
_Z = 1.959964
# With 20 judgements a 95 % interval is up to 40 points wide; with fewer it says next to nothing.
FEWEST = 20
# The minimum matches that are tried out.
MINIMUMS = (25, 50, 75)
# Longer than the longest cadence: a weekly digest may be a week late without any fault.
LATE_DAYS = 7
# In a list of labels, also the papers that have none need a name.
NAMES = {label: "no label" if label is Label.NONE else label.value for label in Label}
_NAMES = {
    Label.STRONG: N_("strong"),
    Label.GOOD: N_("good"),
    Label.WORTH: N_("worth a look"),
    Label.NONE: N_("no label"),
}


@dataclass(frozen=True, slots=True)
class Counts:
    """Papers that were mailed: how many, how many of these were judged, how many relevant."""

    shown: int = 0
    judged: int = 0
    relevant: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.shown + other.shown, self.judged + other.judged, self.relevant + other.relevant
        )

    @property
    def not_relevant(self) -> int:
        """Papers judged not relevant."""
        return self.judged - self.relevant

    @property
    def unjudged(self) -> int:
        """Papers that nobody judged."""
        return self.shown - self.judged

    @property
    def is_enough(self) -> bool:
        """Whether there are enough judgements for a share."""
        return self.judged >= FEWEST

    @property
    def share(self) -> float | None:
        """Relevant papers among the judged ones, 0 to 1; None where too few were judged."""
        return self.relevant / self.judged if self.is_enough else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of `share`, None where too few were judged."""
        return wilson(self.relevant, self.judged) if self.is_enough else None


@dataclass(frozen=True, slots=True)
class Late:
    """Papers that readers found relevant or saved: how many came late, or in no digest.

    ``mailed_late`` were mailed more than `LATE_DAYS` after they were first seen here;
    ``never_picked`` were first seen after the reader joined, and no digest had them.
    """

    relevant: int = 0
    mailed_late: int = 0
    never_picked: int = 0


@dataclass(frozen=True, slots=True)
class Scorecard:
    """What readers judged of what they were mailed.

    ``judges`` is how many readers judged any of it; ``below`` has what a minimum match would have
    left out, by that minimum, 0 to 100.
    """

    labels: dict[Label, Counts] = field(default_factory=dict)
    below: dict[int, Counts] = field(default_factory=dict)
    late: Late = field(default_factory=Late)
    judges: int = 0

    @property
    def total(self) -> Counts:
        """All labels together."""
        return sum(self.labels.values(), Counts())


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share of ``hits`` in ``trials``, at least one (Wilson 1927).

    Unlike the usual one it stays within 0 and 1, and has a width where all or none are hits.
    """
    share, square = hits / trials, _Z * _Z
    centre = share + square / (2 * trials)
    spread = _Z * sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    whole = 1 + square / trials
    return max(0.0, (centre - spread) / whole), min(1.0, (centre + spread) / whole)


def made_of(
    cells: dict[tuple[Label, int], Counts], late: Late = Late(), judges: int = 0
) -> Scorecard:
    """A scorecard from counts by label and band.

    The band of a paper is how many of `MINIMUMS` its match reaches; 0 also where it has no match,
    because no minimum lets such a paper through.
    """
    labels = dict.fromkeys(Label, Counts())
    below = dict.fromkeys(MINIMUMS, Counts())
    for (label, band), counts in cells.items():
        labels[label] += counts
        for minimum in MINIMUMS[band:]:
            below[minimum] += counts
    return Scorecard(labels, below, late, judges)


def as_json(card: Scorecard) -> dict[str, Any]:
    """The scorecard as plain values; shares are null where too few papers were judged."""
    return {
        "labels": {label.value: _counts(counts) for label, counts in card.labels.items()},
        "total": _counts(card.total) | {"judges": card.judges},
        "minimums": {
            str(minimum): {
                "left_out": counts.shown,
                "saved": counts.not_relevant,
                "lost": counts.relevant,
                "unjudged": counts.unjudged,
            }
            for minimum, counts in card.below.items()
        },
        "late": {
            "days": LATE_DAYS,
            "relevant": card.late.relevant,
            "mailed_late": card.late.mailed_late,
            "never_picked": card.late.never_picked,
        },
        "fewest": FEWEST,
        "summary": judging_in_words(card),
    }


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "shown": counts.shown,
        "judged": counts.judged,
        "relevant": counts.relevant,
        "enough": counts.is_enough,
        "share": counts.share,
        "interval": counts.interval,
    }


def share_in_words(counts: Counts) -> str:
    """``85% relevant (64% to 95%)``, or that there are too few judgements."""
    if counts.interval is None or counts.share is None:
        return _("too few to say")
    low, high = counts.interval
    return _(
        "{share} relevant ({low} to {high})",
        share=f"{counts.share:.0%}",
        low=f"{low:.0%}",
        high=f"{high:.0%}",
    )


def judging_in_words(card: Scorecard) -> str:
    """How much judging there is, and whether it is enough."""
    total = card.total
    if not total.shown:
        return _("No paper has been mailed yet.")
    if not total.judged:
        return _("{papers} mailed, none judged yet.", papers=_papers(total.shown))
    line = ngettext(
        "{count} of {papers} mailed was judged ({share}), by {readers}.",
        "{count} of {papers} mailed were judged ({share}), by {readers}.",
        total.judged,
        papers=_papers(total.shown),
        share=_percent(total.judged / total.shown),
        readers=ngettext("{count} reader", "{count} readers", card.judges),
    )
    more = (
        _("Shares are of judged papers only; readers choose what they judge.")
        if total.is_enough
        else _("That is too few to say how good the picks are: it takes {count}.", count=FEWEST)
    )
    return f"{line} {more}"


def minimum_in_words(minimum: int, counts: Counts) -> str:
    """What a minimum match would have left out, of what was mailed."""
    line = _(
        "A minimum of {minimum} would have left out {papers}: {bad} judged not relevant, "
        "{good} judged relevant, {unjudged} not judged",
        minimum=minimum,
        papers=_papers(counts.shown),
        bad=number(counts.not_relevant),
        good=number(counts.relevant),
        unjudged=number(counts.unjudged),
    )
    return f"{line}." if counts.is_enough else _("{line}; too few judged to choose by.", line=line)


def late_in_words(late: Late) -> str:
    """What came late or not at all, of what readers found relevant or saved."""
    if not late.relevant:
        return _("No paper has been found relevant or saved yet, so none can have come late.")
    return _(
        "{papers} found relevant or saved: {late} mailed more than {days} days after we first had "
        "them (a vacation counts too), {never} in no digest though new here since sign-up.",
        papers=_papers(late.relevant),
        late=number(late.mailed_late),
        days=LATE_DAYS,
        never=number(late.never_picked),
    )


def _papers(count: int) -> str:
    return ngettext("{count} paper", "{count} papers", count)


def name(label: Label) -> str:
    """A label as a line begins with it."""
    return sentence(gettext(_NAMES[label]))


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else _("less than 1%")
