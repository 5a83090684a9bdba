"""Profiles as bytes."""

import numpy as np
import pytest

from newsletter.core.models import Profile
from newsletter.ranking.profiles import packing


def profile(rows: np.ndarray, likes: float = 2.0) -> Profile:
    return Profile(topic_id=1, feature_space="", coefficients=packing.pack(rows), like_weight=likes)


def test_sums_come_back_to_half_precision_and_rows_of_zeros_take_no_room() -> None:
    generator = np.random.default_rng(0)
    rows = np.zeros((3, 768), np.float32)
    rows[0] = generator.normal(size=768)
    whole = np.stack([generator.normal(size=768).astype(np.float32) for _ in range(3)])
    profiles = [profile(rows), profile(whole), profile(np.zeros((3, 768), np.float32), 0)]
    assert [len(each.coefficients) for each in profiles] == [1 + 2 * 768, 1 + 6 * 768, 1]
    sums = packing.unpack(profiles, 768)
    assert sums.likes[0] == pytest.approx(rows[0], rel=1e-3, abs=1e-6)
    assert sums.dislikes[1] == pytest.approx(whole[1], rel=1e-3, abs=1e-6)
    assert sums.texts[1] == pytest.approx(whole[2], rel=1e-3, abs=1e-6)
    assert not sums.dislikes[0].any()
    assert not sums.likes[2].any()
    assert sums.like_weight.tolist() == [2, 2, 0]


def test_what_is_beyond_half_precision_stays_finite() -> None:
    rows = np.full((3, 4), 1e6, np.float32)
    assert np.isfinite(packing.unpack([profile(rows)], 4).likes).all()
