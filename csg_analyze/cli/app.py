"""csg-analyze: one subcommand per analyzer, plus inspect, list, report, compare, index, demo and prepare-voc.

Importing this module imports neither torch nor pandas, so that --help is fast: an analyzer is loaded only when its
subcommand is called.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from csg_analyze import flags
from csg_analyze.cli import commands, voc
from csg_analyze.console import program_flags, run_app
from csg_analyze.errors import unknown
from csg_analyze.registry import ANALYZERS, find, registered, summary_of
from csg_analyze.settings import Run

if TYPE_CHECKING:
    from csg_analyze.registry import Step

COMMANDS: Mapping[str, Callable[..., None]] = {
    "report": commands.report,
    "compare": commands.compare,
    "index": commands.index,
    "demo": commands.demo,
    "inspect": commands.inspect,
    "list": commands.list_all,
    "prepare-voc": voc.prepare_voc,
}
"""Commands that are not analyzers."""

GIVEN_OTHERWISE: Mapping[str, tuple[str, ...]] = {"report": ("checkpoints",)}
"""Fields of a run for which a command has parameters of its own."""

DATA_FLAGS: Mapping[str, Callable[..., str | None]] = {"localize": voc.voc_data}
"""Analyzers with flags of their own for the data: a function from --data and these flags to a data spec."""

COMPLETED_LINE = "_TYPER_COMPLETE_ARGS"
HELP = "Which filters of a CNN stand for which class, and what that buys."


def main(arguments: Sequence[str] | None = None) -> None:
    """Run csg-analyze; exits with 0, with 2 and one sentence for bad input, with 130 when interrupted."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in typed if not word.startswith("-")), None)
    if COMPLETED_LINE in os.environ:  # set by a shell that completes a line, whose command may be unfinished
        command = next((word for word in os.environ[COMPLETED_LINE].split()[1:2] if word in _names()), None)

    def app(arguments: Sequence[str], **options: Any) -> object:
        return build_app(command)(arguments, **options)

    sys.exit(run_app(app, program="csg-analyze", arguments=typed))


def build_app(command: str | None) -> typer.Typer:
    """The application. command: the analyzer to load; others have only their name and title.

    Raises UsageError, suggesting the nearest, if no command or analyzer has that name.
    """
    app = typer.Typer(
        help=f"{HELP}\n\n--debug shows the traceback of any error.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(program_flags)
    for name, function in COMMANDS.items():
        summary = (inspect.getdoc(function) or "").partition("\n\n")[0]
        flagged = flags.command(function, without=GIVEN_OTHERWISE.get(name, ()))
        app.command(name=name, short_help=" ".join(summary.split()))(flagged)
    analyzers = registered(ANALYZERS)
    for name, entry in analyzers.items():
        function = analyzer_command(find(ANALYZERS, name)) if name == command else _stub
        app.command(name=name, short_help=summary_of(entry))(function)
    if command is not None and command not in _names():
        raise unknown("command or analyzer", command, _names())
    return app


def _names() -> set[str]:
    return {*COMMANDS, *registered(ANALYZERS)}


def _stub() -> None:
    """The command of an analyzer that is not loaded."""


def analyzer_command(step: Step) -> Callable[..., None]:
    """The subcommand of one analyzer: common flags, the analyzer's options, and the options of its inputs."""
    from csg_analyze.plan import plan

    owners: dict[str, str] = {}
    more: dict[str, inspect.Parameter] = {}
    spec = DATA_FLAGS.get(step.name)
    if spec is not None:
        more = {name: p for name, p in inspect.signature(spec, eval_str=True).parameters.items() if name != "data"}
    of_data = tuple(more)
    for owner in (step, *plan([step.name]).inputs.values()):
        for name, option in owner.options.items():
            owners.setdefault(name, owner.name)
            more.setdefault(name, flags.flag(name, option.annotation, option.default))

    def analyze(settings: Run, as_json: commands.AsJson = False, **values: Any) -> None:
        if spec is not None:
            data = spec(settings.data, **{name: values.pop(name) for name in of_data})
            settings = replace(settings, data=data)
        options: dict[str, dict[str, Any]] = {}
        for name, owner in owners.items():
            options.setdefault(owner, {})[name] = values[name]
        commands.analyze_checkpoints(replace(settings, analyzers=[step.name], options=options), as_json)

    return flags.command(analyze, without=commands.OF_REPORTS, more=more.values(), summary=step.about.help)
