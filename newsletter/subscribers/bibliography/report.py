"""What came of an uploaded bibliography, in words of ours for a page and a mail. Pure.

Nothing of the file itself is in it: a stranger may have written that (bulk-mail rule 29).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.core.language import N_, _, gettext, ngettext, number
from newsletter.subscribers.bibliography import Bibliography, LeftOut

# A mail is no place for hundreds of lines; the page has them all.
MOST_LINES = 10


@dataclass(frozen=True, slots=True)
class Report:
    """How many entries a file has, how many of them are read and used, and what is left out."""

    read: int
    used: int
    left_out: tuple[LeftOut, ...]

    @property
    def summary(self) -> str:
        """One or two sentences."""
        count = self.read + len(self.left_out)
        entries = ngettext("{count} entry", "{count} entries", count)
        said = _(self._found(self.read, count), entries=entries, read=number(self.read))
        if self.used < self.read:
            said += " " + _("We use the last {count}.", count=number(self.used))
        return said

    def in_mail(self) -> str:
        """The summary, and the first lines that are left out."""
        if not self.left_out:
            return self.summary
        named = "; ".join(
            _("line {line}: {why}", line=number(each.line), why=gettext(each.why))
            for each in self.left_out[:MOST_LINES]
        )
        more = len(self.left_out) - MOST_LINES
        if more > 0:
            named = _("{lines}; and {count} more", lines=named, count=number(more))
        return _("{summary} Left out: {lines}.", summary=self.summary, lines=named)

    @staticmethod
    def _found(read: int, count: int) -> str:
        if read < count:
            if read:
                return N_("We found {entries} in your file and read {read} of them.")
            return N_("We found {entries} in your file and read none of them.")
        if count == 1:
            return N_("We found {entries} in your file and read it.")
        return N_("We found {entries} in your file and read all of them.")


def report_of(found: Bibliography, used: Sequence[object]) -> Report:
    """The report of a file of which ``used`` is used."""
    return Report(len(found.references), len(used), found.left_out)
