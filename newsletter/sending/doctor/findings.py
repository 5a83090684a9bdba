"""Findings: what each check of the doctor reports."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Severity: a problem loses mail, a warning may, a note is for information."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result: the check, what it found, and how to fix it when something is wrong."""

    check: str
    level: Level
    what: str
    fix: str = ""


def ok(check: str, what: str) -> Finding:
    """Everything is fine."""
    return Finding(check, Level.OK, what)


def note(check: str, what: str, fix: str = "") -> Finding:
    """Worth knowing."""
    return Finding(check, Level.NOTE, what, fix)


def warning(check: str, what: str, fix: str) -> Finding:
    """May lose mail."""
    return Finding(check, Level.WARNING, what, fix)


def problem(check: str, what: str, fix: str) -> Finding:
    """Loses mail."""
    return Finding(check, Level.PROBLEM, what, fix)
