"""A site's judgements correct the match: only where there are enough, and where it helps."""

import numpy as np
import pytest

from newsletter.ranking import calibration
from newsletter.ranking.calibration import AS_SHIPPED, FEWEST, Calibration


def judged(count: int, *, shift: float, seed: int = 0) -> tuple[list[float], list[bool]]:
    """Matches, and answers whose log-odds are those of the match moved by ``shift``."""
    generator = np.random.default_rng(seed)
    match = generator.uniform(0.05, 0.95, count)
    odds = np.log(match / (1 - match)) + shift
    return match.tolist(), (generator.random(count) < 1 / (1 + np.exp(-odds))).tolist()


@pytest.mark.parametrize("shift", [-1.5, 1.5])
def test_readers_who_are_stricter_or_kinder_move_the_match_towards_what_they_judge(
    shift: float,
) -> None:
    match, relevant = judged(1_000, shift=shift)
    found = calibration.refit(match, relevant)
    assert found.loss is not None
    assert found.loss_as_shipped is not None
    assert found.loss < found.loss_as_shipped
    assert found.calibration.intercept == pytest.approx(shift, abs=0.4)
    fresh, answers = judged(4_000, shift=shift, seed=1)
    told = found.calibration.of(np.array(fresh))
    assert abs(told.mean() - np.mean(answers)) < 0.05
    assert "match refitted: 1000 judged papers" in found.line()


def test_readers_who_judge_as_the_match_says_leave_it_nearly_where_it_was() -> None:
    found = calibration.refit(*judged(1_000, shift=0))
    assert found.calibration.intercept == pytest.approx(0, abs=0.25)
    assert found.calibration.slope == pytest.approx(1, abs=0.25)


def test_where_refitting_tells_held_out_judgements_no_better_the_match_stays_as_shipped() -> None:
    generator = np.random.default_rng(6)
    match = np.repeat(0.5, FEWEST)
    relevant = generator.permutation(np.arange(FEWEST) % 2 == 0)
    found = calibration.refit(match.tolist(), relevant.tolist())
    assert found.calibration == AS_SHIPPED
    assert found.loss is not None
    assert found.line().startswith("match as shipped:")
    assert "too few" not in found.line()


@pytest.mark.parametrize(
    "relevant", [[], [True, False] * 99, [True] * 1_000, [True] * 500 + [False] * 19]
)
def test_too_few_judgements_of_either_kind_change_nothing_and_say_so(relevant: list[bool]) -> None:
    found = calibration.refit([0.9] * len(relevant), relevant)
    assert (found.calibration, found.loss) == (AS_SHIPPED, None)
    assert "too few to refit it (it takes 200, and 20 of each kind)" in found.line()


def test_the_order_of_matches_stays_even_if_readers_judge_the_other_way_round() -> None:
    match = np.linspace(0.02, 0.98, 400)
    found = calibration.refit(match.tolist(), (match < 0.5).tolist())
    moved = found.calibration.of(match)
    assert (np.diff(moved) > 0).all()
    assert not np.isnan(moved).any()


def test_a_calibration_can_be_undone_and_leaves_none_and_certain_alone() -> None:
    used = Calibration(0.7, -0.4)
    match = np.array([[0.0, 0.04, 0.3, 0.8, 1.0]])
    assert used.undone(used.of(match)) == pytest.approx(match, abs=1e-5)
    assert used.of(match)[0, [0, 4]].tolist() == [0, 1]
    assert AS_SHIPPED.of(match) == pytest.approx(match)
