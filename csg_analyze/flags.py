"""Command-line flags from what is declared once: the fields of a dataclass, the parameters of a function.

`Annotated[int, "what it is"]` becomes a flag with that help; an Option or Argument of Typer's says more: another name,
or that there is no negative form.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from inspect import Parameter
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.models import ParameterInfo


@dataclass(frozen=True)
class OnCommandLine:
    """Annotated to a field that takes more in Python than on the command line: its type there, and what it is."""

    kind: Any
    words: ParameterInfo | str


def command(
    function: Callable[..., None],
    *,
    fixed: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
    more: Iterable[Parameter] = (),
    summary: str = "",
) -> Callable[..., None]:
    """A command of Typer's that calls `function` with the values of its flags.

    A parameter whose type is a dataclass stands for the flags of its fields (`flags_of`) and is built from them.
    fixed: values of parameters that get no flag. without: names that get none and keep their defaults. more: further
    flags, handed over by keyword. summary: plain text for the help; else the function's docstring.
    """
    hints = get_type_hints(function, include_extras=True)
    own = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.kind is not Parameter.VAR_KEYWORD and p.name not in (fixed or {})
    ]
    flags: list[Parameter] = []
    for parameter in own:
        kind = hints[parameter.name]
        flags += flags_of(kind, without) if is_dataclass(kind) else [flag(parameter.name, kind, parameter.default)]
    flags += more

    def call(**values: Any) -> None:
        arguments = {
            p.name: _built(kind, values) if is_dataclass(kind := hints[p.name]) else values.pop(p.name) for p in own
        }
        function(**(fixed or {}), **arguments, **values)

    # Typer reads a command's flags from its signature
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [each.replace(kind=Parameter.KEYWORD_ONLY) for each in flags]
    )
    call.__annotations__ = {}
    call.__doc__ = summary or inspect.getdoc(function)
    return call


def flags_of(kind: Any, without: Collection[str] = ()) -> Iterator[Parameter]:
    """A flag for every annotated field of a dataclass, dataclasses among its fields included."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hint = hints[field.name]
        if is_dataclass(hint):
            yield from flags_of(hint, without)
        elif get_origin(hint) is Annotated and field.name not in without:
            yield flag(field.name, hint, Parameter.empty if field.default is MISSING else field.default)


def _built(kind: Any, values: dict[str, Any]) -> Any:
    """The dataclass from the values of its flags, taken out of `values`; a field without a flag keeps its default."""
    hints = get_type_hints(kind, include_extras=True)
    arguments = {}
    for name in (field.name for field in fields(kind)):
        if is_dataclass(hints[name]):
            arguments[name] = _built(hints[name], values)
        elif get_origin(hints[name]) is Annotated and name in values:
            arguments[name] = values.pop(name)
    return kind(**arguments)


def flag(name: str, annotation: Any, default: Any) -> Parameter:
    """One flag: its name, its type with what it is, its default."""
    plain, words = parted(annotation)
    info = words if isinstance(words, ParameterInfo) else typer.Option(help=words)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[plain, info])


def parted(annotation: Any) -> tuple[Any, ParameterInfo | str | None]:
    """A type without what is annotated to it, and that: Typer's own words, or a text; None where there is neither."""
    if get_origin(annotation) is not Annotated:
        return annotation, None
    plain, *extras = get_args(annotation)
    for extra in extras:
        if isinstance(extra, OnCommandLine):
            return extra.kind, extra.words
    told = [getattr(extra, "description", None) or extra for extra in extras]  # pydantic's Field has a description
    return plain, next((words for words in told if isinstance(words, ParameterInfo | str)), None)


def changes_of(kind: Any, without: Collection[str] = (), panel: str = "") -> Iterator[Parameter]:
    """For a dataclass that checks its own values: every field as an optional flag whose value stays text.

    A dataclass among its fields is a group of flags, and what is annotated to it the title they are shown under.
    panel: the title over fields that are in no such group.
    """
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        if field.name in without:
            continue
        plain, words = parted(hints[field.name])
        if is_dataclass(plain):
            yield from changes_of(plain, without, str(words or panel))
            continue
        switch, name = plain is bool, named(field.name)
        spelled = f"{name}/--no-{name[2:]}" if switch else name
        metavar = None if switch else _metavar(plain)
        option = typer.Option(spelled, help=str(words), metavar=metavar, rich_help_panel=panel)
        yield flag(field.name, Annotated[(bool if switch else str) | None, option], None)


def named(name: str) -> str:
    """The flag of a field: gate_bound -> --gate-bound."""
    return "--" + name.replace("_", "-")


_METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT"}


def _metavar(plain: Any) -> str:
    """How help writes what a flag takes: INTEGER, NUMBER, A|B, LIST, TEXT."""
    if get_origin(plain) is tuple:
        return "LIST"
    for kind in (plain, *get_args(plain)):  # a field, or what it is beside None
        kind = parted(kind)[0]
        if get_origin(kind) is Literal:
            return "|".join(get_args(kind))
        if kind in _METAVARS:
            return _METAVARS[kind]
    return "LIST"
