from __future__ import annotations

import math
from itertools import combinations, permutations

import numpy as np
import pytest

from csg_analyze.analyzers.correlation.scores import between_groups, near_duplicates, within_groups
from csg_analyze.metrics.arrays import BoolArray, FloatArray
from csg_analyze.metrics.correlation import correlation_matrix, pair_values

NAN = math.nan


def filters(n_filters: int, length: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(n_filters, length))


def test_dead_filters_count_nowhere() -> None:
    weights = filters(6, 10, 3)
    weights[[1, 4]] = 0
    correlations, alive = correlation_matrix(weights), [0, 2, 3, 5]
    members = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]], dtype=bool)
    for mean in (between_groups, within_groups):
        overall, each = mean(correlations, members)
        expected, expected_each = mean(correlations[np.ix_(alive, alive)], members[:, alive])
        assert overall == pytest.approx(expected)
        np.testing.assert_allclose(each, expected_each)


def test_a_single_filter_has_no_duplicates() -> None:
    assert math.isnan(near_duplicates(pair_values(correlation_matrix(filters(1, 4, 0))), 0.95))


def test_near_duplicates_point_the_same_or_the_opposite_way() -> None:
    weights = filters(5, 30, 5)
    weights[3], weights[4] = 2 * weights[0], -weights[1]
    assert near_duplicates(pair_values(correlation_matrix(weights)), 0.95) == 2 / 10


def literal_between(matrix: FloatArray, members: BoolArray) -> float:
    """The sum of Sec. 4.3 with its four loops, divided by the number of its terms."""
    terms = []
    for c, group in enumerate(members):
        for other, others in enumerate(members):
            if c != other:
                terms += [matrix[k, j] for k in np.flatnonzero(group) for j in np.flatnonzero(others)]
    return float(np.mean(terms)) if terms else NAN


def test_the_inter_class_correlation_by_four_loops() -> None:
    rng = np.random.default_rng(6)
    matrix = correlation_matrix(filters(20, 9, 6))
    # groups of one size that overlap, as the most activated filters of classes do
    members = np.zeros((5, 20), dtype=bool)
    for row in members:
        row[rng.choice(20, 4, replace=False)] = True
    overall, each = between_groups(matrix, members)
    assert overall == pytest.approx(literal_between(matrix, members))
    # with m filters in each of C groups the number of terms is the paper's C (C - 1) m^2
    total = sum(
        matrix[k, j]
        for a in range(5)
        for b in range(5)
        for k in np.flatnonzero(members[a])
        for j in np.flatnonzero(members[b])
        if a != b
    )
    assert overall == pytest.approx(total / (5 * 4 * 4**2))
    assert each.mean() == pytest.approx(overall)
    different = [
        matrix[k, j]
        for a, b in permutations(range(5), 2)
        for k in np.flatnonzero(members[a])
        for j in np.flatnonzero(members[b])
        if k != j
    ]
    assert between_groups(matrix, members, diagonal=False)[0] == pytest.approx(np.mean(different))
    assert each[2] == pytest.approx(
        np.mean([matrix[np.ix_(members[2], members[b])].mean() for b in range(5) if b != 2])
    )


def test_groups_of_any_size_by_plain_loops() -> None:
    matrix, owner = correlation_matrix(filters(15, 6, 7)), np.array([0, 1, 1, 3, 3, 3, 3, 5, 0, 0, 2, 1, 3, 3, 3])
    members = owner[None] == np.arange(6)[:, None]  # class 4 owns nothing, classes 2 and 5 a single filter
    overall, each = within_groups(matrix, members)
    same = [matrix[i, j] for i, j in combinations(range(15), 2) if owner[i] == owner[j]]
    assert overall == pytest.approx(np.mean(same))
    assert each[0] == pytest.approx(np.mean([matrix[0, 8], matrix[0, 9], matrix[8, 9]]))
    assert np.isnan(each[[2, 4, 5]]).all()
    apart, each_apart = between_groups(matrix, members)
    assert apart == pytest.approx(
        np.mean([matrix[i, j] for i, j in combinations(range(15), 2) if owner[i] != owner[j]])
    )
    assert math.isnan(each_apart[4])
    assert each_apart[5] == pytest.approx(np.mean([matrix[7, j] for j in range(15) if j != 7]))


def test_without_two_groups_there_is_nothing_between() -> None:
    matrix = correlation_matrix(filters(4, 6, 8))
    for members in (np.zeros((0, 4), dtype=bool), np.ones((1, 4), dtype=bool), np.zeros((3, 4), dtype=bool)):
        assert math.isnan(between_groups(matrix, members)[0])
    assert math.isnan(within_groups(matrix, np.eye(4, dtype=bool))[0])
