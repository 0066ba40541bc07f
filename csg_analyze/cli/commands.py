"""The subcommands. They import heavy packages inside, so that --help is fast."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from csg_analyze.errors import UsageError
from csg_analyze.files import free_folder
from csg_analyze.progress import printable, say
from csg_analyze.settings import Loading, Run
from csg_analyze.stages import run

if TYPE_CHECKING:
    from csg_analyze.report.document import Report

AsJson = Annotated[
    bool, typer.Option("--json", help="Print the summary document on stdout; write a folder only with --out.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
INCOMPLETE = 3
"""Exit code of a report without some of the checkpoints that were asked for."""
OF_REPORTS = ("title", "paper", "remark", "light")
"""Flags of `report` that a single analyzer does not have."""


def analyze_checkpoints(settings: Run, as_json: bool) -> None:
    """Run all stages and print the results, for the commands of analyzers, `report` and `demo`.

    Exits with INCOMPLETE if some of the checkpoints could not be analysed.
    """
    if settings.out is None and not as_json:
        settings = replace(settings, out=_new_folder(settings))
    report = run(replace(settings, command=["csg-analyze", *sys.argv[1:]]))
    _print_report(report, settings.out, as_json)
    if report.refused:
        raise typer.Exit(INCOMPLETE)


def _new_folder(settings: Run) -> Path:
    """The next free folder under reports/, named after the analyzer and the checkpoints."""
    names = settings.analyzers or ()
    kind = names[0] if len(names) == 1 else "report"
    folder = free_folder(Path("reports") / "-".join([kind, *(path.stem for path in settings.checkpoints[:4])]))
    folder.parent.mkdir(exist_ok=True)
    return folder


def report(
    settings: Run,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Checkpoint files to analyse and compare.", metavar="[CHECKPOINTS]...", show_default=False),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="The provenance.json of a report to repeat; its checkpoints must be unchanged."),
    ] = None,
    analyzers: Annotated[str | None, "Names separated by commas; default: all."] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-O", help="An analyzer's option, e.g. mis.n_neighbors=5.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run all analyzers, or the named ones, and write one report that compares the checkpoints.

    Checkpoints of csg-train that differ only in the seed are one group: the report begins with the mean and standard
    deviation over its seeds, and the difference CSG - STD seed by seed.
    """
    from csg_analyze.cli.options import parse_options
    from csg_analyze.repeating import repeated

    names = None if analyzers is None else [name.strip() for name in analyzers.split(",") if name.strip()]
    if bool(files) == (source is not None):
        raise UsageError("give either checkpoint files or, to repeat a report, --from with its provenance.json.")
    settings = replace(settings, analyzers=names, options=parse_options(option or []), checkpoints=files or ())
    analyze_checkpoints(settings if source is None else repeated(settings, source), as_json)


