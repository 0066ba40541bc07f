from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from csg_analyze.metrics.means import mean_with_interval


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8))
def test_the_interval_is_that_of_the_t_test(values: list[float]) -> None:
    found = mean_with_interval(np.array(values))
    assert found.n == len(values)
    assert found.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    squares = sum((value - sum(values) / len(values)) ** 2 for value in values)
    assert found.sd == pytest.approx((squares / (len(values) - 1)) ** 0.5, abs=1e-9)
    if found.sd > 1e-6:
        oracle = ttest_1samp(values, 0).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), rel=1e-6, abs=1e-9)


def test_too_few_values_have_no_interval() -> None:
    one = mean_with_interval(np.array([3.0]))
    assert (one.n, one.mean) == (1, 3.0)
    assert np.isnan([one.sd, one.low, one.high]).all()
    none = mean_with_interval(np.array([]))
    assert none.n == 0
    assert np.isnan(none[1:]).all()
