"""What the subcommands do. Heavy imports stand inside them, so that --help stays quick."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from csg_analyze.errors import UsageError
from csg_analyze.progress import say, track

if TYPE_CHECKING:
    from csg_analyze.checkpoints import Classifier
    from csg_analyze.data import Dataset
    from csg_analyze.pipeline import Plan
    from csg_analyze.report.document import Report

Checkpoints = Annotated[list[Path], typer.Argument(help="Checkpoint files to analyse and compare.", show_default=False)]
Data = Annotated[
    str | None,
    typer.Option(help="scenes | folder:PATH | voc:ROOT | cifar10:ROOT; default: what the checkpoint remembers."),
]
Split = Annotated[Literal["test", "train"], typer.Option(help="Which part of the data.")]
Limit = Annotated[int | None, typer.Option(help="At most so many images, classes balanced.")]
Out = Annotated[Path | None, typer.Option(help="The report folder; default: a new one under reports/.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing report folder.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the summary document on stdout; write a folder only with --out.")
]
Arch = Annotated[str | None, typer.Option(help="Architecture, where the file does not say: resnet20, resnet18 ...")]
NumClasses = Annotated[int | None, typer.Option(help="Number of classes the head must have.")]
Layer = Annotated[str | None, typer.Option(help="Feature layer; default: the last convolutional stage.")]
Mean = Annotated[str | None, typer.Option(help="Channel means for pixels in [0, 1], e.g. .485,.456,.406")]
Std = Annotated[str | None, typer.Option(help="Channel standard deviations, e.g. .229,.224,.225")]
Size = Annotated[int | None, typer.Option(help="Image size in pixels.")]
AllowPickle = Annotated[bool, typer.Option("--allow-pickle", help="Run Python code in the file; only if you trust it.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps; default: the fastest there is.")]
CacheFolder = Annotated[
    Path | None, typer.Option("--cache", help="Where activations are kept; default: the user's cache folder.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]


def analyze_checkpoints(
    checkpoints: Checkpoints,
    data: Data = None,
    split: Split = "test",
    limit: Limit = None,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
    arch: Arch = None,
    num_classes: NumClasses = None,
    layer: Layer = None,
    mean: Mean = None,
    std: Std = None,
    size: Size = None,
    allow_pickle: AllowPickle = False,
    device: Device = None,
    cache: CacheFolder = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    *,
    analyzers: Sequence[str] | None,
    options: Mapping[str, Mapping[str, Any]],
    title: str | None = None,
    paper: str | None = None,
    remark: str | None = None,
    light: bool = False,
) -> None:
    """Load, plan, analyze, write: what every analyzer's command and `report` do."""
    from csg_analyze.checkpoints import load_classifier
    from csg_analyze.pipeline import distinct_names, open_dataset, plan
    from csg_analyze.report.paper import paper_numbers

    what = plan(analyzers, options)
    paper_numbers(paper)  # an unknown name is said before the long work
    folder = _report_folder(out, force, what, checkpoints) if out is not None or not as_json else None
    flags = {
        "architecture": arch,
        "n_classes": num_classes,
        "layer": layer,
        "mean": _numbers("--mean", mean),
        "std": _numbers("--std", std),
        "size": size,
        "allow_pickle": allow_pickle,
        "device": device,
    }
    classifiers = distinct_names([load_classifier(path, **flags) for path in checkpoints])  # type: ignore[arg-type]
    datasets = [open_dataset(classifier, data, split, limit) for classifier in classifiers]
    for classifier, dataset in zip(classifiers, datasets, strict=True):
        for note in (*classifier.notes, *dataset.notes, *(f"left out: {what}" for what in dataset.left_out)):
            say(f"note: {classifier.name}: {note}")
    report = _report(classifiers, datasets, what, title, paper, remark, cache, no_cache, quiet)
    if folder is not None:
        from csg_analyze.report.folder import write_report

        write_report(report, folder, force=force, light=light)
    _print_outcome(report, folder, as_json)


def report(
    checkpoints: Checkpoints,
    analyzers: Annotated[str | None, typer.Option(help="Which, with commas between; default: all.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-O", help="An analyzer's option, e.g. mis.n_neighbors=5.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the report.")] = None,
    paper: Annotated[str | None, typer.Option(help="Put the paper's numbers beside: cifar10 | imagenet | voc.")] = None,
    remark: Annotated[
        str | None, typer.Option(help="A sentence for the table over seeds: how the recipe was chosen, say.")
    ] = None,
    light: Annotated[
        bool, typer.Option("--light", help="Leave out pages of their own and files over 1 MB, links to them too.")
    ] = False,
    data: Data = None,
    split: Split = "test",
    limit: Limit = None,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
    arch: Arch = None,
    num_classes: NumClasses = None,
    layer: Layer = None,
    mean: Mean = None,
    std: Std = None,
    size: Size = None,
    allow_pickle: AllowPickle = False,
    device: Device = None,
    cache: CacheFolder = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
) -> None:
    """Run every analyzer, or the named ones, and write one report that compares the checkpoints.

    Checkpoints of csg-train that differ in nothing but the seed are one group: mean and standard deviation over its
    seeds, and the difference CSG - STD seed by seed, stand first.
    """
    from csg_analyze.options import parse_options

    analyze_checkpoints(
        checkpoints, data, split, limit, out, force, as_json, arch, num_classes, layer, mean, std, size,
        allow_pickle, device, cache, no_cache, quiet,
        analyzers=None if analyzers is None else [name.strip() for name in analyzers.split(",") if name.strip()],
        options=parse_options(option or []),
        title=title,
        paper=paper,
        remark=remark,
        light=light,
    )  # fmt: skip


