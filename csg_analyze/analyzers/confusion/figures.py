"""Fig. 5: confusion matrices of removed filters side by side, and what every single removal costs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.plots.cells import Cells, name_cells
from csg_analyze.plots.charts import MANY, draw_points, name_models, together
from csg_analyze.plots.matrices import NAME_HEIGHT, draw_matrix, name_axis
from csg_analyze.plots.panels import colour_bar
from csg_analyze.plots.reduction import thinned, wrapped
from csg_analyze.plots.style import COLUMN, FULL, SEQUENTIAL, colour_map, style
from csg_analyze.result import Result
from csg_analyze.wording import shortened

REMOVED_COLOUR = "#d55e00"


EVERY_CLASS, SHOWN = 100, 12
"""Classes up to which all are drawn, and how many of more than that."""

NOTHING = "none"
"""The removal of no filter, in the table of matrices."""


@dataclass(frozen=True)
class Panel:
    """One confusion matrix. shares: (true class, predicted class), NaN for a row without images.

    title: the lines above it. removed: rows of the classes whose filters are gone.
    """

    title: Sequence[str]
    shares: FloatArray
    removed: Sequence[int] = ()


def draw_confusion(models: Mapping[str, Result]) -> Figure:
    """A row per model: no filter removed, those of the first chosen class, those of all chosen classes.

    All panels share one scale from 0 to
    1, and arrows point at the removed classes. Of more than 100 classes 12 are shown, the removed ones and those they
    are taken for most; all others are one more row and column.
    """
    names, slots = _shown(models)
    rows = {model: _panels(result, slots) for model, result in models.items()}
    wide = max(map(len, rows.values()))
    of_how_many = f" (of {len(slots):,})" if len(names) < len(slots) or len(names) * NAME_HEIGHT > 1.5 else ""
    longest = 0.055 * max(map(len, thinned(names, 25)[1]))
    side = min(2.1, (FULL - 1.3 - longest) / wide)
    with style():
        size = (side * wide + 1.3 + longest, len(rows) * (side + 0.55) + longest + 0.2)
        figure = Figure(figsize=size, layout="compressed")
        grid = figure.subplots(len(rows), wide, squeeze=False)
        for row, (model, panels) in enumerate(rows.items()):
            for axes, panel in zip(grid[row], panels, strict=False):
                _draw(axes, panel, inches=side)
                of = f"{', '.join(panel.title[:1])}, {model}"
                name_cells(axes, Cells(panel.shares, names, [f"taken for {name}" for name in names], of))
                first, last = axes is grid[row, 0], row == len(rows) - 1
                for axis, named in ((axes.yaxis, first), (axes.xaxis, last)):
                    name_axis(axis, len(names), names, "", "maximum", inches=side, named=named)
                axes.set_ylabel(f"{wrapped(model, side)}\ntrue class{of_how_many}" if first else "")
                axes.set_xlabel(f"predicted class{of_how_many}" if last else "")
            for axes in grid[row, len(panels) :]:
                axes.set_axis_off()
        colour_bar(list(grid.flat), "share of the true class", aspect=12 * len(rows))
    return figure


def _shown(models: Mapping[str, Result]) -> tuple[list[str], IntArray]:
    """Names along the axes, and the row that each class is part of: its own, or the last one for all not shown."""
    result = next(iter(models.values()))
    names = list(result.matrices["matrix"].axes["true"])
    if len(names) <= EVERY_CLASS:
        return names, np.arange(len(names))
    removed = [names.index(name) for name in _removed(result)]
    taken_for = sum(np.nansum(each.matrices["matrix"]["share"][:, removed], axis=(0, 1)) for each in models.values())
    order = dict.fromkeys([*removed, *np.argsort(-np.asarray(taken_for), kind="stable").tolist()])
    shown = sorted(itertools.islice(order, SHOWN))
    slots: IntArray = np.full(len(names), len(shown))
    slots[shown] = np.arange(len(shown))
    return [*(names[c] for c in shown), f"{len(names) - len(shown)} others"], slots


def _removed(result: Result) -> list[str]:
    """The chosen classes; where there are several, the last row of `chosen` is their set."""
    removals: list[str] = result.frame("chosen")["removal"].tolist()
    return removals[: max(1, len(removals) - 1)]


def _panels(result: Result, slots: IntArray) -> list[Panel]:
    chosen, before = result.frame("chosen"), result.frame("removals")["recall_before"].mean()
    names = list(result.matrices["matrix"].axes["true"])
    removed = [int(slots[names.index(name)]) for name in _removed(result)]
    title = ["no filter removed", f"mean recall {_text(before)}"]
    panels = [Panel(title, _shares(result, NOTHING, slots))]
    for index in dict.fromkeys((0, len(chosen) - 1)):
        row = chosen.iloc[index]
        fits = index == 0 or len(row["removal"]) <= 20
        title = [
            f"without {row['removal'] if fits else f'{len(removed)} classes'}",
            f"{row['n_filters']} filter{'' if row['n_filters'] == 1 else 's'} removed",
            f"recall {_text(row['recall_after'])}, others {_text(row['others_after'])}",
        ]
        panels.append(Panel(title, _shares(result, row["removal"], slots), removed[:1] if index == 0 else removed))
    return panels


def _text(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.2f}"


def _shares(result: Result, removal: str, slots: IntArray) -> FloatArray:
    """One matrix (true, predicted), classes that share a row or column added up; NaN without images."""
    matrix = result.matrices["matrix"]
    counts = np.zeros((slots.max() + 1,) * 2)
    np.add.at(counts, (slots[:, None], slots), matrix["count"][list(matrix.axes["removal"]).index(removal)])
    images = counts.sum(axis=1, keepdims=True)
    return np.where(images > 0, counts / np.maximum(images, 1), np.nan)


def _draw(axes: Axes, panel: Panel, *, inches: float) -> None:
    draw_matrix(axes, panel.shares, norm=Normalize(0, 1), cmap=colour_map(SEQUENTIAL), square=True)
    lines = [shortened(line, int(inches * 16)) for line in panel.title]
    axes.set_title("\n".join(lines), fontsize=7, linespacing=1.15)
    beside = axes.get_yaxis_transform()
    for row in panel.removed:
        axes.plot(1.035, row + 0.5, "<", ms=4, color=REMOVED_COLOUR, mew=0, clip_on=False, transform=beside)


def draw_removals(models: Mapping[str, Result]) -> Figure:
    """Every class removed in turn: the recall it still has against the share of their recall that the others keep.

    A class without either has no dot. The larger mark is the mean of all classes.
    """
    table = together({model: result.frame("removals") for model, result in models.items()})
    differences = table.groupby("model")["drop_difference"].mean()
    table = table.dropna(subset=["recall_after", "others_kept"])
    means = table.groupby("model", as_index=False, sort=False)[["recall_after", "others_kept"]].mean()
    many = len(table) > MANY * len(models)
    dots: dict[str, Any] = {"s": 5, "alpha": 0.35} if many else {"s": 20, "alpha": 0.6}
    top = float(np.nanmax([1.0, table["others_kept"].max()]))
    with style():
        figure = Figure(figsize=(COLUMN, 2.6), layout="constrained")
        axes = figure.add_subplot()
        draw_points(axes, table, models, "recall_after", "others_kept", **dots)
        draw_points(axes, means, models, "recall_after", "others_kept", s=42, edgecolor="black", lw=0.8)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, top + 0.02), xticks=np.linspace(0, 1, 6))
        axes.set_xlabel("recall of the class whose filters are removed")
        axes.set_ylabel("share of recall the others keep")
        texts = {model: f"{shortened(model, 40)}: indispensability {differences[model]:.2f}" for model in models}
        name_models(figure, texts, line="")
    return figure
