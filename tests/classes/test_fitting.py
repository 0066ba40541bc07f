"""A classifier and a dataset brought to the same classes: what every analysis reads of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import csg_analyze
from csg_analyze.analysis import analyze, open_dataset
from csg_analyze.checkpoints import Classifier, classifier_of
from csg_analyze.classes import fitted
from csg_analyze.data import Dataset
from csg_analyze.errors import UsageError
from csg_analyze.inputs.ablation import linear_head
from csg_analyze.report.summary import summary_document
from tests.examples import random_classifier, random_dataset, random_gate

LABELS = torch.tensor([0, 1, 2, 0, 1, 0])


def dataset_of(names: Sequence[str], labels: torch.Tensor = LABELS) -> Dataset:
    """Six images, or as many as there are labels."""
    images = torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None].expand(len(labels), 3, 4, 4)
    ids = tuple(f"image {i}" for i in range(len(labels)))
    return Dataset("some", "test", images, labels, tuple(names), ids, "f00")


def network(n_classes: int = 3, names: Sequence[str] | None = None) -> Classifier:
    return replace(random_classifier(n_classes=n_classes), class_names=None if names is None else tuple(names))


PETS = dataset_of(("cat", "dog", "owl"))
TEN = random_classifier(gate=random_gate(10, 64))


@given(st.permutations(("cat", "dog", "owl")))
def test_other_orders_move_every_image_to_the_index_of_its_name(names: list[str]) -> None:
    model = network(3, names)
    classifier, dataset = fitted(model, PETS)
    assert classifier is model
    assert [names[i] for i in dataset.labels.tolist()] == [PETS.class_names[i] for i in LABELS.tolist()]
    assert dataset.class_names == tuple(names)
    assert dataset.labels.dtype == torch.int64
    same = tuple(names) == PETS.class_names
    assert (dataset is PETS) == (dataset.fingerprint == "f00") == (not dataset.notes) == same


def test_other_names_are_matched_by_position_with_a_note() -> None:
    _, dataset = fitted(network(3, ["0", "1", "2"]), PETS)
    assert torch.equal(dataset.labels, PETS.labels)
    assert dataset.class_names == PETS.class_names
    assert "names differ" in dataset.notes[0]
    _, dataset = fitted(network(), PETS)
    assert (dataset.class_names, dataset.fingerprint) == (PETS.class_names, "f00")
    assert "names no classes: the data's were matched by position (cat, dog, owl)" in dataset.notes[0]


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(UsageError, match=r"has 4 classes \(a, b, c, \.\.\.\), the data 3 \(cat, dog, owl\)") as caught:
        fitted(network(4, "abcd"), PETS)
    assert "--class-map FILE" in str(caught.value)


def test_of_some_of_the_models_classes_the_others_stay_only_if_asked() -> None:
    model = network(4, ["owl", "ant", "cat", "dog"])
    classifier, dataset = fitted(model, PETS, all_outputs=True)
    assert classifier is model
    assert dataset.labels.tolist() == [2, 3, 0, 2, 3, 2]
    assert dataset.class_names == ("owl", "ant", "cat", "dog")
    assert dataset.notes == ("images of 3 of the checkpoint's 4 classes, matched by their names",)
    classifier, dataset = fitted(model, PETS)
    assert dataset is PETS  # in its own order: all models see the same data
    assert classifier.class_names == ("cat", "dog", "owl")
    assert "has 3 of the model's 4 classes, matched by their names (cat, dog, owl)" in classifier.notes[-1]


def chosen() -> tuple[Classifier, Dataset, list[int]]:
    """The ten-class network on data of three of its classes, and where these are among its outputs."""
    outputs = [7, 2, 5]
    data = replace(random_dataset(30, 3), class_names=tuple("HCF"), fingerprint="chosen")
    return *fitted(TEN, data), outputs


def test_logits_gate_head_and_names_are_those_of_the_datas_classes() -> None:
    classifier, dataset, outputs = chosen()
    pixels = dataset.images[:].float() / 255
    assert torch.equal(classifier.network(pixels), TEN.network(pixels)[:, outputs])
    assert TEN.network(pixels).shape == (30, 10)  # the whole one is as it was
    assert (classifier.n_classes, classifier.class_names) == (3, ("H", "C", "F"))
    assert classifier.gate is not None
    assert TEN.gate is not None
    assert np.array_equal(classifier.gate, TEN.gate[outputs])
    whole, part = linear_head(TEN), linear_head(classifier)
    assert whole is not None
    assert part is not None
    assert all(np.array_equal(theirs[outputs], ours) for theirs, ours in zip(whole, part, strict=True))


def test_one_may_choose_again_among_the_chosen() -> None:
    pixels = random_dataset(4).images[:].float() / 255
    twice = TEN.network.choosing([7, 2, 5]).choosing([2, 0])
    assert torch.equal(twice(pixels), TEN.network(pixels)[:, [5, 7]])


def test_a_classifier_among_some_classes_has_an_identity_of_its_own() -> None:
    classifier, _, _ = chosen()
    other = TEN.choosing([2, 7, 5], "CHF")
    sizes = {len(each.identity) for each in (classifier, other)}
    assert sizes == {len(TEN.identity) + 1}
    assert not torch.equal(classifier.identity[1], other.identity[1])


def test_every_analysis_sees_the_same_network_as_one_with_a_smaller_head() -> None:
    """All analyzers on the chosen outputs, and on a copy of the network whose head has no others."""
    classifier, dataset, outputs = chosen()
    small = classifier_of(TEN.network.network, mean=(0.5,) * 3, std=(0.25,) * 3, size=32, layer=TEN.feature_layer)
    head = small.network.network.get_submodule(small.head)
    head.weight.data, head.bias.data = head.weight[outputs], head.bias[outputs]
    small = replace(
        small, n_classes=3, class_names=classifier.class_names, gate=classifier.gate, name=TEN.name, training="CSG"
    )
    names = ["accuracy", "mis", "confusion", "similarity", "gate"]
    ours, theirs = (analyze(each, dataset, names) for each in (classifier, small))
    assert ours.skipped == theirs.skipped
    assert ours.n_classes == 3
    for name, result in ours.results.items():
        assert result.summary == pytest.approx(theirs.results[name].summary, nan_ok=True), name
    assert ours.results["gate"].summary["interval_low"] is None
    assert ours.results["accuracy"].summary["n"] == 30


def test_accuracy_is_that_of_an_argmax_over_the_datas_classes(tmp_path: Path) -> None:
    data = replace(random_dataset(30, 3), class_names=tuple("hcf"), fingerprint="lower")
    logits = TEN.network(data.images[:].float() / 255)[:, [7, 2, 5]]
    expected = float((logits.argmax(1) == data.labels).float().mean())
    whole = float(
        (TEN.network(data.images[:].float() / 255).argmax(1) == torch.tensor([7, 2, 5])[data.labels]).float().mean()
    )
    for all_outputs, accuracy in ((False, expected), (True, whole)):
        report = csg_analyze.run(
            [TEN], data=data, analyzers=["accuracy"], all_outputs=all_outputs, no_cache=True, quiet=True
        )
        summary = report.models[0].results["accuracy"].summary
        assert summary["accuracy"] == pytest.approx(accuracy)
        assert ("outputs" in report.provenance) == (not all_outputs)
        assert report.models[0].n_classes == (10 if all_outputs else 3)
    assert summary_document(report)


def test_a_map_may_join_classes_and_needs_names_of_both() -> None:
    model = network(4, ["ant", "pet", "bird", "fish"])
    classifier, dataset = fitted(model, PETS, {"cat": "pet", "dog": "Pet", "owl": 2})
    assert classifier.class_names == dataset.class_names == ("pet", "bird")
    assert dataset.labels.tolist() == [0, 0, 1, 0, 0, 0]
    assert dataset.fingerprint != "f00"
    with pytest.raises(UsageError, match="has only one of the classes"):
        fitted(model, PETS, {"cat": 1, "dog": 1, "owl": 1})
    with pytest.raises(UsageError, match="labels in hand are indices of outputs"):
        fitted(model, replace(PETS, class_names=()), {"cat": 1})


def test_classes_without_names_are_named_after_the_data() -> None:
    classifier, dataset = fitted(network(10), dataset_of(["3", "5", "7"]))
    assert classifier.class_names == dataset.class_names == ("3", "5", "7")
    assert classifier.network.outputs is not None
    assert classifier.network.outputs.tolist() == [3, 5, 7]
    _, dataset = fitted(network(10, "abcdefghij"), dataset_of(["3", "5", "7"]))
    assert dataset.class_names == ("d", "f", "h")
    _, dataset = fitted(network(10), dataset_of(["3", "5", "7"]), all_outputs=True)
    assert dataset.labels.tolist() == [3, 5, 7, 3, 5, 3]
    assert dataset.class_names == tuple(str(i) for i in range(10))


def test_open_dataset_gives_all_outputs() -> None:
    data = replace(random_dataset(6, 2), class_names=("j", "a"))
    assert open_dataset(TEN, data).labels.tolist() == [9, 0, 9, 0, 9, 0]
