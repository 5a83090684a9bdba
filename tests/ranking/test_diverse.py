"""Papers to ask a newcomer about: unlike one another, and like what was picked."""

import numpy as np
import pytest
from numpy.typing import NDArray

from newsletter.ranking.diverse import diverse


def near(direction: int, count: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors that point much the same way."""
    noise = np.random.default_rng(seed).normal(0, 0.05, (count, 8))
    noise[:, direction] += 1
    return np.asarray(noise / np.linalg.norm(noise, axis=1, keepdims=True), np.float32)


# Thirty papers of one field, three each of two others.
CROWD = np.vstack([near(0, 30, 1), near(1, 3, 2), near(2, 3, 3)])


def field(row: int) -> int:
    return int(np.argmax(CROWD[row]))


def test_small_fields_come_before_a_second_paper_of_the_large_one() -> None:
    chosen = diverse(CROWD, np.zeros(36, np.float32), 3)
    assert {field(row) for row in chosen} == {0, 1, 2}


def test_what_is_worth_most_comes_first_and_worth_outweighs_a_little_likeness() -> None:
    worth = np.zeros(36, np.float32)
    worth[33] = 0.5
    assert diverse(CROWD, worth, 1) == [33]
    worth[30:33] = 3.0
    assert sorted(diverse(CROWD, worth, 3)) == [30, 31, 32]


@pytest.mark.parametrize("most", [0, 5, 36, 100])
def test_each_paper_comes_once_and_never_more_than_there_are(most: int) -> None:
    chosen = diverse(CROWD, np.zeros(36, np.float32), most)
    assert len(chosen) == len(set(chosen)) == min(most, 36)


def test_papers_without_words_and_no_papers_are_no_error() -> None:
    blank = np.zeros((3, 8), np.float32)
    assert diverse(blank, np.zeros(3, np.float32), 2) == [0, 1]
    assert diverse(blank[:0], np.zeros(0, np.float32), 2) == []
