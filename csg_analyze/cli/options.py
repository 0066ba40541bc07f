"""`-O mis.n_neighbors=5`: options of analyzers and inputs as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, get_origin

from pydantic import TypeAdapter, ValidationError

from csg_analyze.errors import UsageError, unknown
from csg_analyze.registry import ANALYZERS, INPUTS, Option, find, registered


def parse_options(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`["mis.n_neighbors=5"]` -> `{"mis": {"n_neighbors": 5}}`, with values of the annotated types.

    Raises UsageError unless all are OWNER.NAME=VALUE, with known owners and names and values of the right type.
    """
    options: dict[str, dict[str, Any]] = {}
    for text in texts:
        left, equals, value = text.partition("=")
        owner, dot, name = left.partition(".")
        if not (equals and dot):
            raise UsageError(f"an option has the form ANALYZER.NAME=VALUE, e.g. mis.n_neighbors=5; not {text!r}.")
        group = ANALYZERS if owner in registered(ANALYZERS) else INPUTS
        declared = find(group, owner).options
        name = name.replace("-", "_")
        if name not in declared:
            raise unknown(f"option of {owner}", name, declared or ("(it has none)",))
        options.setdefault(owner, {})[name] = _convert(text, declared[name], value)
    return options


def _convert(text: str, option: Option, value: str) -> Any:
    annotation = option.annotation
    plain = annotation.__origin__ if get_origin(annotation) is Annotated else annotation
    try:
        return TypeAdapter(plain).validate_python(value)
    except ValidationError as error:
        raise UsageError(f"{text!r} does not fit: {error.errors()[0]['msg']}.") from None
