"""The numbers, notes and figures of the confusion."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import mutual_info_classif
from sklearn.metrics import confusion_matrix

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.confusion.analysis import confusion
from csg_analyze.metrics.ablation import CachedAblation
from csg_analyze.metrics.arrays import BoolArray, FloatArray
from csg_analyze.plan import plan
from csg_analyze.report.writing import long_form
from tests.analyzers.confusion.example_network import NAMES, C, Example, K, N, blocks
from tests.examples import random_classifier, random_dataset, random_gate


def top(scores: FloatArray, count: int = 3) -> BoolArray:
    chosen = np.zeros(K, dtype=bool)
    chosen[sorted(range(K), key=lambda k: (-scores[k], k))[:count]] = True
    return chosen


def selections(example: Example, select: str, gate: FloatArray) -> dict[str, BoolArray]:
    """The filters of every class and of the pair ant+fox, written out anew."""
    x, y = example.activations, example.labels
    if select == "gate":
        single = {name: np.array([gate[c, k] > 0.5 for k in range(K)]) for c, name in enumerate(NAMES)}
        return {**single, "ant+fox": single["ant"] | single["fox"]}
    if select == "activation":
        single = {name: top(x[y == c].mean(0)) for c, name in enumerate(NAMES)}
        return {**single, "ant+fox": top(x[(y == 0) | (y == 5)].mean(0))}
    information = [mutual_info_classif(x, y == c, random_state=0) for c in range(C)]
    single = {name: top(information[c]) for c, name in enumerate(NAMES)}
    return {**single, "ant+fox": top(np.maximum(information[0], information[5]))}


@pytest.mark.parametrize("select", ["gate", "activation", "mi"])
def test_every_number_by_naive_loops(select: str) -> None:
    example, gate = Example(), random_gate(C, K)
    removed = selections(example, select, gate)
    result = example.run(gate, select=select)
    y, before = example.labels, example.recalls(example.logits.argmax(1))
    drops, kept = [], []
    for c, name in enumerate(NAMES):
        after = example.recalls(example.predicted_without(removed[name]))
        others, others_before = (float(np.mean([r[o] for o in range(C) if o != c])) for r in (after, before))
        row = result.frame("removals").set_index("class").loc[name]
        assert row["n"] == (y == c).sum()
        assert row["n_filters"] == removed[name].sum()
        expected = [before[c], after[c], others_before, others, after[c] / before[c], others / others_before]
        columns = ["recall_before", "recall_after", "others_before", "others_after", "kept", "others_kept"]
        np.testing.assert_allclose(row[columns].astype(float), expected)
        np.testing.assert_allclose(row["drop"], before[c] - after[c])
        drops.append((before[c] - after[c]) - (others_before - others))
        np.testing.assert_allclose(row["drop_difference"], drops[-1])
        kept.append((after[c], others / others_before))
    summary = result.summary
    assert summary["indispensability"] == pytest.approx(np.mean(drops))
    assert summary["mean_single_recall"] == pytest.approx(np.mean([r for r, _ in kept]))
    assert summary["worst_single_recall"] == pytest.approx(max(r for r, _ in kept))
    assert summary["mean_single_kept"] == pytest.approx(np.mean([o for _, o in kept]))
    assert summary["worst_single_kept"] == pytest.approx(min(o for _, o in kept))
    after = example.recalls(example.predicted_without(removed["ant+fox"]))
    assert summary["recall_removed"] == pytest.approx((after[0] + after[5]) / 2)
    others, others_before = (float(np.mean([r[c] for c in (1, 2, 3, 4, 6)])) for r in (after, before))
    assert summary["recall_others"] == pytest.approx(others)
    assert summary["recall_kept"] == pytest.approx(others / others_before)
    assert summary["removed_classes"] == "ant+fox"
    assert summary["removed_filters"] == removed["ant+fox"].sum()
    assert summary["accuracy"] == np.mean(example.logits.argmax(1) == y)


@pytest.mark.parametrize("select", ["gate", "activation"])
def test_matrices_equal_scikit_learns(select: str) -> None:
    example, gate = Example(), random_gate(C, K)
    removed = selections(example, select, gate)
    table = long_form(example.run(gate, select=select).matrices["matrix"])
    assert table["removal"].unique().tolist() == ["none", "ant", "fox", "ant+fox"]
    for removal, rows in table.groupby("removal"):
        without = removed[str(removal)] if removal != "none" else np.zeros(K, bool)
        expected = confusion_matrix(example.labels, example.predicted_without(without), labels=range(C))
        cells = rows["true"].map(NAMES.index), rows["predicted"].map(NAMES.index)
        assert len(rows) == C * C
        np.testing.assert_array_equal(rows["count"], expected[cells])
        np.testing.assert_allclose(rows["share"], (expected / expected.sum(1, keepdims=True))[cells])


def test_own_filters_and_complement_need_no_label() -> None:
    example, gate = Example(), random_gate(C, K)
    removed = selections(example, "gate", gate)
    result = example.run(gate)
    own, complement = [], []
    for i, prediction in enumerate(example.logits.argmax(1)):
        mask = removed[NAMES[prediction]]
        image = example.activations[i].astype(float)
        own.append(np.argmax(example.weight @ (image * mask) + example.bias) == example.labels[i])
        complement.append(np.argmax(example.weight @ (image * ~mask) + example.bias) == example.labels[i])
    assert result.summary["own_filters_accuracy"] == np.mean(own)
    assert result.summary["complement_accuracy"] == np.mean(complement)
    assert result.samples is not None
    assert result.samples["sample_id"].tolist() == [f"s{i}" for i in range(N)]
    assert result.samples["correct_own_filters"].tolist() == own
    assert result.samples["correct_complement"].tolist() == complement
    shuffled = Example()
    shuffled.labels = np.roll(shuffled.labels, 1)
    moved = shuffled.run(gate)
    assert moved.samples is not None
    right = moved.samples["correct_own_filters"] & result.samples["correct_own_filters"]
    assert (right <= (shuffled.labels == example.labels)).all()  # one prediction cannot be right for two labels


def test_filters_that_belong_to_one_class_alone_are_indispensable() -> None:
    ablation, labels, gate = blocks()
    ids = [str(i) for i in range(70)]
    result = confusion(ablation, ablation.activations, labels, labels, NAMES, ids, gate)
    table = result.frame("removals").set_index("class")
    without_elk = table.drop(index="elk")
    assert (without_elk["recall_after"] == 0).all()
    assert (table["others_after"] == 1).all()
    assert table.loc["elk", "recall_after"] == 1  # the bias alone still says elk
    assert result.summary["indispensability"] == pytest.approx(6 / 7)
    assert result.summary["own_filters_accuracy"] == 1
    assert result.summary["complement_accuracy"] == pytest.approx(1 / 7)
    assert (result.summary["recall_removed"], result.summary["recall_kept"]) == (0, 1)
    taken = long_form(result.matrices["matrix"]).query("removal == 'ant+fox' and true == 'fox' and count > 0")
    assert taken[["predicted", "share"]].to_numpy().tolist() == [["elk", 1.0]]


def test_by_default_the_gate_decides_and_without_one_the_activation() -> None:
    example, gate = Example(), random_gate(C, K)
    pd.testing.assert_frame_equal(
        long_form(example.run(gate).matrices["matrix"]), long_form(example.run(gate, select="gate").matrices["matrix"])
    )
    assert "with a gate above 0.5" in example.run(gate).notes[0]
    plain = example.run()
    pd.testing.assert_frame_equal(
        long_form(plain.matrices["matrix"]), long_form(example.run(gate, select="activation").matrices["matrix"])
    )
    assert (
        "the 10 % of all filters with the highest mean activation on its images: 3 per class, 3 for" in plain.notes[0]
    )
    assert plain.notes[-1] == "on cached activations."
    assert example.run(fraction=0.5).summary["removed_filters"] == 15
    assert example.run(fraction=0.001).summary["removed_filters"] == 1
    assert example.run(gate, gate_threshold=0.9).summary["removed_filters"] == int((gate[[0, 5]] > 0.9).any(0).sum())


def test_a_class_without_filters_loses_nothing_and_is_named() -> None:
    example, gate = Example(), random_gate(C, K)
    gate[3] = 0.5
    result = example.run(gate, classes="dog,bee")
    row = result.frame("removals").set_index("class").loc["dog"]
    assert (row["n_filters"], row["drop"], row["others_drop"]) == (0, 0, 0)
    assert result.summary["classes_without_filters"] == 1
    assert any("no filter belongs to: dog;" in note for note in result.notes)
    matrix = long_form(result.matrices["matrix"])
    same = [matrix.loc[matrix["removal"] == removal, "count"].tolist() for removal in ("none", "dog")]
    assert same[0] == same[1]


@pytest.mark.parametrize("select", ["gate", "activation", "mi"])
def test_a_class_without_images_is_blank_and_in_no_mean(select: str) -> None:
    example = Example(absent=(1, 5))
    result = example.run(random_gate(C, K), select=select)
    table = result.frame("removals").set_index("class")
    blank = ["recall_before", "recall_after", "kept", "drop", "drop_difference"]
    assert table.loc[["bee", "fox"], blank].isna().all().all()
    present = table.drop(index=["bee", "fox"])
    assert present.notna().all().all()
    assert result.summary["indispensability"] == pytest.approx(present["drop_difference"].mean())
    assert result.summary["worst_single_kept"] == present["others_kept"].min()
    assert result.summary["classes_without_filters"] == 0
    assert "no image of: bee, fox; their recall is blank and in no mean." in result.notes
    chosen = result.frame("chosen").set_index("removal")
    assert chosen["recall_after"].isna().to_dict() == {"ant": False, "fox": True, "ant+fox": False}
    assert result.summary["recall_removed"] == chosen.loc["ant+fox", "recall_after"]
    matrix = long_form(result.matrices["matrix"])
    assert matrix.loc[matrix["true"] == "fox", "share"].isna().all()
    if select != "gate":  # without images there is nothing to choose filters by
        assert table.loc[["bee", "fox"], "n_filters"].tolist() == [0, 0]


def test_where_every_class_is_removed_the_others_are_blank() -> None:
    result = Example().run(classes=",".join(NAMES))
    assert result.summary["recall_others"] is None
    assert result.summary["recall_kept"] is None
    assert any("only the removed classes" in note for note in result.notes)


def test_many_classes_have_no_empty_cells_in_the_table() -> None:
    labels = np.arange(240) % 120
    names = [f"n{i}" for i in range(120)]
    rng = np.random.default_rng(0)
    activations, weight = rng.random((240, 8), np.float32), rng.random((120, 8), np.float32)
    ablation = CachedAblation(activations, activations @ weight.T, weight, np.zeros(120, np.float32), "made up.")
    result = confusion(ablation, activations, ablation.full.argmax(1), labels, names, names * 2, None)
    table = long_form(result.matrices["matrix"])
    assert (table["count"] > 0).all()
    assert table.groupby("removal")["count"].sum().tolist() == [240] * 4
    np.testing.assert_allclose(table.groupby(["removal", "true"])["share"].sum(), 1)
    assert any("left out of the table" in note for note in result.notes)
    for name, drawing in result.figures.items():
        figure = drawing.draw({"model": result})
        figure.draw_without_rendering()
        words = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
        assert name == "indispensability" or {"n0", "n5", "108 others"} <= set(words)


def test_a_class_called_none_is_not_taken_for_no_removal() -> None:
    ablation, labels, gate = blocks()
    names = ("none", *NAMES[1:])
    result = confusion(ablation, ablation.activations, labels, labels, names, [""] * 70, gate)
    matrix = long_form(result.matrices["matrix"]).groupby("removal")["count"].sum()
    assert matrix.to_dict() == {"none": 70, "class none": 70, "fox": 70, "class none+fox": 70}


@pytest.mark.parametrize("classes", [None, "cat"])
def test_the_figures_show_every_model_on_one_scale(classes: str | None) -> None:
    models = {"STD": Example().run(classes=classes), "CSG": Example(1, (3,)).run(classes=classes)}
    result = Example().run(classes=classes)
    figure = result.figures["confusion"].draw(models)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert len(panels) == 2 * (3 if classes is None else 2)
    assert "recall" in panels[1].get_title()
    arrows = [len(axes.lines) for axes in panels]
    assert arrows == ([0, 1, 2, 0, 1, 2] if classes is None else [0, 1, 0, 1])
    assert panels[-1].lines[-1].get_ydata()[0] == (5.5 if classes is None else 2.5)  # type: ignore[index]
    assert [text.get_text() for text in panels[-1].get_xticklabels()] == list(NAMES)
    dots = result.figures["indispensability"].draw(models).axes[0]
    classes_drawn, means = dots.collections
    colours = Counter(map(tuple, np.asarray(classes_drawn.get_facecolors())[:, :3].tolist()))
    assert list(colours.values()) == [7, 6]
    assert [tuple(colour) for colour in np.asarray(means.get_facecolors())[:, :3].tolist()] == list(colours)


def test_through_the_pipeline_both_ways_give_the_same_numbers() -> None:
    classifier, dataset = random_classifier(gate=random_gate(10, 64)), random_dataset(60)
    ways = [
        analyze(classifier, dataset, plan(["confusion"], {"ablation": {"ablate": ablate}})).results["confusion"]
        for ablate in ("cached", "network")
    ]
    assert ways[0].summary == ways[1].summary
    pd.testing.assert_frame_equal(ways[0].frame("removals"), ways[1].frame("removals"))
    assert ways[0].notes[:-1] == ways[1].notes[:-1]
    assert "cached activations" in ways[0].notes[-1]
    assert "channel mask in the network: as asked for" in ways[1].notes[-1]
    assert 0 < float(ways[0].summary["worst_single_recall"]) <= 1  # type: ignore[arg-type]
