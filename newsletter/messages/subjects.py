"""What a mailbox shows of a digest: its subject, the line after it, and a notice said once."""

from collections.abc import Sequence

from newsletter.core.language import N_, _, ngettext
from newsletter.core.models import Occasion
from newsletter.core.one_line import shortened

# A title longer than this is cut in subjects: phones show about 40 characters, desktops 80.
SUBJECT_TITLE = 60


# A digest's first words before its first title, by occasion.
WITH_TITLE = {
    Occasion.WELCOME: N_("Welcome! {title}"),
    Occasion.BEST_OF: N_("While you were away: {title}"),
}


def minimum_notice(minimum: int) -> str:
    """Tells a reader, once, what the minimum that they had set has become."""
    return _(
        "Your minimum, now {minimum}, has a new meaning: the chance in percent that a paper is "
        "about your topics. From 55 it is a good match, from 80 a strong one. You can change it "
        "in your preferences.",
        minimum=minimum,
    )


def subject_line(
    titles: Sequence[str], occasion: Occasion = Occasion.REGULAR, *, is_weekly: bool = False
) -> str:
    """The subject of a digest: its first paper, and how many more there are."""
    if not titles:
        return _("No new papers for you today")
    before = N_("Your week: {title}") if is_weekly else WITH_TITLE.get(occasion)
    first = shortened(titles[0], SUBJECT_TITLE)
    if before:
        first = _(before, title=first)
    more = len(titles) - 1
    if not more:
        return first
    return ngettext(
        "{first} + {count} more paper", "{first} + {count} more papers", more, first=first
    )


def preheader_line(titles: Sequence[str]) -> str:
    """What mailboxes show after the subject: the next titles, or the first again."""
    return shortened(" · ".join(titles[1:4] or titles), 140)
