"""An extension of griffe, which reads docstrings for the site: examples (`>>>`) become blocks of code.

Docstrings are plain text; in Markdown `>>>` would be a quotation, and a star would begin emphasis.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", flags=re.MULTILINE)


class PlainText(griffe.Extension):
    """Docstrings as Markdown that shows them as they are, what stands between backticks as code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe with every object that it has read."""
        if isinstance(obj, griffe.Attribute):
            part_annotation(obj)
        if isinstance(obj, griffe.Class | griffe.Function):  # of a class: its __init__
            for parameter in obj.parameters:
                parameter.annotation = plain(parameter.annotation)
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def part_annotation(field: griffe.Attribute) -> None:
    """Of a field `Annotated[type, help]`: the type as its annotation, and the help as its text."""
    if is_annotated(field.annotation) and field.docstring is None:
        (expression,) = ast.parse(str(field.annotation)).body
        constants = [node.value for node in ast.walk(expression) if isinstance(node, ast.Constant)]
        help_text = max((value for value in constants if isinstance(value, str)), key=len, default="")
        field.docstring = griffe.Docstring(help_text, parent=field)
    field.annotation = plain(field.annotation)


def is_annotated(annotation: Any) -> bool:
    """Whether an annotation is `Annotated[...]`."""
    return isinstance(annotation, griffe.ExprSubscript) and annotation.canonical_name == "Annotated"


def plain(annotation: Any) -> Any:
    """An annotation without what `Annotated` adds to a type."""
    return annotation.slice.elements[0] if is_annotated(annotation) else annotation


def as_markdown(docstring: str) -> str:
    """The text with its examples fenced, and the stars of its sentences escaped."""
    fenced = EXAMPLE.sub(r"```pycon\n\g<0>\n```", docstring)
    pieces = re.split(r"(```.*?```|`[^`\n]+`)", fenced, flags=re.DOTALL)
    return "".join(piece if index % 2 else piece.replace("*", r"\*") for index, piece in enumerate(pieces))
