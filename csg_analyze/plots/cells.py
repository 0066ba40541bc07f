"""What the cells of a heat map are, so that a page can name the one under the pointer: its row, column and value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.wording import shortened

MOST_CELLS = 40_000
"""Cells of a figure beyond which a page does without: a number takes about four bytes."""


@dataclass(frozen=True)
class Cells:
    """A matrix as drawn. values: (R, C). rows, columns: their names. title: of the panel."""

    values: FloatArray
    rows: Sequence[str]
    columns: Sequence[str]
    title: str = ""


_cells: WeakKeyDictionary[Axes, Cells] = WeakKeyDictionary()


def name_cells(axes: Axes, cells: Cells) -> None:
    """Say what the cells of a heat map on these axes are, which it fills from the first to the last."""
    _cells[axes] = cells


def panels_with_cells(figure: Figure) -> list[dict[str, Any]]:
    """Place and contents of the heat maps of a figure that is laid out (saved); none if there are too many cells.

    box: left, top, width and height as shares of the figure. values: whole numbers, in units of 10^-decimals; None for
    missing ones.
    """
    named = [(axes, _cells[axes]) for axes in figure.axes if axes in _cells]
    if sum(cells.values.size for _, cells in named) > MOST_CELLS:
        return []
    return [{"box": _box(axes), **_contents(cells)} for axes, cells in named if cells.values.size]


def _box(axes: Axes) -> list[float]:
    place = axes.get_position()
    return [round(float(share), 5) for share in (place.x0, 1 - place.y1, place.width, place.height)]


def _contents(cells: Cells) -> dict[str, Any]:
    finite = np.abs(cells.values[np.isfinite(cells.values)])
    largest = float(finite.max(initial=0))
    decimals = int(np.clip(2 - math.floor(math.log10(largest)), 0, 9)) if largest else 0
    rounded = np.round(cells.values * 10.0**decimals)
    return {
        "title": shortened(cells.title, 80),
        "rows": [shortened(name, 60) for name in cells.rows],
        "columns": [shortened(name, 60) for name in cells.columns],
        "decimals": decimals,
        "values": [[int(value) if np.isfinite(value) else None for value in row] for row in rounded],
    }
