from __future__ import annotations

import math

import matplotlib
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from sklearn.metrics.pairwise import cosine_similarity

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.similarity.analysis import draw_similarity, similarity
from csg_analyze.errors import UsageError
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.report.writing import long_form
from csg_analyze.result import Result
from tests.examples import random_classifier, random_dataset, random_gate

NAMES = ("ant", "bee", "cat", "dog", "elk")
Data = tuple[FloatArray, IntArray, IntArray, FloatArray]


@pytest.fixture(scope="module")
def data() -> Data:
    """200 images of 5 classes; every class has some that are recognised and some that are not."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 200)
    predictions = np.where(rng.random(200) < 0.7, labels, rng.integers(0, 5, 200))
    gate = random_gate(5, 12)
    activations = np.maximum(rng.normal(size=(200, 12)) + 2 * gate[predictions], 0).astype(np.float32)
    return activations, labels, predictions, gate


def matrix_of(result: Result, kind: str, names: tuple[str, ...] = NAMES) -> FloatArray:
    table = long_form(result.matrices["matrix"]).pivot(index="class", columns="gate_of", values=f"{kind}_similarity")
    return np.asarray(table.loc[list(names), list(names)], dtype=float)


def mean_feature(activations: FloatArray, chosen: list[int]) -> FloatArray:
    return np.array([[np.mean([float(activations[i, k]) for i in chosen]) for k in range(activations.shape[1])]])


def test_every_number_by_plain_loops_and_scikit_learn(data: Data) -> None:
    activations, labels, predictions, gate = data
    result = similarity(activations, labels, predictions, NAMES, gate)
    per_class = result.frame("per_class").set_index("class")
    for kind, right in (("tp", True), ("fn", False)):
        images = {y: [i for i in range(200) if labels[i] == y and bool(predictions[i] == y) is right] for y in range(5)}
        expected = np.vstack([cosine_similarity(mean_feature(activations, images[y]), gate) for y in range(5)])
        np.testing.assert_allclose(matrix_of(result, kind), expected, atol=1e-12)
        summary = result.summary
        assert summary[f"n_{kind}"] == sum(map(len, images.values()))
        assert summary[f"{kind}_mean_diagonal"] == pytest.approx(np.mean([expected[c, c] for c in range(5)]))
        off = [expected[y, c] for y in range(5) for c in range(5) if y != c]
        assert summary[f"{kind}_mean_off_diagonal"] == pytest.approx(np.mean(off))
        assert summary[f"{kind}_diagonal_share"] == np.mean([np.argmax(expected[y]) == y for y in range(5)])
        assert summary[f"{kind}_blank_rows"] == 0
        for y, name in enumerate(NAMES):
            row = per_class.loc[name]
            assert row[f"n_{kind}"] == len(images[y])
            assert row[f"{kind}_similarity"] == pytest.approx(expected[y, y])
            assert row[f"{kind}_highest"] == NAMES[int(np.argmax(expected[y]))]
    pairs, confused = result.frame("pairs"), confusion_matrix(labels, predictions)
    false_negatives = matrix_of(result, "fn")
    ranked = sorted(((false_negatives[y, c], y, c) for y in range(5) for c in range(5) if y != c), reverse=True)[:10]
    assert len(pairs) == 10
    for pair, (value, y, c) in zip(pairs.itertuples(index=False), ranked, strict=True):
        assert tuple(pair) == (NAMES[y], NAMES[c], value, int(confused[y].sum() - confused[y, y]), int(confused[y, c]))
    assert result.notes == ()


def test_classes_without_images_are_blank_not_zero(data: Data) -> None:
    activations, labels, predictions, gate = data
    predictions = np.where(labels == 1, 1, predictions)  # bee: never missed
    predictions = np.where(labels == 2, 3, predictions)  # cat: never recognised
    kept = labels != 4  # elk: no image
    result = similarity(activations[kept], labels[kept], predictions[kept], NAMES, gate)
    true_positives, false_negatives = matrix_of(result, "tp"), matrix_of(result, "fn")
    assert np.isnan(true_positives).all(axis=1).tolist() == [False, False, True, False, True]
    assert np.isnan(false_negatives).all(axis=1).tolist() == [False, True, False, False, True]
    assert (result.summary["tp_blank_rows"], result.summary["fn_blank_rows"]) == (2, 2)
    assert result.summary["tp_mean_diagonal"] == pytest.approx(np.mean([true_positives[c, c] for c in (0, 1, 3)]))
    assert result.summary["fn_diagonal_share"] == np.mean([np.argmax(false_negatives[y]) == y for y in (0, 2, 3)])
    assert set(result.frame("pairs")["class"]) <= {"ant", "cat", "dog"}
    assert result.frame("per_class")["fn_highest"].isna().tolist() == [False, True, False, False, True]
    assert result.notes == (
        "no true positives of: cat, elk; their rows of S_TP are blank.",
        "no false negatives of: bee, elk; their rows of S_FN are blank.",
    )


def test_a_gate_row_of_zeros_has_no_direction(data: Data) -> None:
    activations, labels, predictions, gate = data
    closed = gate.copy()
    closed[3] = 0
    result = similarity(activations, labels, predictions, NAMES, closed)
    matrix = matrix_of(result, "tp")
    assert np.isnan(matrix[:, 3]).all()
    assert not np.isnan(np.delete(matrix, 3, axis=1)).any()
    assert result.summary["tp_blank_rows"] == 0
    assert "the gate row is zero for: dog" in result.notes[0]
    assert "dog" not in set(result.frame("pairs")["gate_of"])


def test_a_network_that_is_never_wrong(data: Data) -> None:
    activations, labels, _, gate = data
    result = similarity(activations, labels, labels, NAMES, gate)
    assert result.summary["n_fn"] == 0
    assert result.summary["fn_blank_rows"] == 5
    assert [result.summary[f"fn_{name}"] for name in ("mean_diagonal", "mean_off_diagonal", "diagonal_share")] == [
        None
    ] * 3
    assert len(result.frame("pairs")) == 0
    draw_similarity({"m": result})


def test_features_along_their_own_gate_are_all_on_the_diagonal() -> None:
    """Sec. 4.2: with features that equal their class's gate, S is the cosine between gate rows."""
    gate = np.kron(np.eye(4), np.ones(3))
    labels = np.repeat(np.arange(4), 6)
    predictions = np.where(np.arange(24) % 6 < 4, labels, (labels + 1) % 4)
    # images that are missed show both classes equally
    activations = gate[labels] + (predictions != labels)[:, None] * gate[predictions]
    summary = similarity(activations, labels, predictions, NAMES[:4], gate).summary
    assert summary["tp_mean_diagonal"] == pytest.approx(1)
    assert summary["tp_mean_off_diagonal"] == pytest.approx(0)
    assert summary["fn_mean_diagonal"] == pytest.approx(math.sqrt(0.5))
    assert summary["fn_mean_off_diagonal"] == pytest.approx(math.sqrt(0.5) / 3)
    assert summary["tp_diagonal_share"] == 1


