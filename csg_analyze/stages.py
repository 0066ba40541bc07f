"""The program as stages: plan, load, open the data, analyze, compose, write.

Checkpoints and data come in, inputs are computed once, analyzers turn inputs into results, and the report presents
them. `STAGES` lists the stages; they depend only on `Run`. Importing this module does not import torch. The module is
not called `run` because it would then replace the function `csg_analyze.run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from csg_analyze.errors import UsageError
from csg_analyze.plan import Plan, plan
from csg_analyze.progress import say, track, untracked
from csg_analyze.settings import Run

if TYPE_CHECKING:
    from csg_analyze.checkpoints import Classifier
    from csg_analyze.data import Dataset
    from csg_analyze.report.document import ModelReport, Refused, Report

T = TypeVar("T")


@dataclass(frozen=True)
class State:
    """The results of the stages so far; every stage returns it with its own part added.

    refused: the models that cannot be analysed; the others go on.
    Where data have only some of a network's classes, `open_datasets` replaces the classifier by that among them alone.
    """

    run: Run
    plan: Plan = field(default_factory=Plan)
    classifiers: tuple[Classifier, ...] = ()
    refused: tuple[Refused, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    models: tuple[ModelReport, ...] = ()
    report: Report | None = None


def plan_analyses(state: State) -> State:
    """Look up all names and check the output folder, so that errors come before long computations."""
    from csg_analyze.paper import paper_numbers
    from csg_analyze.report.folder import check_out

    run = state.run
    paper_numbers(run.paper)
    chosen = plan(run.analyzers, run.options)
    if run.out is not None:
        check_out(run.out, run.force)
    return replace(state, plan=chosen)


def load_classifiers(state: State) -> State:
    """Load every checkpoint that is not loaded yet, and give all of them distinct names."""
    from csg_analyze.analysis import as_classifier

    def load(each: Any) -> Classifier:
        return as_classifier(each, state.run.loading.load)

    loaded, refused = _each(state.run.checkpoints, load, name=str)
    return replace(state, classifiers=tuple(distinct_names(loaded)), refused=refused)


def open_datasets(state: State) -> State:
    """Open the dataset of each classifier, match the classes of both, and print the notes on both."""
    from csg_analyze.analysis import open_pair
    from csg_analyze.classes import class_map_of
    from csg_analyze.data import DataInHand

    run = state.run
    data = run.data
    if data is not None and not isinstance(data, str | DataInHand):
        data = DataInHand(data, run.class_names)  # once: a loader is iterated once for all classifiers
    elif run.class_names is not None:
        raise UsageError("class_names are for data in hand; a spec names its classes itself.")
    class_map = class_map_of(run.class_map)

    def opened(each: Classifier) -> tuple[Classifier, Dataset]:
        return open_pair(each, data, run.split, run.limit, class_map=class_map, all_outputs=run.all_outputs)

    pairs, refused = _each(state.classifiers, opened, name=lambda each: each.source)
    for classifier, dataset in pairs:
        for note in (*classifier.notes, *dataset.notes, *(f"left out: {reason}" for reason in dataset.left_out)):
            say(f"note: {classifier.name}: {note}")
    datasets = tuple(dataset for _, dataset in pairs)
    classifiers = tuple(each for each, _ in pairs)
    if list(map(id, classifiers)) != list(map(id, state.classifiers)):
        state = replace(state, classifiers=classifiers)  # among the data's classes, without the refused
    return replace(state, datasets=datasets, refused=(*state.refused, *refused))


def _each(
    items: Sequence[Any], made: Callable[[Any], T], name: Callable[[Any], str]
) -> tuple[list[T], tuple[Refused, ...]]:
    """What is made of each item, and those of which nothing can be made; if of none, the first's UsageError."""
    from csg_analyze.report.document import Refused

    results: list[T] = []
    errors: dict[int, UsageError] = {}
    for number, item in enumerate(items):
        try:
            results.append(made(item))
        except UsageError as error:
            errors[number] = error
    if not results and errors:
        raise next(iter(errors.values()))
    refused = tuple(Refused(name(items[number]), str(error)) for number, error in errors.items())
    for each in refused:
        say(f"not analysed: {each.name}: {each.reason}")
    return results, refused


