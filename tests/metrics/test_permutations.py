"""Permutation p-values against a plain loop, and their behaviour on noise and on signal."""

from __future__ import annotations

import numpy as np
import pytest

from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.mutual_information import mutual_information
from csg_analyze.metrics.permutations import permutation_test


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
