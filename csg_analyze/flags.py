"""Command-line flags from the fields of a dataclass and the parameters of a function.

`Annotated[int, "help text"]` becomes a flag with this help. With Typer's Option or Argument instead of the text, a flag
can have another name, or no negative form.
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
    """A Typer command that calls `function` with the values of its flags.

    A parameter whose type is a dataclass has the flags of its fields (`flags_of`) and is built from them. fixed: values
    of parameters without flags. without: names without flags that keep their defaults. more: further flags, passed on
    by keyword. summary: text of the help; by default the function's docstring.
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
        [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in flags]
    )
    call.__annotations__ = {}
    call.__doc__ = summary or inspect.getdoc(function)
    return call


def flags_of(kind: Any, without: Collection[str] = ()) -> Iterator[Parameter]:
    """One flag per annotated field of a dataclass, including fields of dataclasses in it."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hint = hints[field.name]
        if is_dataclass(hint):
            yield from flags_of(hint, without)
        elif get_origin(hint) is Annotated and field.name not in without:
            yield flag(field.name, hint, Parameter.empty if field.default is MISSING else field.default)


def _built(kind: Any, values: dict[str, Any]) -> Any:
    """Build a dataclass from its flags, removed from `values`; fields without flags keep their defaults."""
    hints = get_type_hints(kind, include_extras=True)
    arguments = {}
    for name in (field.name for field in fields(kind)):
        if is_dataclass(hints[name]):
            arguments[name] = _built(hints[name], values)
        elif get_origin(hints[name]) is Annotated and name in values:
            arguments[name] = values.pop(name)
    return kind(**arguments)


def flag(name: str, annotation: Any, default: Any) -> Parameter:
    """One flag. annotation: its type with its help, as in `command`."""
    plain, words = parted(annotation)
    info = words if isinstance(words, ParameterInfo) else typer.Option(help=words)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[plain, info])


def parted(annotation: Any) -> tuple[Any, ParameterInfo | str | None]:
    """A type without its annotation, and the annotation: Typer's Option or Argument, or a text; None without either."""
    if get_origin(annotation) is not Annotated:
        return annotation, None
    plain, *extras = get_args(annotation)
    for extra in extras:
        if isinstance(extra, OnCommandLine):
            return extra.kind, extra.words
    texts = [getattr(extra, "description", None) or extra for extra in extras]  # pydantic's Field has a description
    return plain, next((words for words in texts if isinstance(words, ParameterInfo | str)), None)


def changes_of(kind: Any, without: Collection[str] = (), panel: str = "") -> Iterator[Parameter]:
    """Every field of a dataclass that checks its own values as an optional flag whose value stays text.

    A dataclass among its fields is a group of flags; its annotation is the group's title. panel: title of the fields
    outside such groups.
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
    """The kind of value a flag takes, as shown in the help: INTEGER, NUMBER, A|B, LIST, TEXT."""
    if get_origin(plain) is tuple:
        return "LIST"
    for kind in (plain, *get_args(plain)):  # the type itself, or its alternatives to None
        kind = parted(kind)[0]
        if get_origin(kind) is Literal:
            return "|".join(get_args(kind))
        if kind in _METAVARS:
            return _METAVARS[kind]
    return "LIST"
