"""The figures that analyzers share: matrices side by side, and the gate over mutual information (Fig. 4).

`style` and `captioned` for figures of an analyzer's own come from here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.report.charts import counts, dots_with_intervals
from csg_analyze.report.reduction import (
    Reduction,
    block_size,
    counted,
    filters_by_class,
    reduced,
    shortened,
    strongest_pairs,
    thinned,
)
from csg_analyze.report.style import (
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

__all__ = [
    "COLUMN",
    "FULL",
    "captioned",
    "counts",
    "dots_with_intervals",
    "filters_by_class",
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
    square = column_labels is not None and len(column_labels) == len(row_labels)
    wide = min(len(matrices), 2 if len(matrices) in {2, 4} else 3)
    with style():
        figure, panels = _grid(len(matrices), wide, len(row_labels), square)
        common = colour_scale(list(matrices.values()), signed=signed, vmin=vmin, vmax=vmax)
        for index, (axes, (name, matrix)) in enumerate(zip(panels, matrices.items(), strict=False)):
            norm = common if shared else colour_scale([matrix], signed=signed, vmin=vmin, vmax=vmax)
            draw_matrix(axes, matrix, norm=norm, cmap=cmap, reduction=how, square=square)
            axes.set_title(shortened(name, 36))
            name_rows(axes, row_labels, row_axis, how, named=index % wide == 0)
            name_columns(axes, matrix.shape[1], column_labels, column_axis, how, most=25 if wide < 3 else 15)
            if not shared:
                _colour_bar(figure, norm, cmap, [axes], colour_label)
        for axes in panels[len(matrices) :]:
            axes.set_axis_off()
        if shared:
            _colour_bar(figure, common, cmap, panels, colour_label)
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
    gate_norm, information_norm = Normalize(0, 1), colour_scale(list(information.values()))
    kinds = [kind for kind, has in (("a", gates), ("b", information), ("c", gates.keys() & information)) if has]
    height = panel_height(len(class_names))
    with style():
        size = (FULL if len(kinds) > 1 else COLUMN, len(models) * (height + 0.4) + 0.55)
        figure = Figure(figsize=size, layout="constrained")
        layout = figure.add_gridspec(len(models) + 1, len(kinds), height_ratios=[*[height] * len(models), 0.09])
        for row, model in enumerate(models):
            order = filters_by_class(gates.get(model, information.get(model, np.zeros((len(class_names), 0)))))
            drawn: list[Axes] = []
            for column, kind in enumerate(kinds):
                if model not in {"a": gates, "b": information, "c": gates.keys() & information}[kind]:
                    continue
                axes = figure.add_subplot(layout[row, column])
                if kind == "a":
                    draw_matrix(axes, gates[model][:, order], norm=gate_norm, cmap=colour_map(GATE))
                elif kind == "b":
                    draw_matrix(axes, information[model][:, order], norm=information_norm, cmap=colour_map(INFORMATION))
                else:
                    overlap_panel(axes, gates[model][:, order], information[model][:, order], information_norm)
                drawn.append(axes)
                title = {"a": "gate", "b": "mutual information", "c": "overlap"}[kind]
                axes.set_title(f"({kind}) {title}, {shortened(model, 20)}")
                name_rows(axes, class_names, "class", "maximum", named=axes is drawn[0])
                name_columns(axes, len(order), None, "filter, by class", "maximum")
        for column, kind in enumerate(kinds):
            key = figure.add_subplot(layout[-1, column])
            if kind == "c":
                _overlap_key(key)
            else:
                norm, name = (gate_norm, GATE) if kind == "a" else (information_norm, INFORMATION)
                label = "gate" if kind == "a" else "mutual information (nats)"
                figure.colorbar(ScalarMappable(norm, colour_map(name)), cax=key, orientation="horizontal", label=label)
                frame(key)
    return figure


def overlap_panel(axes: Axes, gate: FloatArray, information: FloatArray, norm: Normalize) -> None:
    """Fig. 4c: both matrices (C, K) in one, each in its own colour; where both are high the product is dark.

    Where cells share a pixel, it shows the one with the largest sum. norm: the scale of `information`.
    """
    rows, columns = map(block_size, gate.shape)
    scaled = np.asarray(np.clip(norm(information), 0, 1), dtype=np.float64)
    _show(axes, overlap_colours(*strongest_pairs(gate, scaled, rows, columns)), gate.shape, square=False)


def overlap_colours(gate: FloatArray, information: FloatArray) -> FloatArray:
    """(C, K) and (C, K), both in [0, 1] -> RGB (C, K, 3): two inks on white paper, grey where a value is missing."""
    paper = np.ones(3)
    for values, colour in ((gate, GATE_COLOUR), (information, INFORMATION_COLOUR)):
        paper = paper * (1 - values[..., None] * (1 - np.array(to_rgb(colour))))
    return np.where(np.isnan(paper), np.array(to_rgb(MISSING)), paper)


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
    _show(axes, np.asarray(cmap(norm(np.ma.masked_invalid(pixels)))), matrix.shape, square=square)


def _show(axes: Axes, colours: FloatArray, shape: tuple[int, ...], *, square: bool) -> None:
    # the last block may reach beyond the matrix: placed at its full size, then cut by the axes' limits
    right = colours.shape[1] * block_size(shape[1]) - 0.5
    bottom = colours.shape[0] * block_size(shape[0]) - 0.5
    aspect = "equal" if square else "auto"
    axes.imshow(colours, extent=(-0.5, right, bottom, -0.5), aspect=aspect, interpolation="nearest")
    axes.set_xlim(-0.5, shape[1] - 0.5)
    axes.set_ylim(shape[0] - 0.5, -0.5)
    frame(axes)


def name_rows(axes: Axes, labels: Sequence[str], axis: str, reduction: Reduction, *, named: bool = True) -> None:
    """Put the rows' names, at most 25, on the y axis; where some are left out, it says how many rows there are."""
    positions, texts = thinned(labels, 25)
    axes.set_yticks(positions, texts if named else [""] * len(positions))
    if named and len(positions) < len(labels):
        axes.set_ylabel(counted(axis, len(labels), reduction))