def compare(
    a: Annotated[Path, typer.Argument(help="The folder of a report.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="The folder of another.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
) -> None:
    """Compare two reports, number by number, from what they wrote.

    The differences are b - a, with intervals where the reports have samples of the same images or intervals of their
    own. What keeps the two from being compared is said.
    """
    from csg_analyze.comparing import comparison

    compared = comparison.compare(a, b)
    print(json.dumps(compared.document(), indent=2) if as_json else compared)


def index(
    folder: Annotated[Path, typer.Argument(help="The folder that reports are in.")] = Path("reports"),
    kept: Annotated[bool, typer.Option("--kept", help="List only what git does not ignore.")] = False,
) -> None:
    """List all reports of a folder, in its index.html and README.md: what they found, and how to make them again.

    In README.md only the part between two comments is written anew.
    """
    from csg_analyze.overview.writing import write_overview

    for listed in write_overview(folder, kept=kept):
        print(printable(f"{listed.folder}: {listed.title}"))
    say(f"overview: {folder / 'index.html'}")


def demo(
    out: Annotated[Path | None, "The folder to write; default: a new one under reports/."] = None,
    seed: Annotated[int, "Seed of both trainings."] = 0,
    force: Annotated[bool, typer.Option("--force", help="Start anew in an existing demo folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train an STD and a CSG network on the embedded scenes, run all analyzers, write the report.

    With the same --out, an interrupted demo continues where it stopped.
    """
    from csg_analyze.cli.demo import OPTIONS, REPORT, TITLE, prepare_folder, train_twins

    folder = prepare_folder(out, force)
    checkpoints = train_twins(folder, seed=seed, quiet=quiet)
    settings = Run(checkpoints, out=folder / REPORT, quiet=quiet, options=OPTIONS, title=TITLE)
    analyze_checkpoints(settings, as_json=False)


def inspect(
    checkpoints: Annotated[list[Path], typer.Argument(help="Checkpoint files.", show_default=False)],
    loading: Loading,
    data: Annotated[str | None, "Labelled images to try the usual preprocessings and orders of classes on."] = None,
    split: Annotated[Literal["test", "train"], "Which part of that data."] = "test",
    limit: Annotated[int, "Largest number of its images, classes balanced."] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
    quiet: Quiet = False,
) -> None:
    """Describe checkpoints: architecture, layers, classes, gate, preprocessing, data, training record.

    With --data, the usual alternatives of mean and std, order of channels, size and order of classes are tried on a few
    labelled images, and named with the flags that give them.
    """
    from csg_analyze.checkpoints.description import SCHEMA, describe, description
    from csg_analyze.progress import track, untracked
    from csg_analyze.report.document import json_text

    documents = []
    for path in checkpoints:
        classifier = loading.load(path)
        document, text = description(classifier), describe(classifier)
        if data is not None:
            from csg_analyze.alternatives import alternatives_table, alternatives_values, try_alternatives

            trials = try_alternatives(classifier, data, split, limit, untracked if quiet else track)
            document["alternatives"] = alternatives_values(trials)
            text += "\n" + alternatives_table(trials)
        documents.append(document)
        if not as_json:
            print(printable(text))
    if as_json:
        print(json_text({"schema": SCHEMA, "checkpoints": documents}), end="")


def list_all(as_json: Annotated[bool, typer.Option("--json", help="As JSON, on stdout.")] = False) -> None:
    """List the analyzers, the data specs and the architectures."""
    from csg_analyze.data.specs import DATA_KINDS
    from csg_analyze.models import architectures
    from csg_analyze.registry import ANALYZERS, registered, summary_of

    analyzers = registered(ANALYZERS)
    summaries = {name: summary_of(entry) for name, entry in analyzers.items()}
    if as_json:
        described = {
            "analyzers": [
                {"name": name, "summary": summaries[name], "from": entry.value} for name, entry in analyzers.items()
            ],
            "data": [{"name": kind, "spec": line} for kind, line in DATA_KINDS.items()],
            "architectures": architectures(),
        }
        print(json.dumps(described, indent=2))
        return
    theirs = {name: f"  [{e.value}]" for name, e in analyzers.items() if not e.module.startswith("csg_analyze.")}
    print("analyzers")
    for name, summary in summaries.items():
        _print_entry(name, summary + theirs.get(name, ""))
    print("data")
    for kind, line in DATA_KINDS.items():
        _print_entry(kind, line)
    print("architectures")
    print(textwrap.fill(" ".join(architectures()), 78, initial_indent="  ", subsequent_indent="  "))
    print("  timm:NAME (of timm)  hf:DIR (a folder of transformers)  package.module:factory (your own code)")


def _print_entry(name: str, text: str) -> None:
    """`  name  text`, wrapped at 80 columns below the text."""
    print(printable(textwrap.fill(text, 80, initial_indent=f"  {name:<14} ", subsequent_indent=" " * 17)))


def _print_report(report: Report, folder: Path | None, as_json: bool) -> None:
    from csg_analyze.report.headline import headline
    from csg_analyze.report.over_seeds import headline_over_seeds
    from csg_analyze.report.seeds import sample_size_note
    from csg_analyze.report.summary import summary_document

    if as_json:
        print(json.dumps(summary_document(report), indent=2))
    else:
        print(printable(headline(report)))
        if over_seeds := headline_over_seeds(report):
            print(f"\n{printable(over_seeds)}")
    if note := sample_size_note(report.models):
        say(f"note: {note}")
    for model in report.models:
        for note in model.notes:
            say(f"note: {model.name}: {note}")
        for analyzer, reason in model.skipped.items():
            say(f"skipped: {analyzer} of {model.name}: {reason}")
    if folder is not None:
        say(f"report: {folder / 'index.html'}")
