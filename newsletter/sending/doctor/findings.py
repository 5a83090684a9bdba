"""What the doctor says."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: a problem costs mail, a warning may, a note is for information."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result: what was looked at, what was found, and how to mend it if it is not well."""

    check: str
    level: Level
    what: str
    mend: str = ""


def ok(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, what)


def note(check: str, what: str, mend: str = "") -> Finding:
    """Worth knowing."""
    return Finding(check, Level.NOTE, what, mend)


def warning(check: str, what: str, mend: str) -> Finding:
    """May cost mail."""
    return Finding(check, Level.WARNING, what, mend)


def problem(check: str, what: str, mend: str) -> Finding:
    """Costs mail."""
    return Finding(check, Level.PROBLEM, what, mend)
