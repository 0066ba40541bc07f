"""Every metric on whatever holds its numbers: the same result as from arrays, and one sentence for what is no input."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

from csg_analyze import metrics, mutual_information
from csg_analyze.metrics import adversarial, correlation, exemplars, filters, gates, objects, resizing, statistics
from csg_analyze.metrics.arrays import Arguments, FloatArray
from csg_analyze.metrics.mutual_information import checked, information_and_chance, mutual_information_score

RANDOM = np.random.default_rng(0)
ACTIVATIONS, LABELS = RANDOM.random((20, 4)), np.arange(20) % 3
GATE = np.array([[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]])
STRENGTH = np.where(RANDOM.random((3, 5)) < 0.2, np.nan, RANDOM.random((3, 5)))
WEIGHTS = RANDOM.normal(size=(5, 6))
COSINES = correlation.correlation_matrix(WEIGHTS)
PIXELS, LOGITS = RANDOM.random((4, 3, 2, 2)), RANDOM.random((4, 3))
TARGETS, MOVED = np.array([-1, 1, 2, 0]), np.array([True, True, False, True])
JUDGED = np.stack([np.arange(8.0) % 2, np.ones(8)], axis=1)
RIGHT = np.array([True, False, True, True, False, True])


class Case(NamedTuple):
    """A metric, its arrays by name and its other arguments."""

    metric: Callable[..., Any]
    arrays: Mapping[str, np.ndarray]
    others: Mapping[str, Any] = {}


CASES = [
    Case(mutual_information, {"activations": ACTIVATIONS, "labels": LABELS}, {"n_jobs": 1}),
    Case(information_and_chance, {"activations": ACTIVATIONS, "labels": LABELS}, {"n_permutations": 2, "n_jobs": 1}),
    Case(checked, {"activations": ACTIVATIONS, "labels": LABELS}, {"n_classes": 3, "n_neighbors": 3}),
    Case(mutual_information_score, {"matrix": ACTIVATIONS}),
    Case(
        adversarial.outcomes,
        {"clean": PIXELS, "adversarial": PIXELS / 2, "logits": LOGITS, "before": LABELS[:4], "labels": LABELS[:4],
         "targets": TARGETS, "moved": MOVED},
    ),
    Case(adversarial.perturbation_sizes, {"clean": PIXELS, "adversarial": PIXELS / 2}),
    Case(correlation.directions, {"rows": WEIGHTS}),
    Case(correlation.correlation_matrix, {"weights": WEIGHTS}),
    Case(correlation.pair_values, {"correlations": COSINES}),
    Case(correlation.share_at_least, {"pairs": COSINES[0], "thresholds": np.array([0.0, 0.5])}),
    Case(correlation.nearest_filters, {"correlations": COSINES}),
    Case(exemplars.most_activating, {"activations": ACTIVATIONS}, {"n": 3}),
    Case(filters.class_means, {"activations": ACTIVATIONS, "labels": LABELS}, {"n_classes": 4}),
    Case(filters.mean_activations, {"activations": ACTIVATIONS, "labels": LABELS, "sets": GATE > 0}),
    Case(filters.dead_filters, {"activations": ACTIVATIONS}),
    Case(filters.strongest_first, {"strength": STRENGTH}, {"count": 2}),
    Case(filters.strongest, {"strength": STRENGTH}, {"count": 2}),
    Case(filters.assigned, {"gate": GATE}),
    Case(filters.owners, {"strength": STRENGTH}),
    Case(filters.filters_by_class, {"strength": STRENGTH}),
    Case(gates.l1_density, {"gate": GATE}),
    Case(gates.fixed_sizes, {"gate": GATE}),
    Case(objects.inside_boxes, {"boxes": np.array([[[0.0, 1, 2, 3]], [[np.nan] * 4]])}, {"height": 4, "width": 5}),
    Case(resizing.upsampled, {"maps": PIXELS}, {"height": 5, "width": 4}),
    Case(statistics.mean_with_interval, {"values": LOGITS[0]}),
    Case(statistics.resampled_groups, {"groups": LABELS}, {"resamples": 5, "seed": 0}),
    Case(statistics.intervals, {"values": ACTIVATIONS}),
    Case(statistics.interval, {"values": ACTIVATIONS[:, 0]}),
    Case(statistics.bootstrap_interval_of_share, {"resampled_shares": ACTIVATIONS[:, 0]}, {"share": 0.5, "n": 9}),
    Case(statistics.paired_difference, {"first": ACTIVATIONS[0], "second": ACTIVATIONS[1]}, {"resamples": 9}),
    Case(statistics.paired_difference_of_rates, {"first": JUDGED, "second": JUDGED[::-1]}, {"resamples": 9}),
    Case(statistics.mcnemar, {"first": RIGHT, "second": ~RIGHT}),
]  # fmt: skip


def as_pandas(array: np.ndarray) -> Any:
    """A series or a frame, whose rows have names; there is none of more axes."""
    if array.ndim > 2:
        return array.tolist()
    rows = [f"row {i}" for i in range(len(array))]
    return pd.Series(array, rows) if array.ndim == 1 else pd.DataFrame(array, rows)


def with_gradient(array: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(array.copy())
    return tensor.requires_grad_() * 1 if tensor.is_floating_point() else tensor


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "list": np.ndarray.tolist,
    "tuple": lambda array: tuple(array.tolist()),
    "tensor with a gradient": with_gradient,
    "list of tensors": lambda array: [with_gradient(row) if row.ndim else row for row in array],
    "pandas": as_pandas,
    "pandas that may miss values": lambda array: (
        as_pandas(array).convert_dtypes() if array.ndim < 3 and not np.isnan(array).any() else array
    ),
    "not contiguous": lambda array: np.asfortranarray(np.repeat(array, 2, axis=0))[::2],
}


def case_name(case: Case) -> str:
    return case.metric.__name__


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_the_result_is_that_of_arrays(case: Case, form: str) -> None:
    expected = case.metric(**case.arrays, **case.others)
    given = {name: FORMS[form](array) for name, array in case.arrays.items()}
    result = case.metric(**given, **case.others)
    assert type(result) is type(expected)
    for one, other in zip(parts(result), parts(expected), strict=True):
        np.testing.assert_array_equal(one, other)
        assert getattr(one, "shape", None) == getattr(other, "shape", None)


def parts(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


WRONG: dict[str, tuple[Any, str]] = {
    "None": (None, "NoneType"),
    "text": (np.array([["a", "b"], ["c", "d"]]), "text|must be"),
    "text in a frame": (pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), "text|must be"),
    "objects": (np.array([[1, {}], [2, 3]], dtype=object), r"Python objects \(dict\)|must be"),
    "rows of different lengths": ([[1.0, 2.0], [3.0]], "rows differ in length"),
    "complex numbers": (np.zeros((2, 2), complex), "complex128|must be"),
    "too many axes": (np.zeros((1, 1, 1, 1, 1, 1)), "must be"),
    "no axis": (3.0, r"must be \(.*, not \(\)"),
    "no data": (torch.zeros(2, 2, device="meta"), "this Tensor is no array of numbers: "),
    "a mask": (np.ma.masked_array(np.ones((2, 2)), mask=[[1, 0], [0, 0]]), "masked"),
}
ANY_AXES = {"outcomes", "perturbation_sizes", "intervals", "upsampled"}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_what_is_no_input_is_refused_in_one_sentence(case: Case, wrong: str) -> None:
    if wrong == "too many axes" and case.metric.__name__ in ANY_AXES:
        return
    values, words = WRONG[wrong]
    name = next(iter(case.arrays))
    with pytest.raises(ValueError, match=words) as refused:
        case.metric(**{**case.arrays, name: values}, **case.others)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)


@pytest.mark.parametrize("case", [case for case in CASES if len(case.arrays) > 1], ids=case_name)
def test_lengths_that_differ_are_said(case: Case) -> None:
    if case.metric is correlation.share_at_least:
        return  # its thresholds are as many as one likes
    name, array = list(case.arrays.items())[1]
    with pytest.raises(ValueError, match=f"there are {len(array)} .* but {len(array) - 1} .*{name}"):
        case.metric(**{**case.arrays, name: array[1:]}, **case.others)


def public_metrics() -> Iterator[str]:
    """Functions of the package that say they take what is like an array."""
    for module in pkgutil.iter_modules(metrics.__path__):
        for name, value in vars(import_module(f"csg_analyze.metrics.{module.name}")).items():
            if inspect.isfunction(value) and not name.startswith("_") and "ArrayLike" in value.__annotations__.values():
                yield name


def test_no_metric_is_left_out() -> None:
    assert {case.metric.__name__ for case in CASES} == set(public_metrics())


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0.0, 1.0, 2.0], r"must be integers, not float64; `\.astype\(int\)` converts them"),
        ([0.5, 1.0, 2.0], r"must be integers, not float64\."),
        (["ant", "bee", "cat"], "must be integers, not text; `numpy.unique"),
        (pd.Series(["ant", "bee", "ant"]).astype("category"), "must be integers, not text"),
        (pd.Series([0, None, 1], dtype="Int64"), "must be integers, not float64 with missing values"),
        ([True, False, True], "must be integers, not bool"),
        (torch.tensor([0.0, 1, 2]), "must be integers, not float32"),
        ([0, -1, 2], r"run from -1 to 2, but must lie in 0\.\.2"),
    ],
)
def test_labels_are_integers(labels: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"labels {words}"):
        mutual_information(np.zeros((3, 2)), labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.uint64])
def test_integers_of_any_size_are_labels(dtype: type[np.integer]) -> None:
    for metric, others in ((mutual_information, {}), (filters.class_means, {"n_classes": 3})):
        result = metric(ACTIVATIONS, LABELS.astype(dtype), **others)
        np.testing.assert_array_equal(result, metric(ACTIVATIONS, LABELS, **others))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("metric", "others"),
    [
        (mutual_information, {"labels": [0, 1, 0]}),
        (exemplars.most_activating, {"n": 1}),
        (filters.assigned, {}),
        (gates.l1_density, {}),
        (gates.fixed_sizes, {}),
    ],
)
def test_values_that_are_not_finite_are_refused(metric: Callable[..., Any], others: Any, value: float) -> None:
    with pytest.raises(ValueError, match="must be finite; there are NaN or infinite values"):
        metric([[1.0, 0.0], [0.0, value], [1.0, 1.0]], **others)


def test_rows_of_pandas_are_not_matched_by_their_place_alone() -> None:
    frame, series = pd.DataFrame(ACTIVATIONS), pd.Series(LABELS)
    shuffled = frame.sample(frac=1, random_state=0)
    with pytest.raises(ValueError, match="activations and labels have different indices"):
        mutual_information(shuffled, series)
    expected = mutual_information(ACTIVATIONS[shuffled.index], LABELS[shuffled.index])
    np.testing.assert_array_equal(mutual_information(shuffled, series.loc[shuffled.index]), expected)
    np.testing.assert_array_equal(mutual_information(shuffled, series.loc[shuffled.index].tolist()), expected)


def test_types_that_numpy_lacks_and_sparse_tensors() -> None:
    gate = torch.from_numpy(GATE)
    assert gates.l1_density(gate.bfloat16()) == gates.l1_density(gate.to_sparse()) == gates.l1_density(GATE)


def test_arrays_are_taken_as_they_are() -> None:
    def taken(values: Any) -> FloatArray:
        return Arguments().numbers("values", values, "N K")

    array = np.zeros((3, 2), np.float32)
    assert taken(array) is array
    for form in (torch.from_numpy(array), pd.DataFrame(array), np.asfortranarray(array)):
        assert np.shares_memory(taken(form), np.asarray(form))
    array.flags.writeable = False
    assert taken(array) is array
