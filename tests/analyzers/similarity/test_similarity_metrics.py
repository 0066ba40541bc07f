from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from csg_analyze.analyzers.similarity.scores import (
    clustered_order,
    cosines,
    highest_off_diagonal,
    mean_on_and_off_diagonal,
    share_with_maximum_on_diagonal,
)
from csg_analyze.metrics.arrays import FloatArray

NAN = math.nan


def test_cosines_equal_scikit_learns_and_the_definition() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(5, 7)), rng.normal(size=(4, 7))
    similarities = cosines(first.astype(np.float32), second)
    np.testing.assert_allclose(
        similarities, cosine_similarity(first.astype(np.float32).astype(float), second), atol=1e-12
    )
    by_hand = sum(a * b for a, b in zip(first[1], second[2], strict=True))
    by_hand /= math.sqrt(sum(a * a for a in first[1])) * math.sqrt(sum(b * b for b in second[2]))
    assert cosines(first, second)[1, 2] == pytest.approx(by_hand)


def test_what_has_no_direction_is_blank_where_scikit_learn_says_zero() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 0.0], [NAN, NAN], [3.0, 4.0]])
    similarities = cosines(rows, np.array([[0.0, 2.0], [0.0, 0.0]]))
    np.testing.assert_allclose(similarities, [[0, NAN], [NAN, NAN], [NAN, NAN], [0.8, NAN]])


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 10**6))
def test_cosines_are_bounded_and_deaf_to_length(rows: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, length))
    similarities = cosines(matrix, matrix)
    assert (np.abs(similarities) <= 1).all()
    np.testing.assert_allclose(cosines(matrix * rng.uniform(1e-6, 1e6, (rows, 1)), matrix), similarities, atol=1e-12)


MATRIX = np.array([[0.9, 0.2, NAN], [0.8, 0.7, NAN], [NAN, NAN, NAN]])


def test_means_and_shares_leave_blanks_out() -> None:
    assert mean_on_and_off_diagonal(MATRIX) == pytest.approx((0.8, 0.5))
    assert share_with_maximum_on_diagonal(MATRIX) == 0.5
    empty = np.full((2, 2), NAN)
    assert all(math.isnan(value) for value in (*mean_on_and_off_diagonal(empty), share_with_maximum_on_diagonal(empty)))
    # a tie is on the diagonal, and so is one that rounding has split
    assert share_with_maximum_on_diagonal(np.array([[0.5, 0.5], [0.3 + 1e-15, 0.3]])) == 1
    # a row without a gate of its own has no say, though it has values
    assert share_with_maximum_on_diagonal(np.array([[NAN, 0.4], [NAN, 0.5]])) == 1


def test_numbers_by_plain_loops() -> None:
    rng = np.random.default_rng(1)
    matrix = np.where(rng.random((8, 8)) < 0.2, NAN, rng.random((8, 8)))
    cells = [(matrix[y, c], y, c) for y in range(8) for c in range(8) if not math.isnan(matrix[y, c])]
    on, off = [v for v, y, c in cells if y == c], [(v, y, c) for v, y, c in cells if y != c]
    assert mean_on_and_off_diagonal(matrix) == pytest.approx((np.mean(on), np.mean([v for v, _, _ in off])))
    hits = [v == max(other for other, row, _ in cells if row == y) for v, y, c in cells if y == c]
    assert share_with_maximum_on_diagonal(matrix) == pytest.approx(np.mean(hits))
    expected = [(y, c) for _, y, c in sorted(off, reverse=True)[:10]]
    assert [tuple(cell) for cell in highest_off_diagonal(matrix, 10)] == expected


def test_there_may_be_fewer_pairs_than_asked_for() -> None:
    assert highest_off_diagonal(MATRIX, 10).tolist() == [[1, 0], [0, 1]]
    assert highest_off_diagonal(np.full((2, 2), NAN), 3).shape == (0, 2)


def shuffled_blocks(blank: int | None = None) -> tuple[FloatArray, list[int]]:
    """Nine classes of three kinds, mixed; classes of one kind are alike."""
    kinds = [0, 1, 2, 1, 0, 2, 2, 0, 1]
    matrix = np.array([[0.9 if a == b else 0.1 for b in kinds] for a in kinds])
    if blank is not None:
        matrix[blank] = NAN
    return matrix, kinds


@pytest.mark.parametrize("blank", [None, 4])
def test_similar_classes_become_neighbours(blank: int | None) -> None:
    matrix, kinds = shuffled_blocks(blank)
    order = clustered_order(matrix)
    assert sorted(order) == list(range(9))
    changes = sum(kinds[a] != kinds[b] for a, b in pairwise(order))
    assert changes == 2  # three kinds in one piece each


def test_an_order_exists_even_of_nothing() -> None:
    for matrix in (np.full((5, 5), NAN), np.ones((1, 1)), np.ones((2, 2)), -np.ones((4, 4))):
        assert sorted(clustered_order(matrix)) == list(range(len(matrix)))
