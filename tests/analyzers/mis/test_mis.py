from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import false_discovery_control
from sklearn.feature_selection import mutual_info_classif

from csg_analyze.analyzers.mis.analysis import mis
from csg_analyze.analyzers.mis.permutations import permutation_test
from csg_analyze.errors import UsageError
from csg_analyze.metrics.mutual_information import mutual_information
from csg_analyze.report.writing import long_form
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
        table = long_form(result.matrices["matrix"]).pivot(index="filter", columns="class", values="mi")[list(NAMES)]
        np.testing.assert_allclose(table.to_numpy(), expected, atol=1e-9)
        assert result.summary["mis"] == pytest.approx(np.mean([max(row) for row in expected]), abs=1e-9)
        hits = [gate[int(np.argmax(row)), k] == 1 for k, row in enumerate(expected)]
        assert result.summary["gate_overlap"] == np.mean(hits)
        gates = long_form(result.matrices["matrix"]).pivot(index="filter", columns="class", values="gate")[list(NAMES)]
        np.testing.assert_array_equal(gates.to_numpy(), gate.T)
        per_class = result.frame("per_class").set_index("class")
        np.testing.assert_allclose(per_class.loc[list(NAMES), "mean_mi"], expected.mean(0), atol=1e-9)
        assert per_class["n"].tolist() == [int((labels == c).sum()) for c in range(3)]


def test_options_reach_the_estimator(data: tuple[np.ndarray, np.ndarray]) -> None:
    activations, labels = data
    expected = np.array(
        [mutual_info_classif(activations, labels == c, n_neighbors=5, random_state=4) for c in range(3)]
    ).T
    result = mis(activations, labels, NAMES, None, n_neighbors=5, seed=4)
    assert result.summary["mis"] == pytest.approx(expected.max(1).mean(), abs=1e-9)
    assert "gate_overlap" not in result.summary


def test_a_class_without_images_is_said(data: tuple[np.ndarray, np.ndarray]) -> None:
    activations, labels = data
    result = mis(activations, labels, (*NAMES, "dodo"), None)
    assert "dodo" in result.notes[0]
    assert result.frame("per_class").set_index("class").loc["dodo", "max_mi"] == 0


def test_permutations_add_significance(data: tuple[np.ndarray, np.ndarray]) -> None:
    activations, labels = data
    noise = np.random.default_rng(1).normal(size=(240, 40))
    result = mis(np.hstack([activations, noise]), labels, NAMES, None, permutations=99, significance=0.02)
    test = permutation_test(np.hstack([activations, noise]), labels, n_permutations=99)
    np.testing.assert_array_equal(result.frame("filters")["best_p_value"], test.best_p_values)
    np.testing.assert_array_equal(long_form(result.matrices["matrix"])["p_value"], test.p_values.ravel())
    assert (test.best_p_values[:5] == 0.01).all()  # the informative filters: as small as 99 permutations can show
    # 5 of 45 with a level of .01 are too few at a rate of .02: the note says how many it takes
    assert result.summary["significant_filters"] is None
    assert "at least 23 with the smallest possible level" in result.notes[-1]
    assert "--permutations 2249 can show a single one" in result.notes[-1]
    plain = mis(np.hstack([activations, noise]), labels, NAMES, None)
    assert plain.summary["mis"] == pytest.approx(result.summary["mis"], abs=1e-12)
    assert "p_value" not in long_form(plain.matrices["matrix"])


