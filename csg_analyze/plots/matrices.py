"""One matrix on one pair of axes, whatever its size, and the names along it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.plots.reduction import Reduction, block_size, counted, reduced, thinned
from csg_analyze.plots.style import frame

NAME_HEIGHT = 0.115
"""Inches a name takes up across its line."""


def panel_height(n_rows: int) -> float:
    """Inches for a panel of that many rows: every name readable, at most a third of a page."""
    return float(np.clip(0.135 * n_rows, 0.9, 2.7))


def draw_matrix(
    axes: Axes,
    matrix: FloatArray,
    *,
    norm: Normalize,
    cmap: Colormap,
    reduction: Reduction = "maximum",
    square: bool = False,
) -> None:
    """Draw (R, C) on `axes` in its own row and column numbers, however many of them share a pixel."""
    rows, columns = map(block_size, matrix.shape)
    pixels = reduced(matrix, rows, columns, reduction)
    show_colours(axes, np.asarray(cmap(norm(np.ma.masked_invalid(pixels)))), matrix.shape, square=square)


def show_colours(axes: Axes, colours: FloatArray, shape: tuple[int, ...], *, square: bool = False) -> None:
    """Draw an RGB or RGBA image of a matrix of that shape, already reduced to at most 400 x 400 pixels."""
    # the last block may reach beyond the matrix: placed at its full size, then cut by the axes' limits
    right = colours.shape[1] * block_size(shape[1]) - 0.5
    bottom = colours.shape[0] * block_size(shape[0]) - 0.5
    aspect: Literal["equal", "auto"] = "equal" if square else "auto"
    axes.imshow(colours, extent=(-0.5, right, bottom, -0.5), aspect=aspect, interpolation="nearest")
    axes.set_xlim(-0.5, shape[1] - 0.5)
    axes.set_ylim(shape[0] - 0.5, -0.5)
    frame(axes)


def name_rows(
    axes: Axes, labels: Sequence[str], axis: str, reduction: str, *, inches: float, named: bool = True
) -> None:
    """Put the rows' names on the y axis; where some are left out, it also says how many rows there are."""
    positions, texts = thinned(labels, min(25, int(inches / NAME_HEIGHT)))
    axes.set_yticks(positions, texts if named else [""] * len(positions))
    if named:
        axes.set_ylabel(axis if len(positions) == len(labels) else counted(axis, len(labels), reduction))


def name_columns(
    axes: Axes, length: int, labels: Sequence[str] | None, axis: str, reduction: str, *, inches: float
) -> None:
    """Put the columns' names on the x axis; where some are left out, it also says how many columns there are."""
    positions, texts = thinned(labels or (), min(25, int(inches / NAME_HEIGHT)))
    upright = max(map(len, texts), default=0) > 2
    axes.set_xticks(positions, texts, rotation=90 if upright else 0)
    axes.set_xlabel(axis if len(positions) == length else counted(axis, length, reduction))
