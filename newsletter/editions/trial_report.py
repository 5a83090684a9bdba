"""What is said of a trial: in words, and as plain values. Pure."""

from datetime import datetime, timedelta
from math import ceil
from typing import Any

from newsletter.core.models import Trial, TrialOutcome
from newsletter.editions.trial_test import Preferences, interval, is_within, needed

# What `expected_days` tells of; the same as the margin that is used unless another is given.
OF_INTEREST = 0.05


def as_json(
    trial: Trial, seen: Preferences, reach: tuple[int, int], now: datetime
) -> dict[str, Any]:
    """A trial as plain values; ``difference`` and its interval are shares, challenger's less.

    ``reach`` counts its digests, and those in which the recipes differ.
    """
    low, high = interval(seen)
    return {
        "id": trial.id,
        "control": trial.control,
        "challenger": trial.challenger,
        "status": "running" if trial.is_running else "ended",
        "outcome": trial.outcome.value if trial.outcome else None,
        "started_at": trial.started_at.isoformat(),
        "ends_at": (trial.started_at + timedelta(days=trial.days)).isoformat(),
        "ended_at": trial.ended_at.isoformat() if trial.ended_at else None,
        "days": trial.days,
        "margin": trial.margin,
        "digests": reach[0],
        "digests_that_differ": reach[1],
        "readers": seen.readers,
        "judged": seen.judged,
        "preferences": seen.count,
        "difference": seen.difference,
        "interval": [low, high],
        "enough": is_enough(seen),
        "days_left": days_left(trial, seen, now),
        "summary": " ".join(in_lines(trial, seen, reach, now)),
    }


def is_enough(seen: Preferences) -> bool:
    """Whether the preferences say anything: whether they rule out any difference at all."""
    return interval(seen) != (-1.0, 1.0)


def in_lines(trial: Trial, seen: Preferences, reach: tuple[int, int], now: datetime) -> list[str]:
    """What a trial compares, where that makes a difference, what was judged, what that says."""
    return [_state(trial, now), _reached(*reach), _judged(seen), _answer(trial, seen, now)]


def _reached(digests: int, different: int) -> str:
    if not digests:
        return "No digest has been prepared for it yet."
    if not different:
        return (
            f"In all {digests:,} digests so far both choose the same papers in the same order: "
            "such a trial can show nothing."
        )
    return f"The two differ in {different:,} of {digests:,} digests so far."


def _state(trial: Trial, now: datetime) -> str:
    compared = f"Trial of “{trial.challenger}” against “{trial.control}”"
    if trial.ended_at is not None:
        return f"{compared}, {trial.started_at.date()} to {trial.ended_at.date()}."
    day = min(trial.days, (now - trial.started_at).days + 1)
    return f"{compared}, day {day} of {trial.days}."


def _judged(seen: Preferences) -> str:
    if not seen.judged:
        return "No reader has judged a paper that only one of the two chose."
    readers = "1 reader" if seen.readers == 1 else f"{seen.readers:,} readers"
    digests = "1 digest" if seen.judged == 1 else f"{seen.judged:,} digests"
    of_these = f"{seen.count:,} of these favoured one of the two"
    return f"Papers of {digests} were judged by {readers}; {of_these}."


def _answer(trial: Trial, seen: Preferences, now: datetime) -> str:
    if trial.outcome is TrialOutcome.STOPPED:
        return f"It was stopped; “{trial.control}” stays. {_difference(seen)}"
    if trial.outcome is TrialOutcome.BETTER:
        return f"“{trial.challenger}” is better and was kept. {_difference(seen)}"
    if trial.outcome is TrialOutcome.WORSE:
        return f"“{trial.challenger}” is worse; “{trial.control}” is back. {_difference(seen)}"
    if trial.outcome is TrialOutcome.NO_DIFFERENCE:
        if is_within(seen, trial.margin):
            said = f"No difference of {_points(trial.margin)} points or more."
        else:
            said = "The time is up and no difference was seen."
            if is_enough(seen):
                said += " Only differences outside the interval are ruled out."
        return f"{said} “{trial.control}” stays. {_difference(seen)}"
    left = days_left(trial, seen, now)
    if left is None:
        return _difference(seen)
    return (
        f"{_difference(seen)} At this pace a difference of {_points(OF_INTEREST)} points takes "
        f"about {left:,} more days to see."
    )


def _difference(seen: Preferences) -> str:
    """The difference and its interval, or that there is too little to say."""
    if seen.difference is None or not is_enough(seen):
        return "That is too little to say anything: it takes at least ten readers who judged."
    low, high = interval(seen)
    share = (1 + seen.difference) / 2
    return (
        f"The challenger was favoured in {share:.0%} of them "
        f"({(1 + low) / 2:.0%} to {(1 + high) / 2:.0%})."
    )


def days_left(trial: Trial, seen: Preferences, now: datetime) -> int | None:
    """About how long it takes to see a difference of `OF_INTEREST` at the pace so far."""
    days = (now - trial.started_at) / timedelta(days=1)
    if trial.outcome is not None or days < 1 or not seen.count:
        return None
    return ceil(max(0, needed(OF_INTEREST) - seen.count) / (seen.count / days))


def outlook(readers: int, digests: int, pace_days: int) -> str:
    """What a trial that starts now can hope for, from what was judged in the last days."""
    if not digests:
        return (
            f"nobody judged a paper of the last {pace_days} days: without judgements the trial "
            "ends with no answer when its time is up"
        )
    least = ceil(needed(OF_INTEREST) / (digests / pace_days))
    who = "1 reader" if readers == 1 else f"{readers:,} readers"
    what = "1 digest" if digests == 1 else f"{digests:,} digests"
    return (
        f"{who} judged papers of {what} of the last {pace_days} days: at that pace a difference "
        f"of {_points(OF_INTEREST)} points takes {least:,} days or more to see"
    )


def _points(share: float) -> str:
    return f"{100 * share:g}"
