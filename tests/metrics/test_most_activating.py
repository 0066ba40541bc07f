from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from csg_analyze.metrics.exemplars import most_activating


@given(
    arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 5)), elements=st.sampled_from([-1, 0, 0.5, 1, 2])),
    st.data(),
)
def test_most_activating_are_the_first_of_a_stable_sort(activations: np.ndarray, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(activations)))
    exemplars = most_activating(activations, n)
    for k in range(activations.shape[1]):
        images = sorted(range(len(activations)), key=lambda i: (-activations[i, k], i))
        assert exemplars[k].tolist() == images[:n]


def test_more_filters_than_are_copied_at_once() -> None:
    activations = np.random.default_rng(0).normal(size=(50, 150))
    np.testing.assert_array_equal(most_activating(activations, 9), np.argsort(-activations, axis=0)[:9].T)
