"""The test that decides trials: it may be asked every day, and no loud reader decides alone."""

import random
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

from newsletter.core.models import TrialOutcome
from newsletter.editions.trial_test import (
    Preferences,
    interval,
    is_within,
    needed,
    preferences_of,
    verdict,
)

SCRIPT = Path(__file__).parents[2] / "scripts" / "simulate-trial"
MARGIN = 0.05
BETTER, WORSE, NONE = TrialOutcome.BETTER, TrialOutcome.WORSE, TrialOutcome.NO_DIFFERENCE


@pytest.fixture(scope="module")
def simulation() -> Any:
    loader = SourceFileLoader("simulate_trial", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


def readers(count: int, wins: int, losses: int) -> list[tuple[int, int, int]]:
    """So many readers, each with so many preferences for either."""
    return [(wins + losses, wins + losses, wins - losses)] * count


def test_nothing_judged_says_nothing() -> None:
    nothing = preferences_of([])
    assert nothing == Preferences()
    assert nothing.difference is None
    assert interval(nothing) == (-1.0, 1.0)
    assert verdict(nothing, MARGIN, is_over=False) is None
    assert verdict(nothing, MARGIN, is_over=True) is NONE


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_few_readers_decide_nothing_however_much_they_judge(count: int) -> None:
    for seen in (readers(count, 1_000, 0), readers(count, 0, 1_000), readers(count, 500, 500)):
        sums = preferences_of(seen)
        assert verdict(sums, MARGIN, is_over=False) is None
        assert interval(sums) == (-1.0, 1.0)


def test_many_readers_who_agree_decide_and_the_other_way_round_it_is_worse() -> None:
    seen = readers(100, 4, 1)
    assert verdict(preferences_of(seen), MARGIN, is_over=False) is BETTER
    turned = preferences_of((judged, n, -s) for judged, n, s in seen)
    assert verdict(turned, MARGIN, is_over=False) is WORSE
    low, high = interval(preferences_of(seen))
    assert 0 < low < 0.6 < high < 1
    assert interval(turned) == pytest.approx((-high, -low))


def test_ten_readers_who_judge_a_lot_do_not_outvote_a_hundred() -> None:
    loud = preferences_of([*readers(10, 100, 0), *readers(100, 2, 3)])
    assert verdict(loud, MARGIN, is_over=False) is None
    # The same preferences, each from a reader of its own, would decide at once.
    apart = preferences_of([(1, 1, 1)] * 1_200 + [(1, 1, -1)] * 300)
    assert verdict(apart, MARGIN, is_over=False) is BETTER


def test_no_difference_takes_an_interval_inside_the_margin() -> None:
    few = preferences_of([(1, 1, 1)] * 500 + [(1, 1, -1)] * 500)
    many = preferences_of([(1, 1, 1)] * 3_000 + [(1, 1, -1)] * 3_000)
    assert (is_within(few, MARGIN), is_within(many, MARGIN)) == (False, True)
    assert verdict(few, MARGIN, is_over=False) is None
    assert verdict(few, MARGIN, is_over=True) is NONE
    assert verdict(many, MARGIN, is_over=False) is NONE
    assert is_within(few, 0.3)


def test_judged_digests_without_a_preference_are_told_and_do_not_count() -> None:
    quiet = preferences_of([(5, 0, 0)] * 50)
    assert (quiet.readers, quiet.judged, quiet.count) == (50, 250, 0)
    assert verdict(quiet, MARGIN, is_over=False) is None


def test_a_smaller_difference_takes_more_preferences_as_its_square() -> None:
    assert needed(0.4) < needed(0.2) < needed(0.1) < needed(0.05)
    assert 3.5 < needed(0.05) / needed(0.1) < 5.5


def test_the_interval_holds_the_mean_and_nothing_far_from_it() -> None:
    draw = random.Random(5)
    for _ in range(20):
        seen = [
            (n, n, sum(draw.choice((-1, 1)) for _ in range(n)))
            for n in (draw.randint(1, 30) for _ in range(draw.randint(20, 200)))
        ]
        sums = preferences_of(seen)
        low, high = interval(sums)
        assert low <= (sums.difference or 0.0) <= high
        assert not sums.allows(high + 0.002) or high == 1
        assert not sums.allows(low - 0.002) or low == -1


@pytest.mark.parametrize(("count", "rate", "days"), [(60, 0.5, 40), (300, 0.3, 60)])
def test_two_equal_recipes_end_with_no_difference_in_95_of_100_trials(
    simulation: Any, count: int, rate: float, days: int
) -> None:
    found = simulation.simulated(100, count, rate, 0.0, days)
    assert sum(run.outcome is NONE for run in found) >= 95


def test_a_large_difference_is_seen_and_never_taken_for_its_opposite(simulation: Any) -> None:
    found = simulation.simulated(40, 300, 0.3, 0.2, 30)
    outcomes = [run.outcome for run in found]
    assert outcomes.count(BETTER) >= 38
    assert WORSE not in outcomes
    turned = simulation.simulated(20, 300, 0.3, -0.2, 30)
    assert [run.outcome for run in turned].count(WORSE) >= 19
