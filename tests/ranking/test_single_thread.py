"""Small products run on one thread while digests are prepared, and as before afterwards."""

import numpy as np
import pytest
import threadpoolctl

from newsletter.ranking.single_thread import single_thread


def _threads() -> list[int]:
    assert np.ones((2, 2)).dot(np.ones(2)).sum() == 4  # the library is loaded
    return [each["num_threads"] for each in threadpoolctl.threadpool_info() if _is_blas(each)]


def _is_blas(library: dict[str, object]) -> bool:
    return library["user_api"] == "blas"


def test_products_run_on_one_thread_within_and_on_as_many_as_before_after_it() -> None:
    before = _threads()
    assert before
    with single_thread():
        assert set(_threads()) == {1}
        with single_thread():
            pass
        assert set(_threads()) == {1}
    assert _threads() == before


def test_threads_are_given_back_when_something_fails_within() -> None:
    before = _threads()
    with pytest.raises(ValueError, match="broken"), single_thread():
        raise ValueError("broken")
    assert _threads() == before
