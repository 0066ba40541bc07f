"""The program as stages: plan, open the data, provide the inputs, analyze. Loading and writing stand at its two ends.

One way through: a checkpoint and a dataset come in, inputs are computed once, analyzers turn inputs into results.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from csg_analyze.checkpoints import Classifier
from csg_analyze.checkpoints.origin import origin_of
from csg_analyze.data import Dataset, load_dataset
from csg_analyze.errors import NotAvailable, UsageError, unknown
from csg_analyze.inputs import Compared
from csg_analyze.inputs.cache import Cache
from csg_analyze.inputs.forward import untracked
from csg_analyze.inputs.shared import guarded, read_only
from csg_analyze.registry import ANALYZERS, INPUTS, Step, find, registered
from csg_analyze.report.document import JSON, ModelReport, Report, Section
from csg_analyze.report.paper import paper_numbers
from csg_analyze.report.provenance import provenance
from csg_analyze.report.seeds import different_numbers_of_images
from csg_analyze.result import Result

GIVEN = ("classifier", "dataset", "compared", "requested", "cache", "track")  # inputs that no function computes
Options = Mapping[str, Mapping[str, Any]]
"""Values of options, by the name of the analyzer or input they belong to, then by the option's name."""


@dataclass(frozen=True)
class Plan:
    """What will be run: the analyzers in order, every input they need, directly or not, and the options given."""

    analyzers: tuple[Step, ...]
    inputs: Mapping[str, Step]
    options: Options


def plan(analyzers: Sequence[str] | None = None, options: Options | None = None) -> Plan:
    """Look up the analyzers (all of them by default) and what they need.

    Raises UsageError for an unknown analyzer or option, or an analyzer that needs what nobody provides.
    """
    names = dict.fromkeys(registered(ANALYZERS) if analyzers is None else analyzers)
    steps = tuple(find(ANALYZERS, name) for name in names)
    inputs: dict[str, Step] = {}
    for step in steps:
        _collect_inputs(step, inputs, (step.name,))
    known = {step.name: step for step in (*inputs.values(), *steps)}
    for name, values in (options or {}).items():
        if name not in known:
            raise unknown("analyzer or input with options", name, known)
        for option in values:
            if option not in known[name].options:
                raise unknown(f"option of {name}", option, known[name].options or ("(it has none)",))
    return Plan(steps, inputs, options or {})


def _collect_inputs(step: Step, inputs: dict[str, Step], path: tuple[str, ...]) -> None:
    for need in step.needs:
        if need in GIVEN or need in inputs:
            continue
        if need in path[1:]:
            raise UsageError(f"input {need!r} needs itself ({' -> '.join((*path, need))}).")
        if need not in registered(INPUTS):
            raise UsageError(f"{step.name!r} needs an input {need!r} that nothing installed provides.")
        found = find(INPUTS, need)
        _collect_inputs(found, inputs, (*path, need))
        inputs[need] = found


def open_dataset(
    classifier: Classifier,
    data: str | None = None,
    split: Literal["train", "test"] = "test",
    limit: int | None = None,
    **loading: Any,
) -> Dataset:
    """The data this classifier is analysed on: `data` if given, else what its checkpoint remembers.

    Classes come in the order of the network's outputs. Raises UsageError where no data is known or the classes
    do not fit.
    """
    spec = data or classifier.data
    if spec is None:
        raise UsageError(f"{str(classifier.path)!r} does not say which data it was trained on; give --data.")
    wanted = classifier.preprocessing
    dataset = load_dataset(spec, split, size=wanted.size, resize=wanted.resize, limit=limit, **loading)
    if classifier.class_names is not None:
        return dataset.relabelled(classifier.class_names)
    if classifier.n_classes != len(dataset.class_names):
        raise UsageError(
            f"{str(classifier.path)!r} has {classifier.n_classes} classes, but {spec!r} has "
            f"{len(dataset.class_names)}; give the data it was trained on with --data."
        )
    return dataset


def analyze(
    classifier: Classifier,
    dataset: Dataset,
    what: Plan | Sequence[str] | None = None,
    *,
    compared: Compared | None = None,
    cache: Cache | None = None,
    track: Any = untracked,
) -> ModelReport:
    """Run analyzers on one classifier and one dataset.

    An analyzer whose inputs cannot be had is skipped, with the reason. what: a plan, or names of analyzers; all of
    them by default. compared: all classifiers of the run, each with its dataset, this one among them, for inputs that
    must be alike in all of them; None: it is the only one. track: shows progress, see inputs.forward.Track.

    Arrays are read-only for analyzers and inputs. One of third parties that changes them all the same, or the dataset
    or the network, is skipped as well, and what it changed is put back.
    """
    what = what if isinstance(what, Plan) else plan(what)
    given = {
        "classifier": classifier,
        "dataset": dataset,
        "compared": compared or ((classifier, dataset),),
        "requested": frozenset(what.inputs),
        "cache": cache or Cache(None),
        "track": track,
    }
    inputs = _Inputs(what, given)
    results: dict[str, Result] = {}
    skipped: dict[str, str] = {}
    for step in what.analyzers:
        try:
            results[step.name] = as_result(inputs.call(step), step.name)
        except NotAvailable as reason:
            if isinstance(reason, UsageError) and len(what.analyzers) == 1:
                raise
            skipped[step.name] = str(reason)
    return ModelReport(
        name=classifier.name,
        path=str(classifier.path),
        sha256=classifier.sha256,
        architecture=classifier.architecture,
        training=classifier.training,
        n_classes=classifier.n_classes,
        n_filters=classifier.n_filters,
        results=results,
        skipped=skipped,
        class_names=dataset.class_names,
        origin=origin_of(classifier.training, classifier.record, classifier.head),
    )


