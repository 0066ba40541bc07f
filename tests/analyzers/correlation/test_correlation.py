from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.correlation.analysis import correlation
from csg_analyze.errors import UsageError
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.correlation import FilterWeights
from csg_analyze.plan import plan
from csg_analyze.report.writing import long_form
from tests.examples import random_classifier, random_dataset, random_gate

C, M1, M2 = 4, 3, 2
K = C * M1 + M2
NAMES = ("ant", "bee", "cat", "dog")
WITHIN, BETWEEN = 0.6, 0.2


def fixed_gate() -> FloatArray:
    return np.concatenate([np.repeat(np.eye(C), M1, axis=1), np.ones((C, M2))], axis=1)


def block_weights() -> FloatArray:
    """K unit filters: cosine 0.6 within a class, 0.2 between classes; the shared ones orthogonal to all others."""
    weights = np.zeros((K, 1 + C + K))
    for k in range(K):
        alone = 1 - WITHIN if k < C * M1 else 1
        weights[k, 1 + C + k] = math.sqrt(alone)
        if k < C * M1:
            weights[k, 0], weights[k, 1 + k // M1] = math.sqrt(BETWEEN), math.sqrt(WITHIN - BETWEEN)
    return weights


def images(gate: FloatArray) -> tuple[FloatArray, IntArray]:
    """Every class activates its own filters most, then the shared ones."""
    labels = np.arange(40) % len(gate)
    strength = gate[labels] * np.where(gate.sum(axis=0) > 1, 0.5, 1.0)
    return (strength + 0.01 * np.random.default_rng(0).random(strength.shape)).astype(np.float32), labels


def test_a_fixed_gate_with_blocks_has_the_numbers_one_can_work_out() -> None:
    activations, labels = images(fixed_gate())
    result = correlation(
        FilterWeights("conv", block_weights(), True), activations, labels, NAMES, fixed_gate(), (M1, M2)
    )
    summary = result.summary
    owned = C * M1
    same, other = C * M1 * (M1 - 1), owned * (owned - M1)  # ordered pairs within and between classes
    assert summary["r_0.1"] == pytest.approx((K + same + other) / K**2)
    assert summary["r_0.1_off_diagonal"] == pytest.approx((same + other) / (K * (K - 1)))
    assert summary["c_ic"] == pytest.approx(BETWEEN)
    assert summary["c_ic_off_diagonal"] == pytest.approx(BETWEEN)
    assert summary["within_groups"] == pytest.approx(WITHIN)
    assert summary["between_groups"] == pytest.approx(BETWEEN)
    assert summary["near_duplicate_pairs"] == 0
    assert (summary["group_size"], summary["grouped_by"], summary["layer"]) == (M1, "gate", "conv")
    curve = result.frame("curve").set_index("s")["r"]
    expected = {0.0: 1, 0.2: (K + same + other) / K**2, 0.21: (K + same) / K**2, 0.6: (K + same) / K**2}
    for s, share in {**expected, 0.61: K / K**2, 1.0: K / K**2}.items():
        assert curve.iloc[round(s * 100)] == pytest.approx(share), s
    groups = result.frame("groups")
    assert groups["group"].tolist() == [*NAMES, "(shared)"]
    assert groups["n_filters"].tolist() == [M1] * C + [M2]
    np.testing.assert_allclose(groups["within"], [WITHIN] * C + [np.nan])
    np.testing.assert_allclose(groups["c_ic"], [BETWEEN] * C + [np.nan])
    assert groups["most_activated"].tolist() == ["0 1 2", "3 4 5", "6 7 8", "9 10 11", ""]


@pytest.fixture(scope="module")
def data() -> tuple[FloatArray, FloatArray, IntArray]:
    """Weights (20, 18) of which two are near-duplicates and two opposite, activations (90, 20) and labels."""
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(20, 18)) + 0.5
    weights[7], weights[11] = 3 * weights[2] + 0.01, -weights[5]
    labels = rng.integers(0, 4, 90)
    return weights, rng.normal(size=(90, 20)) + rng.random((4, 20))[labels], labels


