"""The program as stages: plan, load, open the data, analyze, compose, write.

One way through: checkpoints and data come in, inputs are computed once, analyzers turn inputs into results, the report
says them. `STAGES` is that way; `Run` is all that it depends on. Importing this module imports no torch. It is not
called `run`, which is the function the package offers: a module of that name would take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from csg_analyze.errors import UsageError
from csg_analyze.plan import Options, Plan, plan
from csg_analyze.progress import say, track, untracked

if TYPE_CHECKING:
    from csg_analyze.checkpoints import Classifier
    from csg_analyze.data import Dataset
    from csg_analyze.report.document import ModelReport, Report


@dataclass(frozen=True)
class Loading:
    """What makes a classifier from a file, where the file does not say it. mean, std: numbers, or as typed."""

    arch: Annotated[str | None, "Architecture, where the file does not say: resnet20, resnet18 ..."] = None
    num_classes: Annotated[int | None, "Number of classes the head must have."] = None
    layer: Annotated[str | None, "Feature layer; default: the last convolutional stage."] = None
    mean: Annotated[str | None, "Channel means for pixels in [0, 1], e.g. .485,.456,.406"] = None
    std: Annotated[str | None, "Channel standard deviations, e.g. .229,.224,.225"] = None
    size: Annotated[int | None, "Image size in pixels."] = None
    weights: Annotated[str | None, "Which weights, where a file holds several sets: model_ema, teacher ..."] = None
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Run Python code in the file; only if you trust it.")
    ] = False
    device: Annotated[str | None, "cpu, cuda, cuda:1, mps; default: the fastest there is."] = None

    def load(self, path: Path) -> Classifier:
        """The classifier in a file. Raises UsageError as `load_classifier` does, and for what is no three numbers."""
        from csg_analyze.checkpoints import load_classifier

        return load_classifier(
            path,
            architecture=self.arch,
            n_classes=self.num_classes,
            layer=self.layer,
            mean=_numbers("mean", self.mean),
            std=_numbers("std", self.std),
            size=self.size,
            weights=self.weights,
            allow_pickle=self.allow_pickle,
            device=self.device,
        )


@dataclass(frozen=True)
class Run:
    """What is analysed, how, on what, and where it is written. What is annotated with its meaning is a flag as well.

    analyzers: names; None: all. options: of analyzers and inputs, by name. out: no folder is written without one.
    command: the words to record as how the report was made.
    """

    checkpoints: Annotated[
        list[Path], typer.Argument(help="Checkpoint files to analyse and compare.", show_default=False)
    ]
    data: Annotated[
        str | None, "scenes | folder:PATH | voc:ROOT | cifar10:ROOT; default: what the checkpoint remembers."
    ] = None
    split: Annotated[Literal["test", "train"], "Which part of the data."] = "test"
    limit: Annotated[int | None, "At most so many images, classes balanced."] = None
    title: Annotated[str | None, "Title of the report."] = None
    paper: Annotated[str | None, "Put the paper's numbers beside: cifar10 | imagenet | voc."] = None
    remark: Annotated[str | None, "A sentence for the table over seeds: how the recipe was chosen, say."] = None
    light: Annotated[
        bool, typer.Option("--light", help="Leave out pages of their own, figures as files, and files over 1 MB.")
    ] = False
    out: Annotated[Path | None, "The report folder; default: a new one under reports/."] = None
    force: Annotated[bool, typer.Option("--force", help="Replace an existing report folder.")] = False
    loading: Loading = field(default_factory=Loading)
    cache: Annotated[Path | None, "Where activations are kept; default: the user's cache folder."] = None
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False
    analyzers: Sequence[str] | None = None
    options: Options = field(default_factory=dict)
    command: Sequence[str] = ()


@dataclass(frozen=True)
class State:
    """What the stages have made so far; every stage returns it with its own part added."""

    run: Run
    plan: Plan = field(default_factory=Plan)
    classifiers: tuple[Classifier, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    models: tuple[ModelReport, ...] = ()
    report: Report | None = None


def plan_analyses(state: State) -> State:
    """Look up all names and places: what cannot work is said before the long work."""
    from csg_analyze.paper import paper_numbers
    from csg_analyze.report.folder import check_out

    run = state.run
    paper_numbers(run.paper)
    chosen = plan(run.analyzers, run.options)
    if run.out is not None:
        check_out(run.out, run.force)
    return replace(state, plan=chosen)


def load_classifiers(state: State) -> State:
    """Load every checkpoint, under distinct names."""
    loaded = [state.run.loading.load(Path(path)) for path in state.run.checkpoints]
    return replace(state, classifiers=tuple(distinct_names(loaded)))


def open_datasets(state: State) -> State:
    """Open each classifier's data, and say what the user should know of both."""
    from csg_analyze.analysis import open_dataset

    run = state.run
    datasets = tuple(open_dataset(each, run.data, run.split, run.limit) for each in state.classifiers)
    for classifier, dataset in zip(state.classifiers, datasets, strict=True):
        for note in (*classifier.notes, *dataset.notes, *(f"left out: {what}" for what in dataset.left_out)):
            say(f"note: {classifier.name}: {note}")
    return replace(state, datasets=datasets)


