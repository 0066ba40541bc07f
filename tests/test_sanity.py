"""Accuracy is checked once for every model, from the forward pass that an analysis needed anyway."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from csg_analyze.analysis import analyze
from csg_analyze.analyzers.mis.analysis import mis
from csg_analyze.composing import compose
from csg_analyze.data import Dataset
from csg_analyze.metrics.arrays import IntArray
from csg_analyze.plan import plan
from csg_analyze.report.headline import first_table_as_shown, headline
from csg_analyze.report.summary import summary_document
from csg_analyze.sanity import chance_note
from tests.examples import random_classifier, random_dataset, random_gate


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return random_dataset(200)


def as_seen(dataset: Dataset, predictions: IntArray) -> Dataset:
    """The dataset with the network's own answers as labels: nothing is wrong."""
    return replace(dataset, labels=torch.from_numpy(predictions))


def test_accuracy_stands_beside_mis_and_chance_is_said(dataset: Dataset) -> None:
    classifier = random_classifier()
    report = analyze(classifier, dataset, ["mis"])
    alone = analyze(classifier, dataset, ["accuracy"])
    for name in ("accuracy", "accuracy_low", "accuracy_high"):
        assert report.results["mis"].summary[name] == alone.results["accuracy"].summary[name]
    recall = alone.results["accuracy"].frame("per_class")["recall"]
    np.testing.assert_array_equal(report.results["mis"].frame("per_class")["recall"], recall)
    (note,) = report.notes
    assert "chance (0.1" in note
    assert "class order or preprocessing is probably wrong; csg-analyze inspect random.pt --data noise" in note
    assert alone.notes == report.notes
    composed = compose([report], [classifier], [dataset], plan(["mis"]))
    assert f"random: {note}" in composed.notes
    assert "mean 0.5,0.5,0.5 (given); std 0.25,0.25,0.25 (given)" in str(composed.provenance["preprocessing"])
    assert "Accuracy" in headline(composed)
    assert summary_document(composed)["models"][0]["notes"] == [note]  # type: ignore[index, call-overload]
    json.dumps(summary_document(composed))


def test_accuracy_has_one_column_where_both_analyses_ran(dataset: Dataset) -> None:
    classifier = random_classifier()
    report = analyze(classifier, dataset, ["accuracy", "mis"])
    cells, _ = first_table_as_shown(compose([report], [classifier], [dataset], plan(["accuracy", "mis"])))
    assert list(cells)[5:] == ["Accuracy", "95 % interval", "MIS", "Chance"]


def test_no_note_where_the_network_is_right_or_nothing_was_computed(dataset: Dataset) -> None:
    classifier = random_classifier()
    answers = torch.arange(200).numpy() % 10
    assert chance_note(classifier, as_seen(dataset, answers), answers) == ""
    gated = random_classifier(gate=random_gate(10, 64))
    assert analyze(gated, dataset, ["gate"]).notes == ()  # of the gate alone: no forward pass


def test_words(dataset: Dataset) -> None:
    classifier, labels = random_classifier(), dataset.labels.numpy()
    below = chance_note(classifier, dataset, (labels + 1) % 10)
    assert below.startswith("accuracy 0.00 [0.00, 0.02] is below chance (0.10): class order")
    in_hand = chance_note(replace(classifier, path=None), replace(dataset, spec="arrays", split=""), (labels + 1) % 10)
    assert in_hand.endswith("csg-analyze inspect FILE --data SPEC tries the usual alternatives of both")
    few = dataset.subset(torch.arange(8), note="few")
    some = np.where(np.arange(8) < 3, few.labels.numpy(), 9)
    assert "on 8 images cannot be told from chance" in chance_note(classifier, few, some)


def test_mis_without_predictions_has_no_accuracy() -> None:
    rng = np.random.default_rng(0)
    result = mis(rng.random((40, 3)), np.arange(40) % 2, ("a", "b"), None)
    assert "accuracy" not in result.summary
    assert "recall" not in result.frame("per_class")
    absent = mis(rng.random((40, 3)), np.arange(40) % 2, ("a", "b", "c"), None, np.zeros(40, dtype=int))
    assert absent.summary["accuracy"] == 0.5
    assert absent.frame("per_class")["recall"].isna().tolist() == [False, False, True]
