"""Pages in HTML: templates that escape whatever they are given, and one style for all."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape


def environment(package: str, *, autoescape: bool, finalize: Callable[..., Any] | None = None) -> Environment:
    """The templates of a package, and those that all share; a name that a template does not know is an error."""
    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("csg_analyze.html")]),
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["prose"] = prose
    return templates


def prose(text: str) -> Markup:
    """A paragraph in HTML, with what stands between backticks as code."""
    pieces = re.split(r"`([^`\n]+)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if index % 2 else escape(piece) for index, piece in enumerate(pieces)
    )