def analyze_models(state: State) -> State:
    """Run the analyzers on one model after the other, each input computed once."""
    from csg_analyze.analysis import analyze
    from csg_analyze.inputs.cache import Cache, default_folder

    run = state.run
    cache = Cache(None if run.no_cache else run.cache or default_folder())
    compared = tuple(zip(state.classifiers, state.datasets, strict=True))
    shown = untracked if run.quiet else track
    models = [analyze(*each, state.plan, compared=compared, cache=cache, track=shown) for each in compared]
    return replace(state, models=tuple(models))


def compose_report(state: State) -> State:
    """Put the models' outcomes together, with what they were analysed on and where all of it comes from."""
    from csg_analyze.composing import compose

    run = state.run
    report = compose(
        state.models, state.classifiers, state.datasets, state.plan, title=run.title, paper=run.paper,
        remark=run.remark, command=run.command,
    )  # fmt: skip
    return replace(state, report=report)


def write_folder(state: State) -> State:
    """Write the report folder, if one was named."""
    if state.run.out is not None and state.report is not None:
        from csg_analyze.report.folder import write_report

        write_report(state.report, state.run.out, force=state.run.force, light=state.run.light)
    return state


STAGES: tuple[Callable[[State], State], ...] = (
    plan_analyses, load_classifiers, open_datasets, analyze_models, compose_report, write_folder,
)  # fmt: skip


def run(settings: Run | Sequence[Path | str], **changes: Any) -> Report:
    """All stages, one after the other: the report of some checkpoints.

    settings: a `Run`, or checkpoint files; changes: fields of `Run`. Raises UsageError for whatever cannot be used.
    """
    settings = settings if isinstance(settings, Run) else Run([Path(path) for path in settings])
    state = State(replace(settings, **changes))
    for stage in STAGES:
        state = stage(state)
    assert state.report is not None
    return state.report


def distinct_names(classifiers: Sequence[Classifier]) -> list[Classifier]:
    """The classifiers with distinct names: files of one name get their folder's before it, then a number."""
    names = [c.name for c in classifiers]
    if len(set(names)) < len(names):
        names = [f"{c.path.parent.name}/{c.name}" if names.count(c.name) > 1 else c.name for c in classifiers]
    if len(set(names)) < len(names):
        names = [f"{name} ({i})" for i, name in enumerate(names, 1)]
    return [replace(c, name=name) for c, name in zip(classifiers, names, strict=True)]


def _numbers(name: str, given: str | Sequence[float] | None) -> list[float] | None:
    if given is None:
        return None
    parts = given.split(",") if isinstance(given, str) else given
    try:
        return [float(part) for part in parts]
    except ValueError:
        raise UsageError(
            f"--{name} needs three numbers with commas between, e.g. .485,.456,.406; not {given!r}."
        ) from None
