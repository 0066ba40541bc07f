from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy

from csg_analyze.analyzers.mis.specificity import (
    class_entropy,
    class_selectivity,
    normalised_information,
    overlap_with_gate,
    rank_correlation,
)
from csg_analyze.metrics.mutual_information import mutual_information_score

RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1, 3], [5, 3, 2])  # class 2 is absent


def test_entropy_by_scipy() -> None:
    for c, computed in enumerate(class_entropy(LABELS, 4)):
        p = float((c == LABELS).mean())
        assert computed == pytest.approx(entropy([p, 1 - p]))


def test_a_filter_that_tells_all_has_normalised_information_one() -> None:
    matrix = np.tile(class_entropy(LABELS, 4), (2, 1)) * [[1.0], [0.5]]
    normalised = normalised_information(matrix, LABELS)
    np.testing.assert_allclose(normalised[:, [0, 1, 3]], [[1, 1, 1], [0.5, 0.5, 0.5]])
    assert np.isnan(normalised[:, 2]).all()


def test_selectivity_by_the_definition() -> None:
    means = np.array([[4.0, 1, 0, 2, -1], [1.0, 1, 0, 0, 2], [np.nan] * 5, [2.0, 1, 0, 0, -3]])
    selectivity = class_selectivity(means)
    np.testing.assert_allclose(selectivity[[0, 1, 3]], [(4 - 1.5) / (4 + 1.5), 0, 1])
    assert math.isnan(selectivity[2])  # a dead filter
    assert math.isnan(selectivity[4])  # negative activations


@given(arrays(np.float64, (4, 3), elements=st.floats(0.01, 100)), st.floats(0.01, 100))
def test_selectivity_lies_in_0_1_and_knows_no_scale(means: np.ndarray, scale: float) -> None:
    selectivity = class_selectivity(means)
    assert ((selectivity >= 0) & (selectivity <= 1)).all()
    np.testing.assert_allclose(class_selectivity(means * scale), selectivity, atol=1e-9)
    np.testing.assert_allclose(class_selectivity(means[::-1]), selectivity, atol=1e-9)


def test_score_and_overlap_by_plain_loops() -> None:
    matrix, gate = RNG.random((6, 4)), (RNG.random((4, 6)) > 0.5).astype(float)
    assert mutual_information_score(matrix) == pytest.approx(sum(max(row) for row in matrix) / 6)
    hits = sum(gate[max(range(4), key=lambda c: matrix[k, c]), k] == max(gate[:, k]) for k in range(6))
    assert overlap_with_gate(matrix, gate) == pytest.approx(hits / 6)


def test_rank_correlation_sees_order_only_and_knows_when_there_is_none() -> None:
    values = np.array([0.1, 0.5, 0.2, np.nan, 3.0])
    assert rank_correlation(values, np.exp(values)) == pytest.approx(1)
    assert rank_correlation(values, -values) == pytest.approx(-1)
    assert rank_correlation(values, np.ones(5)) is None
