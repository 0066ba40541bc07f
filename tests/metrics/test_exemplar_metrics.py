from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from csg_analyze.metrics.exemplars import information_margin, most_activating, share_of_class


@given(
    arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 5)), elements=st.sampled_from([-1, 0, 0.5, 1, 2])),
    st.data(),
)
def test_most_activating_are_the_first_of_a_stable_sort(activations: np.ndarray, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(activations)))
    found = most_activating(activations, n)
    for k in range(activations.shape[1]):
        images = sorted(range(len(activations)), key=lambda i: (-activations[i, k], i))
        assert found[k].tolist() == images[:n]


def test_more_filters_than_are_copied_at_once() -> None:
    activations = np.random.default_rng(0).normal(size=(50, 150))
    np.testing.assert_array_equal(most_activating(activations, 9), np.argsort(-activations, axis=0)[:9].T)


def test_share_of_class_by_counting() -> None:
    labels = np.array([[0, 0, 1, 0], [2, 2, 2, 2], [1, 1, 0, 0], [1, 1, 1, 1]])
    found = share_of_class(labels, np.array([0, 2, 3, 4]), 3)
    np.testing.assert_array_equal(found, [0.75, 1, np.nan, np.nan])


@pytest.mark.parametrize(
    ("row", "owner", "expected"),
    [
        ([0.4, 0.1, 0.3], 0, 0.25),
        ([0.4, 0.1, 0.3], 2, -0.25),
        ([0.4, 0.1, 0.3], 1, -0.75),
        ([0.4, 0.0, 0.0], 0, 1.0),
        ([0.4, 0.0, 0.0], 1, -1.0),
        ([0.2, 0.2, 0.0], 0, 0.0),
        ([0.0, 0.0, 0.0], 0, np.nan),
        ([0.4, 0.1, 0.3], 3, np.nan),
        ([0.4, 0.1, 0.3], 4, np.nan),
    ],
)
def test_margin_by_hand(row: list[float], owner: int, expected: float) -> None:
    matrix = np.array([row])
    np.testing.assert_allclose(information_margin(matrix, np.array([owner])), [expected])
    np.testing.assert_array_equal(matrix, [row])
