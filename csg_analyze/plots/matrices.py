"""One matrix on one pair of axes, whatever its size, and the names along it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
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
    annotated: bool = False,
) -> None:
    """Draw (R, C) as a heat map; of more than 400 rows or columns, neighbours share a cell.

    Cell i lies between i and i + 1. annotated: with its number in every cell.
    """
    rows, columns = map(block_size, matrix.shape)
    sns.heatmap(
        reduced(matrix, rows, columns, reduction),
        vmin=norm.vmin, vmax=norm.vmax, cmap=cmap, cbar=False, square=square, annot=annotated, fmt=".1f",
        annot_kws={"fontsize": 7}, xticklabels=False, yticklabels=False, rasterized=True, ax=axes,
    )  # fmt: skip
    frame(axes)


def name_axis(
    axis: XAxis | YAxis,
    length: int,
    labels: Sequence[str] | None,
    title: str,
    reduction: str,
    *,
    inches: float,
    named: bool = True,
) -> None:
    """Put the names of `length` rows or columns on an axis; where some are left out, it also says how many there are.

    labels: None says only how many. inches: the axis' length. named: False leaves only the ticks.
    """
    positions, texts = thinned(labels or (), min(25, int(inches / NAME_HEIGHT)))
    upright = isinstance(axis, XAxis) and max(map(len, texts), default=0) > 2
    places = (np.array(positions) + 0.5) / block_size(length)
    axis.set_ticks(places, texts if named else [""] * len(texts), rotation=90 if upright else 0)
    if named:
        axis.set_label_text(title if len(positions) == length else counted(title, length, reduction))
