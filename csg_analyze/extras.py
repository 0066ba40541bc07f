"""Libraries that only some files and data need, and that not everybody has: the extra `hub`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from csg_analyze.errors import UsageError

HUB = 'pip install "csg-analyze[hub]"'


def optional(library: str, purpose: str) -> Any:
    """The imported module of a library. purpose: what needs it, as the sentence's beginning.

    Raises UsageError if it is missing, saying how to install it.
    """
    try:
        return import_module(library)
    except ImportError as error:
        raise UsageError(f"{purpose} needs {library.partition('.')[0]}, which is not installed: {HUB}") from error
