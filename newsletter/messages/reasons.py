"""Why papers are in a digest, as sentences that lead to what they are about. Pure."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

from newsletter.core.language import N_, _
from newsletter.core.one_line import shortened
from newsletter.messages import wording

LONGEST = 400  # a reason
MOST = 2  # a paper
_MOST_KEPT = 10_000  # a few MB
# Before what all papers of a section have in common, where they have more reasons than that.
EACH = N_("All of these: {reasons}")


class Reason(NamedTuple):
    """One sentence on why a paper is there; ``bar`` names what it is about among what was learned.

    That is "" where a reader could change nothing about it.
    """

    text: str
    bar: str = ""


Reasons = tuple[Reason, ...]


# They repeat, as topics and keywords do.
@lru_cache(maxsize=_MOST_KEPT)
def reasons_of(explanation: str, bars: str = "") -> Reasons:
    """The reasons in the lines of an explanation, each with its bar."""
    lines = zip_longest(explanation.split("\n"), bars.split("\n"), fillvalue="")
    return tuple(Reason(text, bar) for text, bar in lines if text)


def divided(several: Sequence[Reasons]) -> tuple[Reasons, list[Reasons]]:
    """What all have in common, to be said once, and what is left of each."""
    first, *others = several
    common = [each for each in first if all(each.text in _texts(own) for own in others)]
    if not common:
        return (), list(several)
    said = {each.text for each in common}
    rest = [tuple([each for each in own if each.text not in said]) for own in several]
    if any(rest):
        common[0] = Reason(_(EACH, reasons=common[0].text), common[0].bar)
    return tuple(common), rest


@lru_cache(maxsize=_MOST_KEPT)
def _texts(reasons: Reasons) -> frozenset[str]:
    return frozenset(each.text for each in reasons)


@lru_cache(maxsize=_MOST_KEPT)
def lines_of(reasons: Reasons) -> tuple[str, str]:
    """The explanation and the bars that `reasons_of` makes these of."""
    return "\n".join(each.text for each in reasons), "\n".join(each.bar for each in reasons)


@lru_cache(maxsize=2000)
def clean(reasons: Reasons) -> Reasons:
    """What may have come from outside, safe and short, and not too many."""
    if len(reasons) > MOST:
        reasons = (reasons[0], Reason(" ".join(each.text for each in reasons[1:])))
    made = (Reason(shortened(wording.one_line(text), LONGEST), bar) for text, bar in reasons)
    return tuple(each for each in made if each.text)


def linked(reasons: Reasons, learned: str) -> tuple[tuple[str, str], ...]:
    """As templates need them: each with the address of its bar, or ""."""
    return tuple((text, f"{learned}#{bar}" if learned and bar else "") for text, bar in reasons)


# The slots of a first and a second reason: what it says, and its bar.
SLOTS = (("why", "bar"), ("more", "morebar"))
# Of each reason, whether it leads to its bar.
Kinds = tuple[bool, ...]


def kinds(reasons: Reasons) -> Kinds:
    """What the reasons of all readers of one fragment have in common."""
    return tuple([bool(each.bar) for each in reasons])


def filled(reasons: Reasons) -> Mapping[str, str]:
    """What goes into the slots."""
    return {
        name: text
        for names, reason in zip(SLOTS, reasons, strict=False)
        for name, text in zip(names, reason, strict=True)
    }
