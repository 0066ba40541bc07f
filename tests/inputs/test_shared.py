from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from csg_analyze.analysis import analyze
from csg_analyze.checkpoints import Classifier
from csg_analyze.data import Dataset
from csg_analyze.errors import NotAvailable, Overwritten
from csg_analyze.inputs.forward import ForwardPass
from csg_analyze.inputs.shared import guarded, read_only
from csg_analyze.plan import Plan, plan
from csg_analyze.registry import ANALYZERS, find, read_signature
from csg_analyze.report.document import ModelReport
from tests.examples import random_classifier, random_dataset, random_gate

CHANGED = "analyzer 'intruder' changed what all analyzers share; let it work on copies"
TRIED = "analyzer 'intruder' tried to write into what all analyzers share; let it work on copies"


def run(intruder: Callable[..., Any], classifier: Classifier | None = None, *besides: str) -> ModelReport:
    """The intruder runs first; analyzers of this package come after it."""
    step = read_signature("intruder", intruder)
    others = tuple(find(ANALYZERS, name) for name in ("accuracy", "mis", "layers", *besides))
    chosen = Plan((step, *others), plan(["accuracy", "mis", "layers", "confusion"]).inputs, {})
    return analyze(classifier or random_classifier(gate=random_gate(10, 64)), random_dataset(40), chosen)


def summaries(report: ModelReport) -> dict[str, dict[str, Any]]:
    return {name: dict(result.summary) for name, result in report.results.items() if name != "intruder"}


def labels_by_hand(labels: np.ndarray, activations: np.ndarray) -> dict[str, float]:
    labels[:] = 0
    activations[:] = 0
    return {"a": 1.0}


def by_torch(labels: np.ndarray, activations: np.ndarray) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.from_numpy(activations).zero_()
        torch.from_numpy(labels).zero_()
    return {"a": 1.0}


def by_the_dataset(dataset: Dataset) -> dict[str, float]:
    dataset.labels.zero_()
    dataset.images[:].flip(0)
    dataset.images[3:5] = 0  # type: ignore[index]
    return {"a": 1.0}


def by_data(classifier: Classifier) -> dict[str, float]:
    for parameter in classifier.network.parameters():
        parameter.data.mul_(2)
    return {"a": 1.0}


def by_swapped_data(classifier: Classifier) -> dict[str, float]:
    for parameter in classifier.network.parameters():
        parameter.data = torch.zeros_like(parameter)[..., :0]
    return {"a": 1.0}


def by_another_layer(classifier: Classifier) -> dict[str, float]:
    classifier.network.network.linear = torch.nn.Linear(64, 10)
    return {"a": 1.0}


def by_training_mode(classifier: Classifier) -> dict[str, float]:
    classifier.network.train()
    return {"a": 1.0}


def by_a_hook(classifier: Classifier) -> dict[str, float]:
    classifier.layer().register_forward_hook(lambda _module, _inputs, output: 0 * output)
    return {"a": 1.0}


def by_the_compared(compared: tuple[tuple[Classifier, Dataset], ...]) -> dict[str, float]:
    compared[0][0].network.mean.zero_()
    return {"a": 1.0}


def by_the_ablation(ablation: Any) -> dict[str, float]:
    ablation.full[:] = 0
    return {"a": 1.0}


def by_the_gate(classifier: Classifier) -> dict[str, float]:
    assert classifier.gate is not None
    classifier.gate[:] = 0
    return {"a": 1.0}


def by_a_mapping(layer_activations: dict[str, np.ndarray]) -> dict[str, float]:
    for values in layer_activations.values():
        values.sort(axis=0)
    return {"a": 1.0}


def by_an_entry(layer_activations: dict[str, np.ndarray]) -> dict[str, float]:
    layer_activations.popitem()
    return {"a": 1.0}


def by_the_record(classifier: Classifier) -> dict[str, float]:
    dict.clear(classifier.record)  # type: ignore[arg-type]
    return {"a": 1.0}


