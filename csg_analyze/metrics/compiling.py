"""Functions that numba compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def compiled(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Compile at the first call, store the machine code on disk, and release the GIL for use in threads."""
    return cast("Callable[Parameters, Returned]", numba.njit(nogil=True, cache=True, forceinline=True)(function))
