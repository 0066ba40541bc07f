from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif

from csg_analyze.analyzers.mis import mis
from csg_analyze.errors import UsageError
from csg_analyze.metrics.permutations import permutation_test
from tests.examples import random_gate

NAMES = ("ant", "bee", "cat")


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 240)
    activations = np.maximum(rng.normal(size=(240, 5)) + 2 * (labels[:, None] == np.arange(5) % 3), 0)
    return activations.astype(np.float32), labels


def test_every_number_from_scikit_learns_matrix(data: tuple[np.ndarray, np.ndarray]) -> None:
    activations, labels = data
    gate = random_gate(3, 5)
    expected = np.array([mutual_info_classif(activations, labels == c, random_state=0) for c in range(3)]).T
    for estimator in ("exact", "sklearn"):
        result = mis(activations, labels, NAMES, gate, estimator=estimator)  # type: ignore[arg-type]
        table = result.tables["matrix"].pivot(index="filter", columns="class", values="mi")[list(NAMES)]
        np.testing.assert_allclose(table.to_numpy(), expected, atol=1e-9)
        assert result.summary["mis"] == pytest.approx(np.mean([max(row) for row in expected]), abs=1e-9)
        hits = [gate[int(np.argmax(row)), k] == 1 for k, row in enumerate(expected)]
        assert result.summary["gate_overlap"] == np.mean(hits)
        gates = result.tables["matrix"].pivot(index="filter", columns="class", values="gate")[list(NAMES)]
        np.testing.assert_array_equal(gates.to_numpy(), gate.T)
        per_class = result.tables["per_class"].set_index("class")
        np.testing.assert_allclose(per_class.loc[list(NAMES), "mean_mi"], expected.mean(0), atol=1e-9)
        assert per_class["n"].tolist() == [int((labels == c).sum()) for c in range(3)]


def test_options_reach_the_estimator(data: tuple[np.ndarray, np.ndarray]) -> None:
    activations, labels = data
    expected = np.array(
        [mutual_info_classif(activations, labels == c, n_neighbors=5, random_state=4) for c in range(3)]
    ).T
    found = mis(activations, labels, NAMES, None, n_neighbors=5, seed=4)
    assert found.summary["mis"] == pytest.approx(expected.max(1).mean(), abs=1e-9)
    assert "gate_overlap" not in found.summary


def test_a_class_without_images_is_said(data: tuple[np.ndarray, np.ndarray]) -> None:
    activations, labels = data
    result = mis(activations, labels, (*NAMES, "dodo"), None)
    assert "dodo" in result.notes[0]
    assert result.tables["per_class"].set_index("class").loc["dodo", "max_mi"] == 0


def test_permutations_add_significance(data: tuple[np.ndarray, np.ndarray]) -> None:
    activations, labels = data
    noise = np.random.default_rng(1).normal(size=(240, 40))
    result = mis(np.hstack([activations, noise]), labels, NAMES, None, permutations=99, significance=0.02)
    test = permutation_test(np.hstack([activations, noise]), labels, n_permutations=99)
    np.testing.assert_array_equal(result.tables["filters"]["best_p_value"], test.best_p_values)
    np.testing.assert_array_equal(result.tables["matrix"]["p_value"], test.p_values.ravel())
    assert (test.best_p_values[:5] == 0.01).all()  # the informative filters: as small as 99 permutations can show
    assert result.summary["significant_filters"] == np.mean(test.best_p_values < 0.02)
    assert float(result.summary["significant_filters"]) < 0.25  # type: ignore[arg-type]
    plain = mis(np.hstack([activations, noise]), labels, NAMES, None)
    assert plain.summary["mis"] == pytest.approx(result.summary["mis"], abs=1e-12)
    assert "p_value" not in plain.tables["matrix"]


@pytest.mark.parametrize(
    "options",
    [{"n_neighbors": 0}, {"permutations": -1}, {"significance": 1.0}, {"permutations": 9, "estimator": "sklearn"}],
)
def test_bad_options_are_refused(data: tuple[np.ndarray, np.ndarray], options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--"):
        mis(*data, NAMES, None, **options)
