"""What came of an uploaded bibliography, in words of ours for a page and a mail. Pure.

Nothing of the file itself is in it: a stranger may have written that (bulk-mail rule 29).
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
        entries = "1 entry" if count == 1 else f"{count:,} entries"
        said = f"We found {entries} in your file and read {self._number(self.read, count)}."
        if self.used < self.read:
            said += f" We use the last {self.used:,}."
        return said

    def in_mail(self) -> str:
        """The summary, and the first lines that are left out."""
        if not self.left_out:
            return self.summary
        named = "; ".join(f"line {each.line:,}: {each.why}" for each in self.left_out[:MOST_LINES])
        more = len(self.left_out) - MOST_LINES
        return f"{self.summary} Left out: {named}{f'; and {more:,} more' if more > 0 else ''}."

    @staticmethod
    def _number(read: int, count: int) -> str:
        if read < count:
            return f"{read:,} of them" if read else "none of them"
        return "it" if count == 1 else "all of them"


def report_of(found: Bibliography, used: Sequence[object]) -> Report:
    """The report of a file of which ``used`` is used."""
    return Report(len(found.references), len(used), found.left_out)
