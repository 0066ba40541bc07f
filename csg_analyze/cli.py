"""csg-analyze: one subcommand an analyzer, plus inspect, list, report, demo and prepare-voc.

Importing this module imports neither torch nor pandas, so that --help answers at once: an analyzer is only loaded
when its own subcommand is called.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import typer

from csg_analyze import commands, voc_commands
from csg_analyze.console import program_flags, run
from csg_analyze.errors import unknown
from csg_analyze.registry import ANALYZERS, find, registered, summary_of

if TYPE_CHECKING:
    from csg_analyze.registry import Step

COMMANDS: Mapping[str, Callable[..., None]] = {
    "report": commands.report,
    "demo": commands.demo,
    "inspect": commands.inspect,
    "list": commands.list_all,
    "prepare-voc": voc_commands.prepare_voc,
}
"""The commands that are no analyzers."""

DATA_FLAGS: Mapping[str, Callable[..., str | None]] = {"localize": voc_commands.voc_data}
"""Analyzers whose command names its data with flags of its own: a function from --data and these flags to a spec."""

HELP = "Which filters of a CNN stand for which class, and what that buys."


def main(arguments: Sequence[str] | None = None) -> None:
    """Run csg-analyze; exits with 0, with 2 and one sentence for bad input, with 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in given if not word.startswith("-")), None)

    def app(arguments: Sequence[str], **how: Any) -> object:
        return build_app(command)(arguments, **how)

    sys.exit(run(app, program="csg-analyze", arguments=given))


def build_app(command: str | None) -> typer.Typer:
    """The application, with the analyzer of that name loaded and all others by name and first line only.

    Raises UsageError, suggesting the nearest, where no command or analyzer has that name.
    """
    app = typer.Typer(
        help=f"{HELP}\n\n--debug shows the traceback of any error.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(program_flags)
    for name, function in COMMANDS.items():
        app.command(name=name, rich_help_panel="Commands")(function)
    analyzers = registered(ANALYZERS)
    for name, entry in analyzers.items():
        function = analyzer_command(find(ANALYZERS, name)) if name == command else _stub
        app.command(name=name, help=None if name == command else summary_of(entry))(function)
    known = {*COMMANDS, *analyzers}
    if command is not None and command not in known:
        raise unknown("command or analyzer", command, known)
    return app


def _stub() -> None:
    """Stands for an analyzer that was not called."""


def analyzer_command(step: Step) -> Callable[..., None]:
    """The subcommand of one analyzer: the flags every command has, the analyzer's options, and its inputs' options."""
    owners = dict.fromkeys(step.options, step.name)
    signature = inspect.signature(commands.analyze_checkpoints, eval_str=True)
    # what can only be given by name (title, paper, remark) is for `report`
    parameters = {name: p for name, p in signature.parameters.items() if p.kind is not p.KEYWORD_ONLY}
    spec = DATA_FLAGS.get(step.name)
    own = {} if spec is None else dict(list(inspect.signature(spec, eval_str=True).parameters.items())[1:])
    parameters |= own
    for owner in (step, *_inputs_of(step)):
        for name, option in owner.options.items():
            owners.setdefault(name, owner.name)
            parameters.setdefault(name, _flag(name, option.annotation, option.default))

    def command(**values: Any) -> None:
        options: dict[str, dict[str, Any]] = {}
        if spec is not None:
            values["data"] = spec(values["data"], **{name: values.pop(name) for name in own})
        for name, owner in owners.items():
            options.setdefault(owner, {})[name] = values.pop(name)
        commands.analyze_checkpoints(**values, analyzers=[step.name], options=options)

    # typer reads a command's flags from its signature
    command.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    command.__annotations__ = {name: p.annotation for name, p in parameters.items()}
    command.__doc__ = step.description
    return command


def _inputs_of(step: Step) -> list[Step]:
    """Every input the analyzer needs, directly or not."""
    from csg_analyze.pipeline import plan

    return list(plan([step.name]).inputs.values())


def _flag(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """An option as typer wants it: `Annotated[int, "what it is"]` becomes --name with that help."""
    words = [extra for extra in get_args(annotation)[1:] if isinstance(extra, str)] if get_origin(annotation) else []
    plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    option = typer.Option(help=words[0] if words else None)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[plain, option])
