from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import bootstrap, norm

from csg_analyze.analyzers.adversarial.detection import resampled
from csg_analyze.metrics.paired import mcnemar, paired_difference, paired_difference_of_rates


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