def test_ordering_moves_rows_but_no_number(data: Data) -> None:
    plain, ordered = similarity(*data[:3], NAMES, data[3]), similarity(*data[:3], NAMES, data[3], order="clustered")
    assert ordered.summary == plain.summary
    assert ordered.frame("pairs").equals(plain.frame("pairs"))
    for kind in ("tp", "fn"):
        np.testing.assert_array_equal(matrix_of(ordered, kind), matrix_of(plain, kind))
    names = ordered.frame("per_class")["class"].tolist()
    assert sorted(names) == sorted(NAMES)
    assert names != list(NAMES)
    assert long_form(ordered.matrices["matrix"])["class"].drop_duplicates().tolist() == names
    assert long_form(plain.matrices["matrix"])["class"].drop_duplicates().tolist() == list(NAMES)
    assert "ordered" in ordered.notes[-1]


def test_the_figure_shows_both_matrices_of_every_model_on_one_scale(data: Data) -> None:
    activations, labels, predictions, gate = data
    first = similarity(activations, labels, predictions, NAMES, gate, order="clustered")
    second = similarity(activations[:, ::-1], labels, predictions, NAMES, gate)
    figure = draw_similarity({"one": first, "two": second})
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert set(panels) == {"TP, one", "TP, two", "FN, one", "FN, two"}
    names = [text.get_text() for text in panels["TP, one"].get_yticklabels()]
    assert names == first.frame("per_class")["class"].tolist()
    highest = max(np.nanmax(matrix_of(result, kind)) for result in (first, second) for kind in ("tp", "fn"))
    bar = figure.axes[-1]
    assert bar.get_ylim() == pytest.approx((0, highest))
    # every model in the order of the first
    for title, result, kind in (("TP, one", first, "tp"), ("FN, two", second, "fn")):
        values = matrix_of(result, kind, tuple(names))
        mesh = panels[title].collections[0]
        shown = mesh.to_rgba(mesh.get_array())
        np.testing.assert_allclose(shown, matplotlib.colormaps["Blues"](values / highest), atol=0.02)


def test_a_class_that_only_one_model_has_is_blank_in_the_other(data: Data) -> None:
    activations, labels, predictions, gate = data
    full = similarity(activations, labels, predictions, NAMES, gate)
    kept = (labels < 4) & (predictions < 4)
    fewer = similarity(activations[kept], labels[kept], predictions[kept], NAMES[:4], gate[:4])
    figure = draw_similarity({"full": full, "fewer": fewer})
    (axes,) = [axes for axes in figure.axes if axes.get_title() == "TP, fewer"]
    mesh = axes.collections[0]
    grey = np.ptp(mesh.to_rgba(mesh.get_array())[..., :3], axis=-1) == 0
    assert grey[4].all()
    assert grey[:, 4].all()
    assert not grey[:4, :4].any()


def test_a_gate_of_another_layer_is_refused(data: Data) -> None:
    activations, labels, predictions, _ = data
    with pytest.raises(UsageError, match=r"the gate has shape \(5, 7\), but classes x filters is \(5, 12\)"):
        similarity(activations, labels, predictions, NAMES, random_gate(5, 7))


def test_in_the_pipeline_a_model_without_a_gate_is_skipped() -> None:
    report = analyze(random_classifier(), random_dataset(40), ["similarity"])
    assert report.skipped == {"similarity": "no gate in this checkpoint"}
    report = analyze(random_classifier(gate=random_gate(10, 64)), random_dataset(40), ["similarity"])
    summary = report.results["similarity"].summary
    assert (summary["n_tp"], summary["n_fn"]) != (0, 0)
    assert int(summary["n_tp"] or 0) + int(summary["n_fn"] or 0) == 40
