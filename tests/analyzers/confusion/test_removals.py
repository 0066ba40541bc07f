from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csg_analyze.analyzers.confusion.removals import (
    highest_information,
    mean_recall,
    owned_by_any,
    recall,
    shares,
    strongest_share,
)


@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 2**16))
def test_recall_by_plain_loops(n_classes: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, predictions = rng.integers(0, n_classes, (2, n))
    recalls = recall(labels, np.stack([predictions, labels]), n_classes)
    for c in range(n_classes):
        own = labels == c
        if own.any():
            assert recalls[0, c] == pytest.approx(np.mean(predictions[own] == c))
            assert recalls[1, c] == 1
        else:
            assert np.isnan(recalls[:, c]).all()
    np.testing.assert_array_equal(recall(labels, predictions, n_classes), recalls[0])


def test_a_mean_over_classes_leaves_blank_ones_out() -> None:
    recalls = np.array([[1.0, np.nan, 0.5, 0.0]])
    every, none, blank = np.ones((1, 4), bool), np.zeros((1, 4), bool), np.array([[False, True, False, False]])
    assert mean_recall(recalls, every)[0] == 0.5
    assert np.isnan(mean_recall(recalls, none)[0])
    assert np.isnan(mean_recall(recalls, blank)[0])
    np.testing.assert_array_equal(shares(np.array([1, 2, 0]), np.array([2, 0, 5])), [0.5, np.nan, 0.0])


@given(st.integers(1, 30), st.floats(0.01, 1), st.integers(0, 2**16))
def test_the_strongest_filters_by_plain_sorting(n_filters: int, fraction: float, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 4, (3, n_filters)).astype(float)
    scores[1] = np.nan
    chosen = strongest_share(scores, fraction)
    count = max(1, round(fraction * n_filters))
    for row in (0, 2):
        order = sorted(range(n_filters), key=lambda k: (-scores[row, k], k))
        assert np.flatnonzero(chosen[row]).tolist() == sorted(order[:count])
    assert not chosen[1].any()


def test_the_filters_of_sets_of_classes_by_plain_loops() -> None:
    rng = np.random.default_rng(0)
    groups = np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], dtype=bool)
    information = rng.random((7, 4))
    information[:, 3] = np.nan
    best = highest_information(information, groups)
    assert best[1].tolist() == [max(information[k, 0], information[k, 2]) for k in range(7)]
    assert np.isnan(best[2]).all()
    belongs = rng.random((4, 7)) > 0.5
    assert owned_by_any(belongs, groups)[1].tolist() == [belongs[0, k] or belongs[2, k] for k in range(7)]