@pytest.mark.parametrize("with_gate", [False, True])
@pytest.mark.parametrize("group_size", [None, 3])
def test_every_number_by_plain_loops_and_scikit_learn(
    data: tuple[FloatArray, FloatArray, IntArray], with_gate: bool, group_size: int | None
) -> None:
    weights, activations, labels = data
    gate = random_gate(4, 20) if with_gate else None
    result = correlation(
        FilterWeights("conv", weights, True), activations, labels, NAMES, gate, None, group_size=group_size
    )
    matrix, summary, size = cosine_similarity(weights), result.summary, group_size or 20 // 4
    pairs = [(i, j) for i in range(20) for j in range(20) if i != j]
    assert summary["r_0.1"] == np.mean([matrix[i, j] >= 0.1 for i in range(20) for j in range(20)])
    assert summary["r_0.1_absolute"] == np.mean([abs(matrix[i, j]) >= 0.1 for i in range(20) for j in range(20)])
    assert summary["r_0.1_off_diagonal"] == pytest.approx(np.mean([matrix[p] >= 0.1 for p in pairs]))
    assert summary["r_0.1_absolute_off_diagonal"] == pytest.approx(np.mean([abs(matrix[p]) >= 0.1 for p in pairs]))
    for s, r in result.frame("curve")[["s", "r"]].to_numpy():
        assert r == np.mean(matrix >= s - 1e-9)
    assert summary["near_duplicate_pairs"] == np.mean([abs(matrix[p]) >= 0.95 for p in pairs])
    means = [[np.mean([activations[i, k] for i in range(90) if labels[i] == c]) for k in range(20)] for c in range(4)]
    active = [sorted(range(20), key=lambda k: means[c][k])[-size:] for c in range(4)]
    different = [(c, d) for c in range(4) for d in range(4) if c != d]
    terms = [matrix[k, j] for c, d in different for k in active[c] for j in active[d]]
    assert summary["c_ic"] == pytest.approx(sum(terms) / (4 * 3 * size**2))
    apart = [matrix[k, j] for c, d in different for k in active[c] for j in active[d] if k != j]
    assert len(apart) < len(terms)
    assert summary["c_ic_off_diagonal"] == pytest.approx(np.mean(apart))
    assert summary["c_ic_absolute"] == pytest.approx(np.mean(np.abs(terms)))
    assert summary["c_ic_absolute_off_diagonal"] == pytest.approx(np.mean(np.abs(apart)))
    assert any(f"{len(terms) - len(apart)} of {len(terms)} terms are a filter" in note for note in result.notes)
    strength = np.array(means) if gate is None else gate
    owner = [max(range(4), key=lambda c: strength[c, k]) for k in range(20)]
    assert summary["within_groups"] == pytest.approx(np.mean([matrix[i, j] for i, j in pairs if owner[i] == owner[j]]))
    assert summary["between_groups"] == pytest.approx(np.mean([matrix[i, j] for i, j in pairs if owner[i] != owner[j]]))
    once = [abs(matrix[i, j]) for i in range(20) for j in range(i) if owner[i] != owner[j]]
    assert summary["between_groups_absolute"] == pytest.approx(np.mean(once))
    assert summary["grouped_by"] == ("gate" if with_gate else "activation")
    filters = result.frame("filters")
    assert filters["group"].tolist() == [NAMES[c] for c in owner]
    expected_order = [k for c in range(4) for k in range(20) if owner[k] == c]
    assert [expected_order[place] for place in filters["place"]] == list(range(20))
    np.testing.assert_allclose(filters["norm"], [math.sqrt(sum(w * w for w in row)) for row in weights])
    nearest = [max((j for j in range(20) if j != k), key=lambda j: abs(matrix[k, j])) for k in range(20)]
    assert filters["nearest_filter"].tolist() == nearest
    np.testing.assert_allclose(filters["cosine"], matrix[np.arange(20), nearest])
    for table_row in long_form(result.matrices["matrix"]).itertuples():
        assert table_row.correlation == pytest.approx(matrix[table_row.filter, table_row.other_filter])
    assert long_form(result.matrices["matrix"])["filter"].drop_duplicates().tolist() == expected_order
    for row, (name, members) in zip(result.frame("groups").itertuples(), zip(NAMES, active, strict=True), strict=True):
        assert (row.group, row.n_filters) == (name, owner.count(NAMES.index(name)))
        assert row.most_activated == " ".join(map(str, sorted(members)))
        own = [k for k in range(20) if NAMES[owner[k]] == name]
        beyond = [abs(matrix[k, j]) for k in own for j in range(20) if j not in own]
        assert row.between_absolute == pytest.approx(np.mean(beyond))
        met = [matrix[k, j] for k in members for other in active if other is not members for j in other if j != k]
        assert row.c_ic_off_diagonal == pytest.approx(np.mean(met))