def demo(
    out: Annotated[Path | None, typer.Option(help="Where to; default: a new folder under reports/.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of both trainings.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Start anew in an existing demo folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train an STD and a CSG network on the embedded scenes, run every analyzer, write the report.

    An interrupted demo goes on where it was when called with the same --out.
    """
    from csg_analyze.demo import OPTIONS, prepare_folder, train_twins

    folder = prepare_folder(out, force)
    checkpoints = train_twins(folder, seed=seed, quiet=quiet)
    analyze_checkpoints(
        checkpoints, out=folder / "report", quiet=quiet, analyzers=None, options=OPTIONS, title="STD and CSG on scenes"
    )


def inspect(
    checkpoints: Checkpoints,
    arch: Arch = None,
    num_classes: NumClasses = None,
    layer: Layer = None,
    mean: Mean = None,
    std: Std = None,
    size: Size = None,
    allow_pickle: AllowPickle = False,
) -> None:
    """Show what a checkpoint is: architecture, layers, classes, gate, preprocessing, data, training record."""
    from csg_analyze.checkpoints import load_classifier
    from csg_analyze.report.inspection import describe

    for path in checkpoints:
        classifier = load_classifier(
            path, architecture=arch, n_classes=num_classes, layer=layer, size=size, allow_pickle=allow_pickle,
            mean=_numbers("--mean", mean), std=_numbers("--std", std), device="cpu",
        )  # fmt: skip
        print(describe(classifier))


def list_all() -> None:
    """List the analyzers, the data specs and the architectures."""
    from csg_analyze.data.specs import KINDS
    from csg_analyze.models import architectures
    from csg_analyze.registry import ANALYZERS, registered, summary_of

    print("analyzers")
    for name, entry in registered(ANALYZERS).items():
        origin = "" if entry.module.startswith("csg_analyze.") else f"  [{entry.value}]"
        print(f"  {name:<12} {summary_of(entry)}{origin}")
    print("data")
    for kind, line in KINDS.items():
        print(f"  {kind:<12} {line}")
    print("architectures")
    print("  " + " ".join(architectures()))


def _report(
    classifiers: Sequence[Classifier],
    datasets: Sequence[Dataset],
    what: Plan,
    title: str | None,
    paper: str | None,
    remark: str | None,
    cache_folder: Path | None,
    no_cache: bool,
    quiet: bool,
) -> Report:
    from csg_analyze.inputs.cache import Cache, default_folder
    from csg_analyze.inputs.forward import untracked
    from csg_analyze.pipeline import analyze, compose

    cache = Cache(None if no_cache else cache_folder or default_folder())
    compared = tuple(zip(classifiers, datasets, strict=True))
    models = [
        analyze(classifier, dataset, what, compared=compared, cache=cache, track=untracked if quiet else track)
        for classifier, dataset in compared
    ]
    command = ["csg-analyze", *sys.argv[1:]]
    return compose(models, classifiers, datasets, what, title=title, paper=paper, remark=remark, command=command)


def _report_folder(out: Path | None, force: bool, what: Plan, checkpoints: Sequence[Path]) -> Path:
    """The folder to write, checked before the long work: the given one, or the next free one under reports/."""
    from csg_analyze.report.folder import check_out

    if out is None:
        names = [step.name for step in what.analyzers]
        stem = "-".join([*(names if len(names) == 1 else ["report"]), *(path.stem for path in checkpoints[:4])])
        out = free_folder(Path("reports") / stem)
        out.parent.mkdir(exist_ok=True)
    check_out(out, force)
    return out


def free_folder(wanted: Path) -> Path:
    """The folder itself, else the first of `wanted-2`, `wanted-3` ... that does not exist."""
    found, number = wanted, 1
    while found.exists():
        number += 1
        found = wanted.with_name(f"{wanted.name}-{number}")
    return found


def _print_outcome(report: Report, folder: Path | None, as_json: bool) -> None:
    from csg_analyze.report.seed_tables import headline_over_seeds
    from csg_analyze.report.seeds import different_numbers_of_images
    from csg_analyze.report.summary import summary_document
    from csg_analyze.report.tables import headline

    if as_json:
        print(json.dumps(summary_document(report), indent=2))
    else:
        print(headline(report))
        if over_seeds := headline_over_seeds(report):
            print(f"\n{over_seeds}")
    if note := different_numbers_of_images(report.models):
        say(f"note: {note}")
    for model in report.models:
        for analyzer, reason in model.skipped.items():
            say(f"skipped: {analyzer} of {model.name}: {reason}")
    if folder is not None:
        say(f"report: {folder / 'index.html'}")


def _numbers(flag: str, text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"{flag} needs three numbers with commas between, e.g. .485,.456,.406; not {text!r}."
        ) from None