class _Inputs:
    """Computes each input when it is first asked for, and remembers it; also remembers that it cannot be had.

    Its arrays are read-only, since all analyzers share them.
    """

    def __init__(self, what: Plan, given: Mapping[str, Any]) -> None:
        self.what = what
        self.values: dict[str, Any] = dict(given)

    def call(self, step: Step) -> Any:
        arguments = [self._get(need, optional=need in step.optional) for need in step.needs]
        options = self.what.options.get(step.name, {})
        if getattr(step.function, "__module__", "").startswith("csg_analyze."):
            return step.function(*arguments, **options)
        kind = "analyzer" if step in self.what.analyzers else "input"
        with guarded(f"{kind} {step.name!r}", arguments):
            return step.function(*arguments, **options)

    def _get(self, name: str, *, optional: bool) -> Any:
        if name not in self.values:
            try:
                self.values[name] = read_only(self.call(self.what.inputs[name]))
            except NotAvailable as reason:
                self.values[name] = reason
        value = self.values[name]
        if isinstance(value, NotAvailable):
            if optional and not isinstance(value, UsageError):
                return None
            raise value
        return value


def as_result(value: Any, name: str) -> Result:
    """What an analyzer returned, as a Result: third parties may return a dict of numbers or one frame instead.

    Raises UsageError for anything else.
    """
    if isinstance(value, Result):
        return value
    if isinstance(value, pd.DataFrame):
        return Result({}, {name: value})
    if isinstance(value, Mapping) and all(isinstance(v, float | int | str | None) for v in value.values()):
        return Result(dict(value))
    raise UsageError(
        f"analyzer {name!r} returned {type(value).__name__}; it must return a Result, a dict of numbers or a frame."
    )


def distinct_names(classifiers: Sequence[Classifier]) -> list[Classifier]:
    """The classifiers with distinct names: files of one name get their folder's before it, then a number."""
    names = [c.name for c in classifiers]
    if len(set(names)) < len(names):
        names = [f"{c.path.parent.name}/{c.name}" if names.count(c.name) > 1 else c.name for c in classifiers]
    if len(set(names)) < len(names):
        names = [f"{name} ({i})" for i, name in enumerate(names, 1)]
    return [replace(c, name=name) for c, name in zip(classifiers, names, strict=True)]


def compose(
    models: Sequence[ModelReport],
    classifiers: Sequence[Classifier],
    datasets: Sequence[Dataset],
    what: Plan,
    *,
    title: str | None = None,
    paper: str | None = None,
    remark: str | None = None,
    command: Sequence[str] = (),
) -> Report:
    """The report of several models: their outcomes, what they were analysed on, and where all of it comes from.

    paper: which of the paper's datasets to put its own numbers beside from; raises UsageError for an unknown one.
    remark: as in Report.
    """
    data = _describe(datasets[0])
    notes = [f"{classifier.name}: {note}" for classifier in classifiers for note in classifier.notes]
    if len({dataset.fingerprint for dataset in datasets}) > 1:
        specs = ", ".join(f"{c.name} on {d.spec} ({len(d)} images)" for c, d in zip(classifiers, datasets, strict=True))
        notes.append(f"the models were analysed on different data, which limits any comparison: {specs}.")
    if note := different_numbers_of_images(models):
        notes.append(note)
    classes = {dataset.class_names: classifier.name for classifier, dataset in zip(classifiers, datasets, strict=True)}
    if len(classes) > 1:
        sets = "; ".join(f"{name}: {len(names)} classes" for names, name in classes.items())
        notes.append(
            f"the models know different classes ({sets}): figures and comparisons are made for each set apart."
        )
    settings = {step.name: _settings(step, what.options) for step in (*what.inputs.values(), *what.analyzers)}
    sections = [Section(step.name, _title(step), step.description) for step in what.analyzers]
    origin = provenance(
        command,
        seed=settings.get("mis", {}).get("seed", 0),
        device=str(classifiers[0].device),
        checkpoints={str(classifier.path): classifier.sha256 for classifier in classifiers},
        data=data,
    )
    return Report(
        title=title or f"Class-specificity of {_named(models)}",
        models=tuple(models),
        sections=tuple(sections),
        provenance={**origin, "options": {name: values for name, values in settings.items() if values}},
        notes=tuple(notes),
        data=data,
        paper=paper_numbers(paper),
        remark=(remark or "").strip(),
    )


def _named(models: Sequence[ModelReport]) -> str:
    return " and ".join(model.name for model in models) if len(models) <= 4 else f"{len(models)} models"


def _describe(dataset: Dataset) -> dict[str, JSON]:
    height, width = dataset.image_size
    return {
        "spec": dataset.spec,
        "split": dataset.split,
        "n": len(dataset),
        "image_size": f"{height}x{width}",
        "classes": list(dataset.class_names),
        "fingerprint": dataset.fingerprint,
        "notes": list(dataset.notes),
        "left_out": list(dataset.left_out),
    }


def _title(step: Step) -> str:
    """The first line of its docstring, without the paper's section in parentheses; its name where there is none."""
    first = step.description.partition("\n")[0]
    return re.sub(r"\s*\([^)]*\)", "", first).rstrip(".") or step.name


def _settings(step: Step, options: Options) -> dict[str, Any]:
    """Every option of a step with the value it had, given or default."""
    given = options.get(step.name, {})
    return {name: given.get(name, option.default) for name, option in step.options.items()}
