"""A digest that is too long gives way: abstracts first, from the end, then papers. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from newsletter.core.language import _, listed, ngettext, plural
from newsletter.core.models import DigestLength
from newsletter.messages.digest import Digest, DigestPaper, DigestSection

# Gmail cuts a message off at about 102,000 octets of HTML, foot and unsubscribe link included.
HTML_LIMIT = 95_000
# What the notice takes at most, kept free whether it is needed or not.
LONGEST_NOTICE = 160
STEPS = {
    DigestLength.FULL: (DigestLength.NORMAL, DigestLength.COMPACT),
    DigestLength.NORMAL: (DigestLength.COMPACT,),
    DigestLength.COMPACT: (),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The length of each paper that stays, in order; those after them are left out."""

    lengths: tuple[DigestLength, ...]
    notice: str


def unshortened(digest: Digest) -> Shape:
    """Everything at the length that was chosen."""
    return Shape((digest.length,) * len(digest.papers), "")


def shape(
    papers: Sequence[DigestPaper],
    length: DigestLength,
    size_of: Callable[[DigestPaper, DigestLength], int],
    room: int,
) -> Shape:
    """How to show ``papers`` in ``room`` octets; ``size_of`` gives the octets of one."""
    lengths = [length] * len(papers)
    sizes = [size_of(paper, length) for paper in papers]
    total = sum(sizes)
    for shorter in STEPS[length]:
        for index in reversed(range(len(papers))):
            if total <= room:
                break
            total -= sizes[index]
            lengths[index], sizes[index] = shorter, size_of(papers[index], shorter)
            total += sizes[index]
    while total > room and lengths:
        lengths.pop()
        total -= sizes.pop()
    return Shape(tuple(lengths), _notice(lengths, length, len(papers) - len(lengths)))


def _notice(lengths: Sequence[DigestLength], wanted: DigestLength, left_out: int) -> str:
    brief = sum(length is not wanted for length in lengths)
    if not brief and not left_out:
        return ""
    said = []
    if brief:
        shown = plural(
            "the last paper is shown in brief", "the last {count} papers are shown in brief", brief
        )
        said.append(shown.format(count=brief))
    if left_out:
        said.append(
            ngettext(
                "{count} more paper is only in the browser",
                "{count} more papers are only in the browser",
                left_out,
            )
        )
    return _("Mailboxes cut long mails off, so {what}.", what=listed(said))


def placed(
    digest: Digest, plan: Shape
) -> Iterator[tuple[DigestSection, Sequence[tuple[DigestPaper, DigestLength]]]]:
    """Sections with the papers that stay; a section that lost all of them is left out."""
    start = 0
    for section in digest.sections:
        lengths = plan.lengths[start : start + len(section.papers)]
        start += len(section.papers)
        if lengths:
            yield section, list(zip(section.papers, lengths, strict=False))
