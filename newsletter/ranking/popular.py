"""Popular papers: for a reader without interests, and for who wants a list filled up. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from newsletter.core.language import N_, _, gettext
from newsletter.core.models import Label
from newsletter.ranking import passages
from newsletter.ranking.candidates import Candidates, Pick

# Sections. The first is all that a reader without interests gets; the second follows the picks.
POPULAR = N_("Popular")
POPULAR_TODAY = N_("Popular today")


def popular(
    candidates: Candidates,
    allowed: NDArray[np.bool_],
    most: int,
    *,
    section: str,
    after: Sequence[Pick] = (),
) -> tuple[Pick, ...]:
    """The most upvoted of the ``allowed`` (n,) candidates, newest first where votes are equal.

    Nothing is claimed of them: they have no match and no label. They follow the picks ``after``
    and hold none of them.
    """
    if most <= 0:
        return ()
    picked = {pick.paper_id for pick in after}
    order = np.lexsort((-candidates.first_seen, -candidates.upvotes))
    rows = [row for row in order[allowed[order]].tolist() if candidates.ids[row] not in picked]
    rows = rows[:most]
    why, name = _why(section, bool(candidates.upvotes[rows].any())), gettext(section)
    return tuple(
        Pick(candidates.ids[row], None, name, index, 0.0, None, Label.NONE, why, in_short=said)
        for index, (row, said) in enumerate(
            zip(rows, passages.in_short_for_anybody(candidates, rows), strict=True),
            start=len(after) + 1,
        )
    )


def _why(section: str, voted: bool) -> str:
    """The lead: it stands in each of the section's reasons, and so is said once."""
    which = _("The day’s most upvoted papers") if voted else _("The day’s newest papers")
    if section == POPULAR_TODAY:
        return _("{which}, whatever your topics: you asked for a full list.", which=which)
    return _(
        "{which}, the same for everyone: you have not told us your interests yet. "
        "Add them in your preferences, or mark papers as relevant.",
        which=which,
    )