def test_the_threshold_of_near_duplicates_is_an_option(data: tuple[FloatArray, FloatArray, IntArray]) -> None:
    weights, activations, labels = data
    matrix = cosine_similarity(weights)[np.triu_indices(20, 1)]
    for threshold in (0.3, 1.0):
        result = correlation(
            FilterWeights("conv", weights, True), activations, labels, NAMES, None, None, duplicate_threshold=threshold
        )
        assert result.summary["near_duplicate_pairs"] == np.mean(np.abs(matrix) >= threshold - 1e-9)


def test_permuting_the_filters_changes_no_number(data: tuple[FloatArray, FloatArray, IntArray]) -> None:
    weights, activations, labels = data
    gate, order = random_gate(4, 20), np.random.default_rng(2).permutation(20)
    plain = correlation(FilterWeights("conv", weights, True), activations, labels, NAMES, gate, None)
    shuffled = correlation(
        FilterWeights("conv", weights[order] * 7, True), activations[:, order], labels, NAMES, gate[:, order], None
    )
    for name, value in plain.summary.items():
        assert shuffled.summary[name] == pytest.approx(value), name


def test_dead_filters_are_blank_and_said(data: tuple[FloatArray, FloatArray, IntArray]) -> None:
    weights, activations, labels = data
    weights = weights.copy()
    weights[[3, 8]] = 0
    result = correlation(FilterWeights("conv", weights, True), activations, labels, NAMES, None, None)
    alive = [k for k in range(20) if k not in (3, 8)]
    matrix = cosine_similarity(weights[alive])
    assert result.summary["dead_filters"] == 2
    assert result.summary["r_0.1"] == np.mean(matrix >= 0.1)
    table = long_form(result.matrices["matrix"])
    assert table[table["filter"].isin([3, 8]) | table["other_filter"].isin([3, 8])]["correlation"].isna().all()
    assert table["correlation"].notna().sum() == 18**2
    assert result.frame("filters").set_index("filter").loc[[3, 8], ["nearest_filter", "cosine"]].isna().all().all()
    assert any("2 filters have zero weights" in note for note in result.notes)


def test_a_class_without_images_has_no_active_group(data: tuple[FloatArray, FloatArray, IntArray]) -> None:
    weights, activations, labels = data
    result = correlation(
        FilterWeights("conv", weights, True), activations, labels, (*NAMES, "dodo"), None, None, group_size=5
    )
    four = correlation(FilterWeights("conv", weights, True), activations, labels, NAMES, None, None, group_size=5)
    assert result.summary["c_ic"] == pytest.approx(four.summary["c_ic"])
    assert result.frame("groups").set_index("group").loc["dodo", "n_filters"] == 0
    assert any("no image of: dodo" in note for note in result.notes)


def test_filters_that_are_not_the_channels_stand_without_groups(data: tuple[FloatArray, FloatArray, IntArray]) -> None:
    weights, activations, labels = data
    result = correlation(
        FilterWeights("early", weights[:9], False), activations, labels, NAMES, random_gate(4, 20), None
    )
    assert result.summary["r_0.1"] == np.mean(cosine_similarity(weights[:9]) >= 0.1)
    for name in (
        "c_ic",
        "c_ic_off_diagonal",
        "c_ic_absolute",
        "c_ic_absolute_off_diagonal",
        "between_groups_absolute",
        "within_groups",
        "between_groups",
        "group_size",
        "grouped_by",
    ):
        assert result.summary[name] is None, name
    assert result.frame("groups")["group"].tolist() == ["(all filters)"]
    assert long_form(result.matrices["matrix"])["filter"].drop_duplicates().tolist() == list(range(9))
    assert any("early are not the 20 channels" in note for note in result.notes)


