from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, norm, ttest_1samp

from csg_analyze.metrics.statistics import (
    bootstrap_interval_of_share,
    intervals,
    largest_unseen,
    mcnemar,
    mean_with_interval,
    paired_difference,
    paired_difference_of_rates,
    resampled,
    resampled_groups,
)

RNG = np.random.default_rng(1)


def test_the_interval_is_scipys_paired_bootstrap() -> None:
    rng = np.random.default_rng(0)
    first = rng.random(80)
    second = first + rng.normal(0.1, 0.2, 80)
    difference, low, high = paired_difference(first, second, resamples=4000)
    assert difference == pytest.approx(np.mean(first) - np.mean(second))
    expected = bootstrap((first - second,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.004)


def test_pairing_matters() -> None:
    rng = np.random.default_rng(0)
    first = rng.random(200)
    _, low, high = paired_difference(first, first + 0.01)
    assert (low, high) == pytest.approx((-0.01, -0.01))
    _, low, high = paired_difference(first, rng.permutation(first) + 0.01)
    assert low < -0.03
    assert high > 0.0


def test_nothing_to_compare_is_undefined() -> None:
    assert np.isnan(paired_difference(np.empty(0), np.empty(0))).all()


def test_a_difference_of_rates_counts_every_judgement_once() -> None:
    rng = np.random.default_rng(0)
    judged = rng.integers(0, 4, (2, 60)).astype(float)  # some images were never judged in one, or in both
    wrong = rng.binomial(judged.astype(int), [[0.3], [0.1]]).astype(float)
    first, second = (np.stack([wrong[i], judged[i]], axis=1) for i in (0, 1))
    difference, low, high = paired_difference_of_rates(first, second, resamples=500)
    assert difference == pytest.approx(wrong[0].sum() / judged[0].sum() - wrong[1].sum() / judged[1].sum())
    drawn = []
    for weights in resampled(60, resamples=500, seed=0):
        images = np.repeat(np.arange(60), weights.astype(int))
        shares = [sum(wrong[i][k] for k in images) / sum(judged[i][k] for k in images) for i in (0, 1)]
        drawn.append(shares[0] - shares[1])
    assert (low, high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])))
    assert paired_difference_of_rates(first, first)[1:] == (0.0, 0.0)
    assert np.isnan(paired_difference_of_rates(first, np.zeros((60, 2)))).all()


def test_rates_where_everything_was_judged_once_are_means() -> None:
    rng = np.random.default_rng(1)
    wrong = (rng.random((2, 50)) < 0.4).astype(float)
    first, second = (np.stack([each, np.ones(50)], axis=1) for each in wrong)
    assert paired_difference_of_rates(first, second) == pytest.approx(paired_difference(*wrong))


def test_mcnemar_by_binomial_sums() -> None:
    first = np.array([True] * 12 + [False] * 3 + [True] * 40 + [False] * 5)
    second = np.array([False] * 12 + [True] * 3 + [True] * 40 + [False] * 5)
    tail = sum(math.comb(15, k) for k in range(4)) / 2**15
    assert mcnemar(first, second) == pytest.approx(2 * tail)
    assert mcnemar(first, first) == 1.0
    large = np.arange(2000) % 2 == 0
    worse = large & (np.arange(2000) % 8 != 0)
    z = (250 - 0) / math.sqrt(250)
    assert mcnemar(large, worse) < 2 * norm.sf(z) * 10


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8))
def test_the_interval_is_that_of_the_t_test(values: list[float]) -> None:
    mean = mean_with_interval(np.array(values))
    assert mean.n == len(values)
    assert mean.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    squares = sum((value - sum(values) / len(values)) ** 2 for value in values)
    assert mean.sd == pytest.approx((squares / (len(values) - 1)) ** 0.5, abs=1e-9)
    if mean.sd > 1e-6:
        oracle = ttest_1samp(values, 0).confidence_interval(0.95)
        assert (mean.low, mean.high) == pytest.approx((oracle.low, oracle.high), rel=1e-6, abs=1e-9)


def test_too_few_values_have_no_interval() -> None:
    one = mean_with_interval(np.array([3.0]))
    assert (one.n, one.mean) == (1, 3.0)
    assert np.isnan([one.sd, one.low, one.high]).all()
    none = mean_with_interval(np.array([]))
    assert none.n == 0
    assert np.isnan(none[1:]).all()


def test_what_was_never_seen_may_still_be() -> None:
    for n in (1, 20, 100):
        bound = largest_unseen(n)
        assert (1 - bound) ** n == pytest.approx(0.025)  # a larger share would have shown with 97.5 %
    assert np.isnan(largest_unseen(0))
    assert bootstrap_interval_of_share(0.0, np.zeros(50), 100) == (0.0, largest_unseen(100))
    assert bootstrap_interval_of_share(1.0, np.ones(50), 100) == (1 - largest_unseen(100), 1.0)
    low, high = bootstrap_interval_of_share(0.5, np.linspace(0.4, 0.6, 201), 100)
    assert (low, high) == pytest.approx((0.405, 0.595))


def test_two_models_that_never_differ_might() -> None:
    same = np.ones(30, dtype=bool)
    assert paired_difference(same, same) == (0.0, -largest_unseen(30), largest_unseen(30))
    counts = np.stack([np.zeros(30), np.full(30, 4)], axis=1)
    assert paired_difference_of_rates(counts, counts) == (0.0, -largest_unseen(30), largest_unseen(30))


def test_resamples_are_draws_with_replacement() -> None:
    weights = resampled(20, resamples=500, seed=0)
    assert (weights.sum(axis=1) == 20).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(20), abs=0.2)
    assert np.array_equal(weights, resampled(20, resamples=500, seed=0))


def test_images_of_one_picture_are_drawn_together() -> None:
    groups = np.array([4, 4, 7, 9, 9, 9])
    draws = resampled_groups(groups, resamples=500, seed=0)
    assert (draws[:, 0] == draws[:, 1]).all()
    assert (draws[:, 3] == draws[:, 4]).all()
    assert (draws[:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert draws.mean() == pytest.approx(1, abs=0.1)
    assert np.array_equal(draws, resampled_groups(groups, resamples=500, seed=0))


def test_an_interval_is_that_of_percentiles() -> None:
    values = RNG.normal(size=(400, 3))
    values[:, 2] = np.nan
    low, high = intervals(values)
    assert low[:2] == pytest.approx(np.percentile(values[:, :2], 2.5, axis=0))
    assert high[:2] == pytest.approx(np.percentile(values[:, :2], 97.5, axis=0))
    assert np.isnan(low[2])
    assert np.isnan(high[2])