def by_a_dataclass(forward_pass: ForwardPass) -> dict[str, float]:
    np.negative(forward_pass.logits, out=forward_pass.logits)
    return {"a": 1.0}


@pytest.mark.parametrize(
    ("intruder", "words"),
    [
        (labels_by_hand, TRIED), (by_a_mapping, TRIED), (by_a_dataclass, TRIED), (by_the_ablation, TRIED),
        (by_torch, CHANGED), (by_the_dataset, CHANGED), (by_data, CHANGED), (by_swapped_data, CHANGED),
        (by_another_layer, CHANGED), (by_training_mode, CHANGED), (by_a_hook, CHANGED), (by_the_compared, CHANGED),
        (by_the_gate, CHANGED), (by_an_entry, CHANGED), (by_the_record, CHANGED),
    ],
)  # fmt: skip
def test_what_writes_costs_its_own_section_and_changes_no_other_number(
    intruder: Callable[..., Any], words: str
) -> None:
    def innocent(labels: np.ndarray, activations: np.ndarray, dataset: Dataset) -> dict[str, float]:
        return {"a": float(labels.sum() + activations.sum() + dataset.labels.sum())}

    expected, result = run(innocent, None, "confusion"), run(intruder, None, "confusion")
    assert expected.skipped == {}
    assert list(result.skipped) == ["intruder"]
    assert words in result.skipped["intruder"]
    assert summaries(result) == summaries(expected)


def test_what_is_asked_for_alone_ends_the_command() -> None:
    for intruder in (by_data, labels_by_hand):
        step = read_signature("intruder", intruder)
        with pytest.raises(Overwritten, match="analyzer 'intruder'"):
            analyze(random_classifier(), random_dataset(10), Plan((step,), plan(["mis"]).inputs, {}))


def test_an_input_that_writes_is_named_and_never_taken_for_absent() -> None:
    def greedy(dataset: Dataset) -> float:
        dataset.labels.zero_()
        return 1.0

    def wants(greedy: float | None) -> dict[str, float]:
        return {"a": 1.0}

    inputs = {"greedy": read_signature("greedy", greedy), **plan(["accuracy"]).inputs}
    chosen = Plan((read_signature("wants", wants), find(ANALYZERS, "accuracy")), inputs, {})
    report = analyze(random_classifier(), random_dataset(40), chosen)
    assert report.skipped["wants"].startswith("input 'greedy' changed what all analyzers share")
    assert report.results["accuracy"].summary == run(labels_by_hand).results["accuracy"].summary


def test_arrays_are_read_only_wherever_they_lie() -> None:
    arrays = [np.zeros(3) for _ in range(5)]
    passed = ForwardPass(arrays[0], arrays[1], {"a": arrays[2]})
    read_only({"x": (passed, [arrays[3]]), "y": {"z": arrays[4]}})
    assert [array.flags.writeable for array in arrays] == [False] * 5


def write_and_raise(values: dict[str, Any], error: Exception) -> None:
    with guarded("it", [values]):
        values["boxes"][0] = 1
        values.pop("names")
        raise error


def test_a_guard_leaves_other_errors_and_not_a_number_alone() -> None:
    values = {"boxes": torch.full((2, 4), torch.nan), "array": np.array([np.nan, 1]), "names": np.array(["a"])}
    with guarded("it", [values]):
        pass
    for error in (NotAvailable("no gate"), ValueError("shapes"), KeyError("x")):
        with pytest.raises(type(error), match=str(error.args[0])):
            write_and_raise(values, error)
        assert torch.as_tensor(values["boxes"]).isnan().all()
        assert list(values) == ["boxes", "array", "names"]


def test_the_callers_gate_stays_writable() -> None:
    gate = random_gate(10, 64)
    analyze(replace(random_classifier(), gate=gate), random_dataset(20), ["gate"])
    assert gate.flags.writeable