def test_many_filters_are_stored_as_means_of_blocks() -> None:
    rng = np.random.default_rng(3)
    weights, labels = rng.normal(size=(600, 5)), np.arange(30) % 3
    result = correlation(FilterWeights("conv", weights, True), rng.random((30, 600)), labels, NAMES[:3], None, None)
    assert "matrix" not in result.tables
    table, order = (
        long_form(result.matrices["matrix_blocks"]),
        result.frame("filters").sort_values("place")["filter"].to_numpy(),
    )
    assert len(table) == 200**2  # blocks of 3 x 3: at most 256 rows
    matrix = cosine_similarity(weights)[np.ix_(order, order)]
    np.fill_diagonal(matrix, np.nan)
    for first, other, mean in table.iloc[[0, 1, 200, 777, 39_999]].to_numpy():
        block = matrix[int(first) : int(first) + 3, int(other) : int(other) + 3]
        assert mean == pytest.approx(np.nanmean(block))
    assert any("matrix_blocks" in note for note in result.notes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"group_size": 0}, "--group-size must be between 1 and the number of filters, 20, not 0"),
        ({"group_size": 21}, "not 21"),
        ({"duplicate_threshold": 0.0}, "--duplicate-threshold must be above 0"),
        ({"duplicate_threshold": 1.5}, "at most 1, not 1.5"),
    ],
)
def test_options_out_of_range_are_refused(
    data: tuple[FloatArray, FloatArray, IntArray], options: dict[str, float], words: str
) -> None:
    weights, activations, labels = data
    with pytest.raises(UsageError, match=words):
        correlation(FilterWeights("c", weights, True), activations, labels, NAMES, None, None, **options)  # type: ignore[arg-type]


def test_a_gate_that_does_not_fit_is_refused(data: tuple[FloatArray, FloatArray, IntArray]) -> None:
    weights, activations, labels = data
    with pytest.raises(UsageError, match=r"the gate are 4 x 19 \(classes x filters\), but 'conv' has 20"):
        correlation(FilterWeights("conv", weights, True), activations, labels, NAMES, random_gate(4, 19), None)


def test_more_classes_than_filters_leave_groups_of_one(data: tuple[FloatArray, FloatArray, IntArray]) -> None:
    weights, activations, labels = data
    names = tuple(f"c{i}" for i in range(50))
    result = correlation(FilterWeights("conv", weights, True), activations, labels, names, None, None)
    assert result.summary["group_size"] == 1


def test_in_the_pipeline_with_the_gate_without_it_and_on_another_layer() -> None:
    classifier, dataset = random_classifier(gate=random_gate(10, 64)), random_dataset(40)
    result = analyze(classifier, dataset, ["correlation"]).results["correlation"]
    weights = classifier.convolutions()["layer3.0.conv2"].weight.flatten(1).numpy()
    assert result.summary["r_0.1"] == np.mean(cosine_similarity(weights) >= 0.1)
    assert (result.summary["grouped_by"], result.summary["group_size"]) == ("gate", 6)
    plain = analyze(random_classifier(), dataset, ["correlation"]).results["correlation"]
    assert plain.summary["grouped_by"] == "activation"
    elsewhere = plan(["correlation"], {"filter_weights": {"weights_layer": "conv1"}})
    result = analyze(classifier, dataset, elsewhere).results["correlation"]
    assert (result.summary["layer"], result.summary["n_filters"]) == ("conv1", 16)


def test_opposite_signs_between_groups_cancel_in_c_ic_alone() -> None:
    """Two classes whose filters are the same two directions up to their sign: C_IC says 0, the magnitudes say .5."""
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, -1.0]])
    gate = np.repeat(np.eye(2), 2, axis=1)
    activations, labels = images(gate)
    summary = correlation(FilterWeights("conv", weights, True), activations, labels, NAMES[:2], gate, None).summary
    assert summary["c_ic"] == summary["c_ic_off_diagonal"] == summary["between_groups"] == pytest.approx(0)
    assert summary["c_ic_absolute_off_diagonal"] == summary["between_groups_absolute"] == pytest.approx(0.5)
