"""Analyzers and inputs by name: their entry points and their signatures.

Built-in ones are registered like those of third parties: in `pyproject.toml`, in the groups `csg_analyze.analyzers`
and `csg_analyze.inputs`.
"""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from csg_analyze.about import About, about_of
from csg_analyze.errors import UsageError, unknown
from csg_analyze.paper import ORDER

ANALYZERS, INPUTS = "csg_analyze.analyzers", "csg_analyze.inputs"


@dataclass(frozen=True)
class Option:
    """A keyword-only parameter: its type (as annotated, `Annotated` included) and its default."""

    annotation: Any
    default: Any


@dataclass(frozen=True)
class Step:
    """An analyzer or an input function, and its signature.

    needs: the names of its positional parameters. optional: those whose annotation admits None, which they are if a
    model or dataset does not have them. options: its keyword-only parameters.
    """

    name: str
    function: Callable[..., Any]
    needs: tuple[str, ...]
    optional: frozenset[str]
    options: Mapping[str, Option]
    about: About


def registered(group: str) -> dict[str, EntryPoint]:
    """All entry points of a group by name, without importing them; built-in ones come first."""

    def place(entry: EntryPoint) -> tuple[bool, int, str]:
        order = ORDER.index(entry.name) if entry.name in ORDER else len(ORDER)
        return not entry.module.startswith("csg_analyze."), order, entry.name

    by_name: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=place):
        by_name.setdefault(entry.name, entry)  # a third party cannot replace a built-in one
    return by_name


def find(group: str, name: str) -> Step:
    """Load one analyzer or input. Raises UsageError if it is unknown or cannot be imported."""
    entries = registered(group)
    if name not in entries:
        raise unknown(group.removeprefix("csg_analyze.").removesuffix("s"), name, entries)
    entry = entries[name]
    try:
        function = entry.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{name!r} is registered as {entry.value!r}, which cannot be imported: {error}.") from error
    return read_signature(name, function)


def read_signature(name: str, function: Callable[..., Any]) -> Step:
    """The needs and options of a function; annotations that cannot be resolved count as unknown types."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError:  # names imported for type checkers only
        hints = {}
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return Step(
        name,
        function,
        needs=tuple(p.name for p in positional),
        optional=frozenset(p.name for p in positional if _admits_none(hints.get(p.name))),
        options={p.name: Option(_type_of(p, hints), p.default) for p in parameters if p.kind is p.KEYWORD_ONLY},
        about=about_of(name, function),
    )


def summary_of(entry: EntryPoint) -> str:
    """One line on a registered function: its title declared with `about`, or the first line of its docstring.

    The summary that it declares with `about`, or else the first line of its docstring.
    It is read from the source, because importing may be slow.
    """
    try:
        spec = find_spec(entry.module)
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8")) if spec and spec.origin else ast.parse("")
    except (ImportError, OSError, SyntaxError, ValueError):
        return "(cannot be imported)"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
            return _declared_summary(node) or (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


def _declared_summary(function: ast.FunctionDef) -> str:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).rpartition(".")[2] == "about":
            summary = decorator.args[1] if len(decorator.args) > 1 else None
            return str(summary.value) if isinstance(summary, ast.Constant) else ""
    return ""


def _admits_none(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation)


def _type_of(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Any:
    if parameter.name in hints:
        return hints[parameter.name]
    return str if parameter.default in (None, parameter.empty) else type(parameter.default)
