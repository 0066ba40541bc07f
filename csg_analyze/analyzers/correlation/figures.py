"""Fig. 7 and 8: correlation matrices with the boundaries of their groups, and the curves r_s."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

from csg_analyze.analyzers.correlation.text import MATRICES_FIGURE
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.plots.cells import Cells, name_cells
from csg_analyze.plots.charts import draw_lines, name_models, together
from csg_analyze.plots.matrices import NAME_HEIGHT, draw_matrix
from csg_analyze.plots.panels import colour_bar, panels_of, rows_and_columns
from csg_analyze.plots.reduction import block_size, wrapped
from csg_analyze.plots.style import COLUMN, FULL, SIGNED, captioned, colour_map, style
from csg_analyze.result import Result
from csg_analyze.wording import shortened

MOST_ROWS = 256
"""Rows of a drawn matrix; where there are more filters, a pixel is the mean of a block of neighbours."""
MARKED = 0.1
"""The threshold s of r_s that the paper quotes."""
MOST_BOUNDARIES = 40
"""Groups beyond which their boundaries would cover what they bound."""
MOST_NAMES = 25
SCALE_PERCENTILE = 99.0
"""Percentile of the magnitudes off the diagonal at which the scale ends: a scale up to 1 would hide them."""


def draw_matrices(models: Mapping[str, Result]) -> Figure:
    """Fig. 7, a panel per model."""
    panels = [_panel(model, result) for model, result in models.items()]
    blocks = {panel.block for panel in panels} - {1}
    caption = MATRICES_FIGURE
    if blocks:
        sizes = ", ".join(f"{block} x {block}" for block in sorted(blocks))
        caption += f" Of more than {MOST_ROWS} filters, a pixel is the mean of {sizes} neighbours."
    return captioned(correlation_panels(panels), caption)


def _panel(model: str, result: Result) -> CorrelationPanel:
    matrix = result.matrices.get("matrix") or result.matrices["matrix_blocks"]
    groups, scores = result.frame("groups"), result.frame("redundancy").iloc[0]
    n_filters, by = int(scores["n_filters"]), scores["grouped_by"]
    return CorrelationPanel(
        title=model,
        scores=f"r({MARKED:g}) = {_number(scores[f'r_{MARKED:g}'])}   C_IC = {_number(scores['c_ic'])}",
        matrix=next(iter(matrix.arrays.values())),
        block=block_size(n_filters, MOST_ROWS),
        groups=list(zip(groups["group"], groups["n_filters"], strict=True)),
        axis=f"{n_filters:,} filters" + (f", by class ({by})" if isinstance(by, str) else ""),
        filters=matrix.axes.get("filter", ()),
    )


def _number(value: object) -> str:
    if not isinstance(value, float) or math.isnan(value):
        return "–"
    return f"{round(value, 3) + 0:.3f}".replace("-", "−")  # + 0 makes a rounded -0.0 a plain zero


def draw_curves(models: Mapping[str, Result]) -> Figure:
    """Fig. 8, a line per model."""
    return share_curves({model: result.frame("curve") for model, result in models.items()}, share="r", marked=MARKED)


@dataclass(frozen=True)
class CorrelationPanel:
    """One model's matrix in Fig. 7.

    matrix: (R, R), of the F filters themselves or of blocks of `block` x `block` of them. groups: (name, number of
    filters) in the order of the rows, F filters in all. scores: one line below the title. filters:
    the rows' numbers; none where the rows are blocks.
    """

    title: str
    scores: str
    matrix: FloatArray
    block: int
    groups: Sequence[tuple[str, int]]
    axis: str
    filters: Sequence[int] = ()


def correlation_panels(panels: Sequence[CorrelationPanel]) -> Figure:
    """Matrices side by side on one signed colour scale; thin lines between groups, their names at their centres.

    The scale ends where 1 % of the values off the diagonals lie beyond, but not below 0.1; the colour bar is pointed
    where anything lies beyond.
    """
    tall, wide = rows_and_columns(len(panels))
    room = 0.06 * max(len(name) for panel in panels for name in _short_names(panel)) + 0.2
    side = ((COLUMN if wide == 1 else FULL) - 0.65) / wide - room
    limit, clipped = _limit([panel.matrix for panel in panels])
    norm, cmap = Normalize(-limit, limit), colour_map(SIGNED)
    titles = [wrapped(panel.title, side) for panel in panels]
    height = tall * (side + 0.8 + 0.15 * any("\n" in title for title in titles))
    with style():
        figure = Figure(figsize=(COLUMN if wide == 1 else FULL, height), layout="compressed")
        drawn = panels_of(figure, len(panels))
        for axes, panel, title in zip(drawn, panels, titles, strict=True):
            draw_matrix(axes, panel.matrix, norm=norm, cmap=cmap, square=True)
            if names := [f"filter {k}" for k in panel.filters]:
                name_cells(axes, Cells(panel.matrix, names, names, panel.title))
            _mark_groups(axes, panel, side)
            # two texts, not two lines of one: those would be spaced by the letters that happen to be in them
            axes.set_title(title, pad=15)
            below: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "bottom"}
            axes.annotate(panel.scores, (0.5, 1), (0, 3), xycoords="axes fraction", **below)
            axes.set_xlabel(panel.axis)
        label = "mean cosine of weights" if any(panel.block > 1 for panel in panels) else "cosine of weights"
        colour_bar(drawn, label, extend="both" if clipped else "neither")
    return figure


def _limit(matrices: Sequence[FloatArray]) -> tuple[float, bool]:
    """Where the shared scale ends, and whether anything lies beyond it."""
    values = [np.abs(matrix[~np.eye(len(matrix), dtype=bool)]) for matrix in matrices]
    off = np.concatenate([value[~np.isnan(value)] for value in values])
    limit = max(float(np.percentile(off, SCALE_PERCENTILE)) if len(off) else 1.0, MARKED)  # or mere noise would glow
    highest = max((float(np.nanmax(np.abs(matrix), initial=0)) for matrix in matrices), default=0.0)
    return limit, highest > limit


def _mark_groups(axes: Axes, panel: CorrelationPanel, side: float) -> None:
    groups = [(name, count) for name, count in panel.groups if count]
    rows, sizes = len(panel.matrix), np.array([count for _, count in groups]) / panel.block
    ends = np.cumsum(sizes)
    if len(groups) <= MOST_BOUNDARIES:
        for end in ends[:-1]:
            axes.axhline(end, color="0.35", lw=0.3)
            axes.axvline(end, color="0.35", lw=0.3)
    centres = ends - sizes / 2
    height = NAME_HEIGHT / side * rows
    named = _named(centres, max(height, rows / MOST_NAMES)) if len(groups) * height > rows else [*range(len(groups))]
    # the nearest places that leave every name its height: least squares with p[i + 1] - p[i] >= height
    steps = height * np.arange(len(named))
    places = isotonic_regression(centres[named] - steps).x + steps
    across = axes.get_yaxis_transform()
    leader = {"arrowstyle": "-", "lw": 0.5, "shrinkA": 1, "shrinkB": 0}
    for index, place in zip(named, places, strict=True):
        centre, name = (0, centres[index]), shortened(groups[index][0])
        axes.annotate(
            name, centre, (-0.1 / side, place), xycoords=across, textcoords=across,
            ha="right", va="center", fontsize="small", arrowprops=leader,
        )  # fmt: skip
    axes.set_yticks([])
    axes.set_xticks(centres[named], [""] * len(named))


def _named(centres: FloatArray, apart: float) -> list[int]:
    """Which groups are named where not all can be: always the last, where the shared filters are."""
    named = [0]
    for index, centre in enumerate(centres):
        if centre - centres[named[-1]] >= apart:
            named.append(index)
    return [*named[:-1], len(centres) - 1]


def _short_names(panel: CorrelationPanel) -> list[str]:
    return [shortened(name) for name, _ in panel.groups] or [""]


def share_curves(frames: Mapping[str, pd.DataFrame], *, share: str, marked: float) -> Figure:
    """Fig. 8: share of elements that are at least s, a line a model; the value at `marked` is dotted and named.

    frames: model -> rows with the columns `s` and `share`, s rising and the same for all.
    """
    table = together(frames)
    nearest = next(iter(frames.values()))["s"].sub(marked).abs().to_numpy().argmin()
    at = {model: frame.iloc[nearest] for model, frame in frames.items()}
    texts = {model: f"{shortened(model, 40)}, r({row['s']:g}) = {row[share]:.3f}" for model, row in at.items()}
    with style():
        figure = Figure(figsize=(COLUMN, 2.15), layout="constrained")
        axes = figure.add_subplot()
        draw_lines(axes, table, frames, "s", share, markers=True, markevery=[nearest], ms=5)
        axes.axvline(marked, color="0.7", lw=0.6, zorder=0)
        axes.set(xlim=(0, 1), xlabel="threshold s", ylabel="share of elements ≥ s")
        axes.set_ylim(bottom=0)
        name_models(figure, texts)
    return figure