def analyze_models(state: State) -> State:
    """Run the analyzers on one model after the other; each input is computed once."""
    from csg_analyze.analysis import analyze
    from csg_analyze.inputs.cache import Cache, default_folder

    run = state.run
    cache = Cache(None if run.no_cache else run.cache or default_folder())
    compared = tuple(zip(state.classifiers, state.datasets, strict=True))
    tracked = untracked if run.quiet else track
    models = [analyze(*pair, state.plan, compared=compared, cache=cache, track=tracked) for pair in compared]
    if not any(model.results for model in models):
        reasons = dict.fromkeys(f"{name}: {reason}" for model in models for name, reason in model.skipped.items())
        raise UsageError(f"nothing to report; {'; '.join(reasons)}.")
    return replace(state, models=tuple(models))


def compose_report(state: State) -> State:
    """Make the report from the models' results, the data, the options and the provenance."""
    from csg_analyze.composing import compose
    from csg_analyze.repeating import settings_of

    run = state.run
    report = compose(
        state.models, state.classifiers, state.datasets, state.plan, title=run.title, paper=run.paper,
        remark=run.remark, command=run.command, refused=state.refused,
    )  # fmt: skip
    settings = settings_of(run, state.plan)
    return replace(state, report=replace(report, provenance={**report.provenance, "settings": settings}))


def write_folder(state: State) -> State:
    """Write the report folder, if there is one to write."""
    if state.run.out is not None and state.report is not None:
        from csg_analyze.report.folder import write_report

        write_report(state.report, state.run.out, force=state.run.force, light=state.run.light)
    return state


STAGES: tuple[Callable[[State], State], ...] = (
    plan_analyses, load_classifiers, open_datasets, analyze_models, compose_report, write_folder,
)  # fmt: skip


def run(settings: Run | Classifier | Path | str | Iterable[Path | str | Classifier], **changes: Any) -> Report:
    """All stages, one after the other: the report of some checkpoints.

    settings: a `Run`, or checkpoint files and classifiers, or one of them; changes: fields of `Run`. Raises UsageError
    for whatever cannot be used.

    >>> from torch import nn, rand, tensor
    >>> from csg_analyze import classifier_of
    >>> network = nn.Sequential(
    ...     nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    ... )
    >>> classifier = classifier_of(network, class_names=["cat", "dog"], device="cpu")
    >>> images, labels = rand(20, 3, 16, 16), tensor([0, 1] * 10)
    >>> report = run(classifier, data=(images, labels), analyzers=["accuracy"], no_cache=True, quiet=True)
    >>> report
    Report('Class-specificity of model': 'model'; 'accuracy')
    >>> report.models[0].results["accuracy"].frame("per_class")["class"].tolist()
    ['cat', 'dog']
    """
    if isinstance(settings, str | PathLike) or not isinstance(settings, Run | Iterable):
        settings = Run([settings])
    elif not isinstance(settings, Run):
        settings = Run(list(settings))
    state = State(replace(settings, **changes))
    for stage in STAGES:
        state = stage(state)
    assert state.report is not None
    return state.report


def distinct_names(classifiers: Sequence[Classifier]) -> list[Classifier]:
    """The classifiers with distinct names: equal names get their folders' names in front, then numbers."""
    names = [c.name for c in classifiers]
    if len(set(names)) < len(names):
        in_folders = [c.name if c.path is None else f"{c.path.parent.name}/{c.name}" for c in classifiers]
        names = [name if names.count(name) == 1 else longer for name, longer in zip(names, in_folders, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} ({i})" for i, name in enumerate(names, 1)]
    return [replace(c, name=name) for c, name in zip(classifiers, names, strict=True)]