@pytest.mark.parametrize(
    "options",
    [
        {"n_neighbors": 0},
        {"permutations": -1},
        {"significance": 1.0},
        {"permutations": 99, "estimator": "sklearn"},
        {"permutations": 18},
    ],
)
def test_bad_options_are_refused(data: tuple[np.ndarray, np.ndarray], options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--"):
        mis(*data, NAMES, None, **options)


def test_significance_is_corrected_for_the_number_of_filters() -> None:
    """40 filters of noise: uncorrected, one in twenty passes; of five that tell of a class, all are result."""
    rng = np.random.default_rng(3)
    labels = np.arange(60) % 3
    activations = rng.normal(size=(60, 80))
    noise = mis(activations[:, 5:45], labels, NAMES, None, permutations=799)
    assert (noise.frame("filters")["best_p_value"] < 0.05).any()
    assert noise.summary["significant_filters"] == 0
    activations[:, :5] += 9 * (labels == 1)[:, None]
    result = mis(activations[:, :40], labels, NAMES, None, permutations=199)
    table = result.frame("filters")
    expected = false_discovery_control(table["best_p_value"]) <= 0.05
    assert (table["adjusted_p_value"] <= 0.05).tolist() == expected.tolist()
    assert expected[:5].all()
    assert result.summary["significant_filters"] == expected.mean()


@pytest.mark.parametrize("options", [{}, {"estimator": "sklearn"}, {"permutations": 40}])
def test_the_chance_level_stands_beside_mis(data: tuple[np.ndarray, np.ndarray], options: dict[str, Any]) -> None:
    activations, labels = data
    result = mis(activations, labels, NAMES, None, seed=3, **options)
    assert list(result.summary)[:3] == ["mis", "mis_chance", "mis_above_chance"]
    score, chance, rest = list(result.summary.values())[:3]
    assert rest == score - chance  # type: ignore[operator]
    if options:
        said = {"estimator": "by the exact estimator", "permutations": "the same 40 permutations"}
        assert all(said[name] in " ".join(result.notes) for name in options)
    if "permutations" in options:
        assert chance == permutation_test(activations, labels, n_permutations=40, seed=3).best_chance.mean()
        return
    best = []
    for k in range(5):
        generator = np.random.default_rng((3, k))
        for _ in range(10):
            permuted = generator.permutation(labels)
            best.append(mutual_information(activations, permuted, seed=3)[k].max())
    assert chance == pytest.approx(np.mean(best), abs=1e-12)


def test_dead_filters_are_counted_named_and_left_out_beside(data: tuple[np.ndarray, np.ndarray]) -> None:
    labels = data[1][:50]
    activations = np.insert(data[0][:50], [0, 2], [0.0, 7.5], axis=1)
    activations[0, 5] += 1e-3  # near enough to dead is not dead
    activations[1:, 5] = activations[1, 5]
    result = mis(activations, labels, NAMES, random_gate(3, 7), permutations=99)
    alive = mis(np.delete(activations, [0, 3], axis=1), labels, NAMES, None)
    table = result.frame("filters")
    assert table.index[table["dead"]].tolist() == [0, 3]
    assert table["mi"][[0, 3]].max() > 0.01  # noise, as scikit-learn has it
    assert result.summary["dead_filters"] == 2
    assert result.summary["mis_without_dead"] == pytest.approx(alive.summary["mis"], abs=1e-2)  # other ties' noise
    assert result.summary["mis_without_dead"] == pytest.approx(table["mi"][~table["dead"]].mean())
    assert result.summary["mis"] == pytest.approx(table["mi"].mean())
    assert table["class"].isna().tolist() == table["adjusted_p_value"].isna().tolist() == table["dead"].tolist()
    assert result.frame("per_class")["n_filters"].sum() == 5
    assert "2 of 7 filters are dead, the same activation on every image: 0, 3." in result.notes[0]


def test_a_layer_of_dead_filters_has_no_mis_without_them(data: tuple[np.ndarray, np.ndarray]) -> None:
    result = mis(np.zeros((240, 2)), data[1], NAMES, random_gate(3, 2), permutations=19)
    assert result.summary["mis_without_dead"] is None
    assert result.summary["gate_overlap"] is None
    assert result.summary["significant_filters"] == 0
    assert mis(*data, NAMES, None).summary["dead_filters"] == 0


def test_estimates_above_the_entropy_are_counted_and_said(data: tuple[np.ndarray, np.ndarray]) -> None:
    labels = np.repeat([0, 1, 2], [6, 60, 60])
    activations = np.random.default_rng(0).normal(size=(126, 2)) * 0.1
    activations[:, 0] += 10 * (labels == 0)  # tells all about a rare class
    result = mis(activations, labels, NAMES, None)
    shares = long_form(result.matrices["matrix"])["normalised_mi"]
    assert result.summary["shares_above_1"] == (shares > 1).sum() > 0
    assert f"{(shares > 1).sum()} of 6 entries are estimated above the entropy" in result.notes[0]
    assert f"{shares.max():.4g}" in result.notes[0]
    usual = mis(*data, NAMES, None)
    assert usual.summary["shares_above_1"] == 0
    assert "entropy" not in " ".join(usual.notes)