def name_columns(
    axes: Axes, length: int, labels: Sequence[str] | None, axis: str, reduction: Reduction, most: int = 25
) -> None:
    """Put the columns' names, at most `most`, on the x axis, or say how many columns there are."""
    positions, texts = thinned(labels or (), most)
    upright = max(map(len, texts), default=0) > 2
    axes.set_xticks(positions, texts, rotation=90 if upright else 0)
    if len(positions) < length:
        axes.set_xlabel(counted(axis, length, reduction))


def panel_height(n_rows: int) -> float:
    """Inches for a panel of that many rows: every name readable, at most a third of a page."""
    return float(np.clip(0.135 * n_rows, 0.9, 2.7))


def _grid(count: int, wide: int, n_rows: int, square: bool) -> tuple[Figure, list[Axes]]:
    tall = -(-count // wide)
    width = COLUMN if count == 1 else FULL
    height = (width - 1.5) / wide if square else panel_height(n_rows)
    figure = Figure(figsize=(width, tall * (height + 0.55)), layout="constrained")
    return figure, list(figure.subplots(tall, wide, squeeze=False).flat)


def _colour_bar(figure: Figure, norm: Normalize, cmap: Colormap, panels: Sequence[Axes], label: str) -> None:
    bar = figure.colorbar(ScalarMappable(norm, cmap), ax=list(panels), label=label, aspect=25, pad=0.02)
    frame(bar.ax)


def _overlap_key(axes: Axes) -> None:
    both = tuple(np.array(to_rgb(GATE_COLOUR)) * np.array(to_rgb(INFORMATION_COLOUR)))
    inks = {"gate only": GATE_COLOUR, "MI only": INFORMATION_COLOUR, "both": both}
    patches = [Patch(facecolor=colour, label=text) for text, colour in inks.items()]
    axes.legend(handles=patches, loc="center", ncols=3, handlelength=1, columnspacing=1, handletextpad=0.5)
    axes.set_axis_off()
