from __future__ import annotations

import numpy as np
import pytest

from csg_analyze.analyzers.gallery.certainty import information_margin, share_of_class


def test_share_of_class_by_counting() -> None:
    labels = np.array([[0, 0, 1, 0], [2, 2, 2, 2], [1, 1, 0, 0], [1, 1, 1, 1]])
    shares = share_of_class(labels, np.array([0, 2, 3, 4]), 3)
    np.testing.assert_array_equal(shares, [0.75, 1, np.nan, np.nan])


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
