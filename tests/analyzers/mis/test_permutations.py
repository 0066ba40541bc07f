"""Permutation p-values against a plain loop, and their behaviour on noise and on signal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.analyzers.mis.permutations import (
    adjusted_p_values,
    fewest_significant,
    needed_permutations,
    permutation_test,
)
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.mutual_information import mutual_information


def noise_and_one_informative_filter(n_filters: int, seed: int) -> tuple[FloatArray, IntArray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, 120)
    activations = np.maximum(generator.normal(size=(120, n_filters)), 0.0).astype(np.float32)
    activations[:, 0] = generator.normal(size=120) + 2 * (labels == 1)
    return activations, labels


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_equals_a_loop_over_permuted_labels(n_jobs: int) -> None:
    activations, labels = noise_and_one_informative_filter(7, seed=0)
    done: list[float] = []
    result = permutation_test(
        activations, labels, n_permutations=10, n_classes=5, seed=3, n_jobs=n_jobs, progress=done.append
    )
    observed = mutual_information(activations, labels, n_classes=5, seed=3)
    generator = np.random.default_rng(3)
    null = np.stack(
        [mutual_information(activations, generator.permutation(labels), n_classes=5, seed=3) for _ in range(10)]
    )
    np.testing.assert_array_equal(result.matrix, observed)
    np.testing.assert_allclose(result.p_values, (1 + (null >= observed).sum(axis=0)) / 11)
    np.testing.assert_allclose(result.best_p_values, (1 + (null.max(axis=2) >= observed.max(axis=1)).sum(axis=0)) / 11)
    np.testing.assert_allclose(result.best_chance, null.max(axis=2).mean(axis=0))
    assert (result.p_values[:, 4] == 1).all()
    assert result.n_permutations == 10
    assert done == sorted(done)
    assert done[-1] == 1


def test_signal_is_found_and_noise_is_not() -> None:
    activations, labels = noise_and_one_informative_filter(200, seed=1)
    result = permutation_test(activations, labels, n_permutations=99)
    assert result.p_values[0, 1] == 0.01
    assert result.best_p_values[0] == 0.01
    # On noise a share of about alpha lies at or below alpha; 199 filters leave a standard error of .02 and .03.
    noise = result.best_p_values[1:]
    assert 0.03 < np.mean(noise <= 0.1) < 0.18
    assert 0.15 < np.mean(noise <= 0.25) < 0.36
    assert noise.min() > 0


def test_at_least_one_permutation() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        permutation_test(np.zeros((3, 1)), np.array([0, 1, 0]), n_permutations=0)


def significant_by_a_loop(p_values: list[float], rate: float) -> list[bool]:
    """Benjamini and Hochberg (1995): all up to the last that is at most its rank's share of the rate."""
    ordered = sorted(p_values)
    limit = -1.0
    for rank, p in enumerate(ordered, start=1):
        if p <= rate * rank / len(ordered):
            limit = p
    return [p <= limit for p in p_values]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=40), st.sampled_from([0.011, 0.053, 0.207]))
def test_adjusted_p_values_find_what_the_procedure_finds(reached: list[int], rate: float) -> None:
    p_values = np.array(reached) / 200
    adjusted = adjusted_p_values(p_values, np.ones(len(p_values), bool))
    assert (adjusted <= rate).tolist() == significant_by_a_loop(p_values.tolist(), rate)
    assert (adjusted >= p_values - 1e-15).all()


def test_what_is_not_tested_does_not_count() -> None:
    p_values = np.array([0.01, 0.9, 0.04, 0.001])
    adjusted = adjusted_p_values(p_values, np.array([True, False, True, False]))
    np.testing.assert_allclose(adjusted, [0.02, np.nan, 0.04, np.nan])
    assert np.isnan(adjusted_p_values(p_values, np.zeros(4, bool))).all()


@pytest.mark.parametrize("n_tests", [1, 3, 60, 64, 2048])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_permutations_that_the_procedure_needs(n_tests: int, rate: float) -> None:
    for n_significant in {1, (n_tests + 1) // 2, n_tests}:
        needed = needed_permutations(n_tests, n_significant, rate)
        for n_permutations, significant in ((needed, n_significant), (needed - 1, 0)):
            p_values = [1 / (n_permutations + 1)] * n_significant + [1.0] * (n_tests - n_significant)
            assert sum(significant_by_a_loop(p_values, rate * (1 + 1e-12))) == significant
        assert fewest_significant(n_tests, needed, rate) == n_significant
        assert fewest_significant(n_tests, needed - 1, rate) > n_significant
