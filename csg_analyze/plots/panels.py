"""The figures that analyzers share: matrices side by side, and the gate over mutual information (Fig. 4).

`style` and `captioned`, for figures of an analyzer's own, come from here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.filters import filters_by_class
from csg_analyze.plots.charts import counts, dots_with_intervals
from csg_analyze.plots.matrices import draw_matrix, name_columns, name_rows, panel_height, show_colours
from csg_analyze.plots.reduction import Reduction, block_size, strongest_pairs, thinned
from csg_analyze.plots.style import (
    COLUMN,
    FULL,
    GATE,
    GATE_COLOUR,
    INFORMATION,
    INFORMATION_COLOUR,
    MISSING,
    SEQUENTIAL,
    SIGNED,
    captioned,
    colour_map,
    colour_scale,
    frame,
    style,
)
from csg_analyze.wording import shortened

__all__ = [
    "COLUMN",
    "FULL",
    "captioned",
    "counts",
    "dots_with_intervals",
    "gate_and_information",
    "matrix_panels",
    "overlap_panel",
    "style",
]


def matrix_panels(
    matrices: Mapping[str, FloatArray],
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str] | None = None,
    row_axis: str = "class",
    column_axis: str = "filter",
    colour_label: str,
    signed: bool = False,
    shared: bool = True,
    vmin: float | None = None,
    vmax: float | None = None,
    reduction: Reduction | None = None,
    colours: str | None = None,
) -> Figure:
    """Matrices side by side, each under its name, on one colour scale unless `shared` is False.

    matrices: panel title -> (R, C), R the same for all; NaN cells are grey. row_labels: R names. column_labels: C
    names, or None for an axis that only says how many columns there are (C may then differ).
    signed: a diverging map, symmetric around zero. vmin, vmax: the scale's ends; else from the data, 0 included.
    reduction: how neighbours share a pixel beyond 400 rows or columns, which the axis then says; the maximum by
    default, the largest magnitude where signed. colours: another of matplotlib's maps.
    Raises ValueError where labels and matrices do not fit.
    """
    for name, matrix in matrices.items():
        expected = (len(row_labels), matrix.shape[-1] if column_labels is None else len(column_labels))
        if matrix.shape != expected:
            raise ValueError(f"{name}: the matrix is {matrix.shape}, its labels {expected}")
    how: Reduction = reduction or ("largest magnitude" if signed else "maximum")
    cmap = colour_map(colours or (SIGNED if signed else SEQUENTIAL))
    with style():
        figure, panels, (width, height) = _grid(len(matrices), row_labels, column_labels)
        square, wide = width == height, panels.shape[1]
        common = colour_scale(list(matrices.values()), signed=signed, vmin=vmin, vmax=vmax)
        for index, (axes, (name, matrix)) in enumerate(zip(panels.flat, matrices.items(), strict=False)):
            norm = common if shared else colour_scale([matrix], signed=signed, vmin=vmin, vmax=vmax)
            draw_matrix(axes, matrix, norm=norm, cmap=cmap, reduction=how, square=square)
            axes.set_title(shortened(name, int(width * 15)))
            name_rows(axes, row_labels, row_axis, how, inches=height, named=index % wide == 0)
            name_columns(axes, matrix.shape[1], column_labels, column_axis, how, inches=width)
            if not shared:
                _colour_bar(figure, norm, cmap, [axes], colour_label)
        for axes in panels.flat[len(matrices) :]:
            axes.set_axis_off()
        if shared:
            _colour_bar(figure, common, cmap, list(panels.flat), colour_label)
    return figure


def gate_and_information(
    information: Mapping[str, FloatArray],
    gates: Mapping[str, FloatArray] | None = None,
    *,
    class_names: Sequence[str],
) -> Figure:
    """Fig. 4, a row a model: (a) its gate, (b) its mutual information, (c) both overlapped.

    information, gates: model -> (C, K), the mutual information thus transposed; a model without a gate has only (b).
    Filters are ordered by the class of their largest gate entry, without a gate by that of their largest mutual
    information, the same within a row. One colour scale for all gates, [0, 1], and one for all of (b) and (c).
    """
    gates = gates or {}
    models = list(dict.fromkeys((*gates, *information)))
    scale = colour_scale(list(information.values()))
    kinds = "abc" if gates and information else "a" if gates else "b"
    height, below = panel_height(len(class_names)), max(map(len, models)) > 9  # beside it a longer name is cut off
    with style():
        size = (FULL if len(kinds) > 1 else COLUMN, len(models) * (height + 0.4 + 0.13 * below) + 0.55)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.add_gridspec(len(models) + 1, len(kinds), height_ratios=[*[height] * len(models), 0.09])
        for row, model in enumerate(models):
            gate, known = gates.get(model), information.get(model)
            order = filters_by_class(gate if gate is not None else information[model])
            for column, kind in enumerate(kinds):
                axes = figure.add_subplot(grid[row, column])
                _draw_kind(
                    axes,
                    kind,
                    None if gate is None else gate[:, order],
                    None if known is None else known[:, order],
                    scale,
                )
                number = row + 1 if len(models) > 1 else ""
                if axes.has_data():
                    title = [f"({kind}{number}) {KINDS[kind]}", shortened(model, 30)]
                    axes.set_title((",\n" if below else ", ").join(title))
                    how = "strongest" if kind == "c" else "maximum"
                    name_columns(axes, len(order), None, "filter, by class", how, inches=2)
                if column == 0 or axes.has_data():
                    name_rows(axes, class_names, "class", "maximum", inches=height, named=column == 0)
        for column, kind in enumerate(kinds):
            _draw_key(figure.add_subplot(grid[-1, column]), kind, scale)
    return figure


KINDS = {"a": "gate", "b": "mutual information", "c": "overlap"}


def _draw_kind(
    axes: Axes, kind: str, gate: FloatArray | None, information: FloatArray | None, scale: Normalize
) -> None:
    if kind == "a" and gate is not None:
        draw_matrix(axes, gate, norm=Normalize(0, 1), cmap=colour_map(GATE))
    elif kind == "b" and information is not None:
        draw_matrix(axes, information, norm=scale, cmap=colour_map(INFORMATION))
    elif kind == "c" and gate is not None and information is not None:
        overlap_panel(axes, gate, information, scale)
    elif kind == "c":
        axes.set_axis_off()
    else:
        axes.set_ylim(len(gate if gate is not None else information) - 0.5, -0.5)  # type: ignore[arg-type]
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.text(0.5, 0.5, f"no {KINDS[kind]}", transform=axes.transAxes, ha="center", va="center", color="0.5")


def _draw_key(axes: Axes, kind: str, scale: Normalize) -> None:
    """The scale of a column of Fig. 4, at its foot."""
    if kind == "c":
        red, green, blue = overlap_colours(np.ones((1, 1)), np.ones((1, 1)))[0, 0].tolist()
        patches = [
            Patch(facecolor=GATE_COLOUR, label="gate only"),
            Patch(facecolor=INFORMATION_COLOUR, label="MI only"),
            Patch(facecolor=(red, green, blue), label="both"),
        ]
        axes.legend(handles=patches, loc="center", ncols=3)
        axes.set_axis_off()
        return
    norm, name = (Normalize(0, 1), GATE) if kind == "a" else (scale, INFORMATION)
    label = "gate" if kind == "a" else "mutual information (nats)"
    axes.figure.colorbar(ScalarMappable(norm, colour_map(name)), cax=axes, orientation="horizontal", label=label)
    frame(axes)


def overlap_panel(axes: Axes, gate: FloatArray, information: FloatArray, scale: Normalize) -> None:
    """Fig. 4c: both matrices (C, K) in one, each in its own colour; where both are high their product is dark.

    Where cells share a pixel, it shows the one with the largest sum. scale: that of `information`.
    """
    rows, columns = map(block_size, gate.shape)
    scaled = np.ma.filled(scale(np.ma.masked_invalid(information)), np.nan)
    show_colours(axes, overlap_colours(*strongest_pairs(gate, np.clip(scaled, 0, 1), rows, columns)), gate.shape)


def overlap_colours(gate: FloatArray, information: FloatArray) -> FloatArray:
    """(C, K) and (C, K), both in [0, 1] -> RGB (C, K, 3): two inks on white paper, grey where a value is missing."""
    paper: FloatArray = np.ones((*gate.shape, 3))
    for values, ink in ((gate, GATE_COLOUR), (information, INFORMATION_COLOUR)):
        paper = paper * (1 - values[..., None] * (1 - np.array(to_rgb(ink))))
    return np.where(np.isnan(paper), np.array(to_rgb(MISSING)), paper)


def _grid(
    count: int, row_labels: Sequence[str], column_labels: Sequence[str] | None
) -> tuple[Figure, np.ndarray, tuple[float, float]]:
    """Figure, its panels and the inches of one; a matrix with as many rows as columns is drawn square."""
    wide = min(count, 2 if count in {2, 4} else 3)
    tall = -(-count // wide)
    beside, below = _room(row_labels), _room(column_labels or ())
    total = COLUMN if count == 1 else FULL
    width = (total - beside - 0.75) / wide
    height = (
        width if column_labels is not None and len(column_labels) == len(row_labels) else panel_height(len(row_labels))
    )
    layout: Literal["compressed", "constrained"] = "compressed" if width == height else "constrained"
    figure = Figure(figsize=(total, tall * (height + below + 0.35)), layout=layout)
    return figure, figure.subplots(tall, wide, squeeze=False), (width, height)


def _room(labels: Sequence[str]) -> float:
    """Inches that names take beside an axis, its own label included."""
    longest = max(map(len, thinned(labels, 25)[1]), default=0)
    return 0.06 * longest + (0.45 if len(labels) > 25 else 0.25)


def _colour_bar(figure: Figure, norm: Normalize, cmap: Colormap, panels: list[Axes], label: str) -> None:
    frame(figure.colorbar(ScalarMappable(norm, cmap), ax=panels, label=label, aspect=25, pad=0.02).ax)
