"""Results that are kept between runs, as an analysis sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np

Arrays: TypeAlias = "Mapping[str, np.ndarray]"


class Keep(Protocol):
    """What earlier runs computed. Whatever is not there is computed, and kept."""

    def under(self, name: str, depends: Sequence[object], compute: Callable[[], Arrays]) -> Arrays:
        """What `compute` gives. depends: all that determines it, as arrays and plain values.

        The code of this package counts too, so `compute` calls no other. name: a part of a file's name.
        """

    def of(self, function: Callable[..., Arrays], *arguments: object, **options: object) -> Arrays:
        """`function(*arguments, **options)`, which the contents of the arguments determine: arrays and plain values."""


class _Nothing:
    """See `Keep`."""

    def under(self, name: str, depends: Sequence[object], compute: Callable[[], Arrays]) -> Arrays:
        """Computes it."""
        return compute()

    def of(self, function: Callable[..., Arrays], *arguments: object, **options: object) -> Arrays:
        """Computes it."""
        return function(*arguments, **options)


NOTHING_KEPT: Keep = _Nothing()
"""Every result is computed anew."""
