from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.correlation import (
    correlation_matrix,
    nearest_filters,
    pair_values,
    share_at_least,
)

NAN = math.nan
shapes = st.tuples(st.integers(1, 9), st.integers(1, 6), st.integers(0, 10**6))


def filters(n_filters: int, length: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(n_filters, length))


def test_the_matrix_equals_scikit_learns() -> None:
    weights = filters(8, 27, 0)
    np.testing.assert_allclose(correlation_matrix(weights), cosine_similarity(weights), atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(shapes)
def test_the_matrix_is_symmetric_with_ones_on_its_diagonal(shape: tuple[int, int, int]) -> None:
    weights = filters(*shape)
    correlations = correlation_matrix(weights)
    np.testing.assert_array_equal(correlations, correlations.T)
    np.testing.assert_array_equal(correlations.diagonal(), 1)
    assert (np.abs(correlations) <= 1).all()


@settings(deadline=None, max_examples=40)
@given(shapes)
def test_length_does_not_matter_sign_and_order_do(shape: tuple[int, int, int]) -> None:
    weights, rng = filters(*shape), np.random.default_rng(shape[2])
    correlations = correlation_matrix(weights)
    scales, order = rng.uniform(1e-6, 1e6, (shape[0], 1)), rng.permutation(shape[0])
    np.testing.assert_allclose(correlation_matrix(weights * scales), correlations, atol=1e-12)
    np.testing.assert_allclose(correlation_matrix(weights[order]), correlations[np.ix_(order, order)], atol=1e-12)
    signs = rng.choice([-1.0, 1.0], (shape[0], 1))
    np.testing.assert_allclose(correlation_matrix(weights * signs), correlations * signs * signs.T, atol=1e-12)


def test_dead_filters_are_blank_and_count_nowhere() -> None:
    weights = filters(6, 10, 3)
    weights[[1, 4]] = 0
    correlations, alive = correlation_matrix(weights), [0, 2, 3, 5]
    assert np.isnan(correlations[[1, 4]]).all()
    assert np.isnan(correlations[:, [1, 4]]).all()
    np.testing.assert_allclose(correlations[np.ix_(alive, alive)], correlation_matrix(weights[alive]), atol=1e-15)
    np.testing.assert_array_equal(pair_values(correlations), pair_values(correlations[np.ix_(alive, alive)]))
    nearest, cosine = nearest_filters(correlations)
    assert nearest[1] == -1
    assert math.isnan(cosine[1])
    assert set(nearest[alive].tolist()) <= set(alive)


def literal_share(matrix: FloatArray, s: float) -> float:
    """Sec. 4.3 as it is written: the ratio of the elements that are at least s."""
    elements = [matrix[i, j] for i in range(len(matrix)) for j in range(len(matrix))]
    return float(np.mean([element >= s for element in elements]))


def test_shares_by_counting_elements() -> None:
    matrix, thresholds = correlation_matrix(filters(12, 8, 4)), np.linspace(0, 1, 101)
    pairs = pair_values(matrix)
    shares = share_at_least(pairs, thresholds, 12)
    np.testing.assert_allclose(shares, [literal_share(matrix, s) for s in thresholds])
    np.testing.assert_allclose(
        share_at_least(np.abs(pairs), thresholds, 12), [literal_share(np.abs(matrix), s) for s in thresholds]
    )
    off = [matrix[i, j] for i in range(12) for j in range(12) if i != j]
    np.testing.assert_allclose(share_at_least(pairs, thresholds), [np.mean(np.array(off) >= s) for s in thresholds])
    assert shares[-1] == 12 / 144


def test_rounding_does_not_decide_a_threshold() -> None:
    third = np.array([[1.0, 0, 0, 0], [0.1, 0.7, 0.5, 0.5]])  # the cosine is 0.1 in exact arithmetic
    pairs = pair_values(correlation_matrix(third))
    assert share_at_least(pairs + 1e-15, np.array([0.1]))[0] == share_at_least(pairs - 1e-15, np.array([0.1]))[0] == 1


def test_a_single_filter_has_no_pairs() -> None:
    pairs = pair_values(correlation_matrix(filters(1, 4, 0)))
    assert len(pairs) == 0
    assert share_at_least(pairs, np.array([0.0, 1.0]), 1).tolist() == [1, 1]
    assert np.isnan(share_at_least(pairs, np.array([0.5]))).all()


def test_the_nearest_filter_by_a_loop() -> None:
    matrix = correlation_matrix(filters(9, 5, 9))
    nearest, cosine = nearest_filters(matrix)
    for i in range(9):
        best = max((j for j in range(9) if j != i), key=lambda j: abs(matrix[i, j]))
        assert (nearest[i], cosine[i]) == (best, matrix[i, best])
