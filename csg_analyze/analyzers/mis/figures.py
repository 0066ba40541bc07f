"""Fig. 4: the gate over mutual information."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.filters import filters_by_class
from csg_analyze.plots.cells import Cells, name_cells
from csg_analyze.plots.matrices import draw_matrix, name_axis, panel_height
from csg_analyze.plots.panels import rows_and_columns
from csg_analyze.plots.reduction import block_size, strongest_pairs, wrapped
from csg_analyze.plots.style import COLUMN, FULL, MISSING, colour_map, colour_scale, frame, style
from csg_analyze.result import Result

MAPS = {"gate": "Blues", "mutual information": "Oranges"}
GATE_COLOUR, INFORMATION_COLOUR = "#1764ab", "#f06b12"
"""The hue of the gate and of mutual information where both appear; their product is nearly black."""


def draw_matrices(models: Mapping[str, Result]) -> Figure:
    """Fig. 4, (C, K) per model."""
    matrices = {model: result.matrices["matrix"] for model, result in models.items()}
    return gate_and_information(
        {model: matrix["mi"].T for model, matrix in matrices.items()},
        {model: matrix["gate"].T for model, matrix in matrices.items() if "gate" in matrix.arrays},
        class_names=next(iter(matrices.values())).axes["class"],
    )


def gate_and_information(
    information: Mapping[str, FloatArray], gates: Mapping[str, FloatArray], *, class_names: Sequence[str]
) -> Figure:
    """A row for each model with a gate: (a) the gate, (b) its mutual information, (c) both overlapped.

    The others have (b) alone, and share rows. information, gates: model -> (C, K), the mutual information thus
    transposed. Filters are ordered by the class of their largest gate entry, without a gate by that of their largest
    mutual information. One colour scale for all gates, [0, 1], and one for all mutual information.
    """
    models = [*gates, *(model for model in information if model not in gates)]
    panels = [(kind, number) for number, model in enumerate(models) for kind in ("abc" if model in gates else "b")]
    tall, wide = (-(-len(panels) // 3), 3) if gates else rows_and_columns(len(panels))
    total, height = FULL if wide > 1 else COLUMN, panel_height(len(class_names))
    width = (total - 0.9) / wide
    scale = colour_scale(list(information.values()))
    with style():
        figure = Figure(figsize=(total, tall * (height + 0.53) + 0.55), layout="constrained")
        grid = figure.add_gridspec(tall + 1, wide, height_ratios=[*[height] * tall, 0.09])
        shown = {}
        for index, (kind, number) in enumerate(panels):
            axes = shown[kind] = figure.add_subplot(grid[divmod(index, wide)])
            model, known = models[number], information[models[number]]
            gate = gates.get(model, known)
            order = filters_by_class(gate)
            name = _draw(axes, kind, gate[:, order], known[:, order], scale)
            if kind in "ab":
                values = (gate if kind == "a" else known)[:, order]
                name_cells(axes, Cells(values, class_names, [f"filter {k}" for k in order], f"{name}, {model}"))
            axes.set_title(wrapped(f"({kind}{number + 1 if len(models) > 1 else ''}) {name}, {model}", width))
            reduction = "strongest" if kind == "c" else "maximum"
            name_axis(axes.xaxis, len(order), None, "filter, by class", reduction, inches=width)
            named = index % wide == 0
            name_axis(axes.yaxis, len(class_names), class_names, "class", "maximum", inches=height, named=named)
        for column, (kind, axes) in enumerate(shown.items()):
            _draw_key(figure.add_subplot(grid[-1, column if gates else slice(None)]), kind, axes)
    return figure


def _draw(axes: Axes, kind: str, gate: FloatArray, information: FloatArray, scale: Normalize) -> str:
    """Draw one panel, and say what it shows."""
    if kind == "a":
        draw_matrix(axes, gate, norm=Normalize(0, 1), cmap=colour_map(MAPS["gate"]))
        return "gate"
    if kind == "b":
        draw_matrix(axes, information, norm=scale, cmap=colour_map(MAPS["mutual information"]))
        return "mutual information"
    draw_overlap(axes, gate, information, scale)
    return "overlap"


def draw_overlap(axes: Axes, gate: FloatArray, information: FloatArray, scale: Normalize) -> None:
    """Fig. 4c: both matrices (C, K) in one, each in its own colour; where both are high their product is dark.

    Where cells share a pixel, it shows the one with the largest sum. scale: that of `information`.
    """
    scaled = np.clip(np.ma.filled(scale(np.ma.masked_invalid(information)), np.nan), 0, 1)
    colours = overlap_colours(*strongest_pairs(gate, scaled, *map(block_size, gate.shape)))
    rows, columns = colours.shape[:2]
    axes.imshow(colours, extent=(0, columns, rows, 0), aspect="auto", interpolation="nearest")
    frame(axes)


def overlap_colours(gate: FloatArray, information: FloatArray) -> FloatArray:
    """(C, K) and (C, K), both in [0, 1] -> RGB (C, K, 3): two inks on white paper, grey where a value is missing."""
    paper: FloatArray = np.ones((*gate.shape, 3))
    for values, ink in ((gate, GATE_COLOUR), (information, INFORMATION_COLOUR)):
        paper = paper * (1 - values[..., None] * (1 - np.array(to_rgb(ink))))
    return np.where(np.isnan(paper), np.array(to_rgb(MISSING)), paper)


def _draw_key(key: Axes, kind: str, axes: Axes) -> None:
    """The scale of the panels of a kind, one of which is given."""
    if kind in "ab":
        label = "gate" if kind == "a" else "mutual information (nats)"
        key.figure.colorbar(axes.collections[0], cax=key, orientation="horizontal", label=label)
        return frame(key)
    red, green, blue = overlap_colours(np.ones((1, 1)), np.ones((1, 1)))[0, 0].tolist()
    inks: dict[str, Any] = {"gate only": GATE_COLOUR, "MI only": INFORMATION_COLOUR, "both": (red, green, blue)}
    patches = [Patch(facecolor=ink, label=name) for name, ink in inks.items()]
    key.legend(handles=patches, loc="center", ncols=3)
    return key.set_axis_off()
