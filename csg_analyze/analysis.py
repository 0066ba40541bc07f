"""Run analyzers on one model and one dataset; inputs are computed when an analyzer first needs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from csg_analyze.checkpoints import Classifier, load_classifier
from csg_analyze.checkpoints.origin import origin_of
from csg_analyze.classes import ClassMap, fitted
from csg_analyze.costs import estimated_seconds, in_words
from csg_analyze.data import DataInHand, Dataset, load_dataset
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.inputs import Compared
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import ForwardPass
from csg_analyze.inputs.shared import guarded, read_only
from csg_analyze.plan import Plan, plan
from csg_analyze.progress import Progress, Timed, say, untracked
from csg_analyze.registry import Step
from csg_analyze.report.document import ModelReport
from csg_analyze.result import Result, Table
from csg_analyze.sanity import chance_note


def open_dataset(
    classifier: Classifier,
    data: Any = None,
    split: Literal["train", "test"] = "test",
    limit: int | None = None,
    **loading: Any,
) -> Dataset:
    """The dataset of a classifier: `data`, or if None the one that its checkpoint records.

    data: a spec, a Dataset, or what `DataInHand` takes; only a spec has splits. Classes are in the order of the
    network's outputs; if the data does not name them, its labels are indices of outputs. Raises UsageError if no data
    is named or recorded, or if the classes do not fit.
    """
    return open_pair(classifier, data, split, limit, all_outputs=True, **loading)[1]


def open_pair(
    classifier: Classifier,
    data: Any = None,
    split: Literal["train", "test"] = "test",
    limit: int | None = None,
    *,
    class_map: ClassMap | str | None = None,
    all_outputs: bool = False,
    **loading: Any,
) -> tuple[Classifier, Dataset]:
    """The dataset as by `open_dataset`, and the classifier among the data's classes alone, see `classes.fitted`.

    class_map: which class of the model each class of the data is. all_outputs: leave all classes of the model in.
    """
    data = classifier.data if data is None else data
    if data is None:
        raise UsageError(f"{classifier.source!r} does not say which data it was trained on; give --data.")
    expected = classifier.preprocessing
    if isinstance(data, str):
        dataset = load_dataset(data, split, size=expected.size, resize=expected.resize, limit=limit, **loading)
    else:
        in_hand = data if isinstance(data, DataInHand) else DataInHand(data)
        dataset = in_hand.opened(expected.size, expected.resize, limit)
    return fitted(classifier, dataset, class_map, all_outputs=all_outputs)


def as_classifier(given: Any, load: Callable[[Path], Classifier] = load_classifier) -> Classifier:
    """A classifier, or the one in a file. Raises UsageError for anything else, and as `load_classifier` does."""
    if isinstance(given, Classifier):
        return given
    if not isinstance(given, str | PathLike):
        kind = type(given).__name__
        raise UsageError(f"{kind} is neither a file nor a classifier; make one with classifier_of(module).")
    return load(Path(given))


def analyze(
    classifier: Classifier | Path | str,
    dataset: Any = None,
    analyzers: Plan | Sequence[str] | None = None,
    *,
    compared: Compared | None = None,
    cache: Cache | None = None,
    track: Progress = untracked,
) -> ModelReport:
    """Run analyzers on one classifier and one dataset.

    An analyzer is skipped, with the reason, if its inputs are not available. classifier: or a file. dataset: or what
    `open_dataset` opens: a spec, arrays, a torch Dataset ...; None: as the checkpoint records it. analyzers: a plan,
    names of analyzers, or one name; None: all of them. compared: all classifiers of the run with their datasets,
    including this one, for inputs that must be the same in all of them; None: this is the only one. track: shows
    progress.

    Arrays are read-only for analyzers and inputs. A third party's analyzer or input that changes them, the dataset or
    the network is skipped, and its changes are undone.

    >>> from torch import nn, rand, tensor
    >>> from csg_analyze import classifier_of
    >>> network = nn.Sequential(
    ...     nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    ... )
    >>> classifier = classifier_of(network, class_names=["cat", "dog"], device="cpu")
    >>> images, labels = rand(20, 3, 16, 16), tensor([0, 1] * 10)
    >>> outcome = analyze(classifier, (images, labels), ["accuracy", "gate"])
    >>> outcome.results["accuracy"].summary["n"]
    20
    >>> outcome.skipped
    {'gate': 'no gate in this checkpoint'}
    """
    classifier = as_classifier(classifier)
    dataset = dataset if isinstance(dataset, Dataset) else open_dataset(classifier, dataset)
    chosen = analyzers if isinstance(analyzers, Plan) else plan(analyzers)
    if track.speaks and (seconds := estimated_seconds(classifier, dataset, chosen)):
        say(f"{classifier.name}: {in_words(seconds)}; less where earlier runs kept results")
    timed = Timed(track)
    always_there = {
        "classifier": classifier,
        "dataset": dataset,
        "compared": compared or ((classifier, dataset),),
        "requested": frozenset(chosen.inputs),
        "cache": cache or Cache(None),
        "track": timed,
    }
    inputs = _Inputs(chosen, always_there, track)
    results: dict[str, Result] = {}
    skipped: dict[str, str] = {}
    for number, step in enumerate(chosen.analyzers, 1):
        inputs.stage = f"{classifier.name}: {step.name}, {number} of {len(chosen.analyzers)}"
        try:
            results[step.name] = as_result(inputs.call(step), step.name)
        except NotAvailable as reason:
            if isinstance(reason, UsageError) and len(chosen.analyzers) == 1:
                raise
            skipped[step.name] = str(reason)
    passed = inputs.computed("forward_pass")  # never computed for the check alone
    check = chance_note(classifier, dataset, passed.logits.argmax(axis=1)) if isinstance(passed, ForwardPass) else ""
    return ModelReport(
        name=classifier.name,
        path=classifier.source,
        sha256=classifier.sha256,
        architecture=classifier.architecture,
        training=classifier.training,
        n_classes=classifier.n_classes,
        n_filters=classifier.n_filters,
        results=results,
        skipped=skipped,
        class_names=dataset.class_names,
        origin=origin_of(classifier.training, classifier.record, classifier.head),
        seconds=inputs.seconds,
        passes=timed.seconds,
        notes=(check,) if check else (),
    )


class _Inputs:
    """Inputs by name: each is computed at the first request, and kept, or the reason why it is not available.

    Arrays are read-only, because all analyzers share them. stage: the analyzer that is being run, for people.
    seconds: what every input and analyzer took, without the inputs that it needs.
    """

    def __init__(self, plan: Plan, always_there: Mapping[str, Any], progress: Progress) -> None:
        self.plan = plan
        self.values: dict[str, Any] = dict(always_there)
        self.progress = progress
        self.stage = ""
        self.seconds: dict[str, float] = {}

    def computed(self, name: str) -> Any:
        """The input, or why it is not available; None where nobody asked for it."""
        return self.values.get(name)

    def call(self, step: Step) -> Any:
        arguments = [self._get(need, optional=need in step.optional) for need in step.needs]
        start = time.perf_counter()
        try:
            with self.progress.working(self.stage, step.name):
                return self._run(step, arguments)
        finally:
            self.seconds[step.name] = time.perf_counter() - start

    def _run(self, step: Step, arguments: list[Any]) -> Any:
        options = self.plan.options.get(step.name, {})
        if getattr(step.function, "__module__", "").startswith("csg_analyze."):
            return step.function(*arguments, **options)
        kind = "analyzer" if step in self.plan.analyzers else "input"
        with guarded(f"{kind} {step.name!r}", arguments):
            return step.function(*arguments, **options)

    def _get(self, name: str, *, optional: bool) -> Any:
        if name not in self.values:
            try:
                self.values[name] = read_only(self.call(self.plan.inputs[name]))
            except NotAvailable as reason:
                self.values[name] = reason
        value = self.values[name]
        if isinstance(value, NotAvailable):
            if optional and not isinstance(value, UsageError):
                return None
            raise value
        return value


def as_result(value: Any, name: str) -> Result:
    """An analyzer's return value as a Result; third parties may return a dict of numbers or one frame instead.

    Raises UsageError for other values.
    """
    if isinstance(value, Result):
        return value
    if isinstance(value, pd.DataFrame):
        return Result({}, {name: Table(value)})
    if isinstance(value, Mapping) and all(isinstance(v, float | int | str | None) for v in value.values()):
        return Result(dict(value))
    raise UsageError(
        f"analyzer {name!r} returned {type(value).__name__}; it must return a Result, a dict of numbers or a frame."
    )
