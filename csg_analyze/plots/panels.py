"""Panels side by side, and matrices in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.plots.cells import Cells, name_cells
from csg_analyze.plots.matrices import draw_matrix, name_axis, panel_height
from csg_analyze.plots.reduction import Reduction, thinned, wrapped
from csg_analyze.plots.style import COLUMN, FULL, SEQUENTIAL, SIGNED, colour_map, colour_scale, frame, style


def matrix_panels(
    matrices: Mapping[str, FloatArray],
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str] | None = None,
    column_names: Mapping[str, Sequence[str]] | None = None,
    row_axis: str = "class",
    column_axis: str = "filter",
    colour_label: str,
    signed: bool = False,
    shared: bool = True,
    vmin: float | None = None,
    vmax: float | None = None,
    reduction: Reduction | None = None,
    colours: str | None = None,
    annotated: bool = False,
) -> Figure:
    """Matrices side by side, each under its name, on one colour scale unless `shared` is False.

    matrices: panel title -> (R, C), R the same for all; NaN cells are grey. row_labels: R names. column_labels: C
    names, or None for an axis that only says how many columns there are (C may then differ). column_names: panel title
    -> what a page calls each of its columns; by default the labels, or else their numbers.
    signed: a diverging map, symmetric around zero. vmin, vmax: the scale's ends; else from the data, 0 included.
    reduction: how neighbours share a cell beyond 400 rows or columns, which the axis then says; the maximum by
    default, the largest magnitude where signed. colours: another of matplotlib's maps. annotated: with the numbers.
    Raises ValueError where labels and matrices do not fit.
    """
    for name, matrix in matrices.items():
        expected = (len(row_labels), matrix.shape[-1] if column_labels is None else len(column_labels))
        if matrix.shape != expected:
            raise ValueError(f"{name}: the matrix is {matrix.shape}, its labels {expected}")
    how: Reduction = reduction or ("largest magnitude" if signed else "maximum")
    cmap = colour_map(colours or (SIGNED if signed else SEQUENTIAL))
    common = colour_scale(list(matrices.values()), signed=signed, vmin=vmin, vmax=vmax)
    with style():
        figure, panels, (width, height) = _grid(len(matrices), row_labels, column_labels)
        for axes, (name, matrix) in zip(panels, matrices.items(), strict=True):
            norm = common if shared else colour_scale([matrix], signed=signed, vmin=vmin, vmax=vmax)
            draw_matrix(axes, matrix, norm=norm, cmap=cmap, reduction=how, square=width == height, annotated=annotated)
            axes.set_title(wrapped(name, width))
            numbers = [f"{column_axis} {column}" for column in range(matrix.shape[1])]
            columns = (column_names or {}).get(name, column_labels or numbers)
            name_cells(axes, Cells(matrix, row_labels, columns, name))
            first = axes.get_subplotspec().is_first_col()  # type: ignore[union-attr]
            name_axis(axes.yaxis, len(matrix), row_labels, row_axis, how, inches=height, named=first)
            name_axis(axes.xaxis, matrix.shape[1], column_labels, column_axis, how, inches=width)
            if not shared:
                colour_bar([axes], colour_label)
        if shared:
            colour_bar(panels, colour_label)
    return figure


def panels_of(figure: Figure, count: int, *, share_y: bool = False) -> list[Axes]:
    """That many axes in rows of at most three, and no empty ones."""
    tall, wide = rows_and_columns(count)
    panels: list[Axes] = []
    for index in range(count):
        panels.append(figure.add_subplot(tall, wide, index + 1, sharey=panels[0] if panels and share_y else None))
    return panels


def rows_and_columns(count: int) -> tuple[int, int]:
    """How so many panels are laid out."""
    wide = min(count, 2 if count in {2, 4} else 3)
    return -(-count // wide), wide


def colour_bar(panels: Sequence[Axes], label: str, *, aspect: float = 25, extend: str = "neither") -> None:
    """The scale of heat maps, which share it, beside them."""
    mesh = panels[0].collections[0]
    frame(panels[0].figure.colorbar(mesh, ax=panels, label=label, aspect=aspect, pad=0.02, extend=extend).ax)


def _grid(
    count: int, row_labels: Sequence[str], column_labels: Sequence[str] | None
) -> tuple[Figure, list[Axes], tuple[float, float]]:
    """Figure, its panels and the inches of one; a matrix with as many rows as columns is drawn square."""
    tall, wide = rows_and_columns(count)
    beside, below = _room(row_labels), _room(column_labels or ())
    total = COLUMN if count == 1 else FULL
    width = (total - beside - 0.75) / wide
    square = column_labels is not None and len(column_labels) == len(row_labels)
    height = width if square else panel_height(len(row_labels))
    layout: Literal["compressed", "constrained"] = "compressed" if square else "constrained"
    figure = Figure(figsize=(total, tall * (height + below + 0.35)), layout=layout)
    return figure, panels_of(figure, count), (width, height)


def _room(labels: Sequence[str]) -> float:
    """Inches that names take beside an axis, its own label included."""
    longest = max(map(len, thinned(labels, 25)[1]), default=0)
    return 0.06 * longest + (0.45 if len(labels) > 25 else 0.25)
