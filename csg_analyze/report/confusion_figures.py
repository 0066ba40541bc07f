"""Fig. 5: confusion matrices of removed filters side by side, and what every single removal costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.report.charts import MANY, MARKERS
from csg_analyze.report.matrices import draw_matrix, name_columns, name_rows
from csg_analyze.report.reduction import shortened, thinned
from csg_analyze.report.style import COLUMN, FULL, MODEL_COLOURS, SEQUENTIAL, colour_map, frame, style
from csg_analyze.result import Tables

REMOVED_COLOUR = "#d55e00"


NOTHING = "none"
"""The removal of no filter, in the table of matrices."""


@dataclass(frozen=True)
class Panel:
    """One confusion matrix. shares: (true class, predicted class), NaN for a row without images.

    title, remark: the two lines above it. removed: indices of the classes whose filters are gone.
    """

    title: str
    remark: str
    shares: FloatArray
    removed: Sequence[int] = ()


def confusion_panels(models: Mapping[str, Tables]) -> Figure:
    """A row a model: no filter removed, those of the first chosen class, and, where several are, those of all of them.

    models: name -> the tables `matrix`, `chosen` and `removals` of the analyzer. All panels share one scale from 0 to
    1; arrows point at the removed classes' rows. Beyond 400 classes neighbours share a pixel and show their maximum.
    """
    names = next(iter(models.values()))["removals"]["class"].tolist()
    rows = {model: _panels(tables, names) for model, tables in models.items()}
    wide, scale, cmap = max(map(len, rows.values())), Normalize(0, 1), colour_map(SEQUENTIAL)
    longest = 0.055 * max(map(len, thinned(names, 25)[1]))
    side = (FULL - 0.9 - longest) / wide
    with style():
        figure = Figure(figsize=(FULL, len(rows) * (side + 0.42) + 0.3 + longest), layout="compressed")
        grid = figure.subplots(len(rows), wide, squeeze=False)
        for row, (model, panels) in enumerate(rows.items()):
            for axes, panel in zip(grid[row], panels, strict=False):
                _draw(axes, panel, scale, inches=side)
                first, last = axes is grid[row, 0], row == len(rows) - 1
                name_rows(axes, names, "true class", "maximum", inches=side, named=first)
                shown = names if last else [""] * len(names)
                name_columns(axes, len(names), shown, "predicted class", "maximum", inches=side)
                axes.set_ylabel(f"{shortened(model, 26)}\n{axes.get_ylabel() or 'true class'}" if first else "")
                axes.set_xlabel((axes.get_xlabel() or "predicted class") if last else "")
            for axes in grid[row, len(panels) :]:
                axes.set_axis_off()
        bar = figure.colorbar(ScalarMappable(scale, cmap), ax=list(grid.flat), aspect=25, pad=0.02)
        bar.set_label("share of the true class")
        frame(bar.ax)
    return figure


def _panels(tables: Tables, names: Sequence[str]) -> list[Panel]:
    chosen, before = tables["chosen"], tables["removals"]["recall_before"].mean()
    singles = chosen["removal"].iloc[: max(1, len(chosen) - 1)].tolist()
    panels = [Panel("no filter removed", f"mean recall {_text(before)}", _shares(tables, NOTHING, names))]
    for index in dict.fromkeys((0, len(chosen) - 1)):
        row = chosen.iloc[index]
        title = f"without {row['removal']} ({row['n_filters']} filters)"
        remark = f"recall {_text(row['recall_after'])}, others {_text(row['others_after'])}"
        removed = [names.index(name) for name in (singles[:1] if index == 0 else singles)]
        panels.append(Panel(title, remark, _shares(tables, row["removal"], names), removed))
    return panels


def _text(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.2f}"


def _shares(tables: Tables, removal: str, names: Sequence[str]) -> FloatArray:
    """One matrix (true, predicted) from its cells; those that the table leaves out are 0, or NaN without images."""
    cells = tables["matrix"][tables["matrix"]["removal"] == removal]
    numbers = {name: index for index, name in enumerate(names)}
    absent = tables["removals"]["n"].to_numpy() == 0
    matrix = np.where(absent[:, None], np.nan, np.zeros((len(names), len(names))))
    matrix[cells["true"].map(numbers), cells["predicted"].map(numbers)] = cells["share"]
    return matrix


def _draw(axes: Axes, panel: Panel, scale: Normalize, *, inches: float) -> None:
    draw_matrix(axes, panel.shares, norm=scale, cmap=colour_map(SEQUENTIAL), square=True)
    width = int(inches * 16)
    axes.set_title(f"{shortened(panel.title, width)}\n{shortened(panel.remark, width)}", linespacing=1.15)
    beside = axes.get_yaxis_transform()
    for row in panel.removed:
        axes.plot(1.035, row, "<", ms=4, color=REMOVED_COLOUR, mew=0, clip_on=False, transform=beside)


def removal_dots(models: Mapping[str, pd.DataFrame]) -> Figure:
    """Every class removed in turn: the recall it still has against the share of their recall the others keep.

    models: name -> one row a class, with the columns recall_after, others_kept and drop_difference; NaN: no dot.
    """
    with style():
        figure = Figure(figsize=(COLUMN, 2.75), layout="constrained")
        axes = figure.add_subplot()
        top = 1.0
        for index, (model, table) in enumerate(models.items()):
            table = table.dropna(subset=["recall_after", "others_kept"])
            many = len(table) > MANY
            axes.plot(
                table["recall_after"],
                table["others_kept"],
                MARKERS[index % len(MARKERS)],
                color=MODEL_COLOURS[index % len(MODEL_COLOURS)],
                ms=2.2 if many else 5,
                mew=0,
                alpha=0.35 if many else 0.6,
                clip_on=False,
                label=f"{shortened(model, 24)}: indispensability {table['drop_difference'].mean():.2f}",
            )
            top = max(top, float(table["others_kept"].max()) if len(table) else 1.0)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, top + 0.02)
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.set_xlabel("recall of the class whose filters are removed")
        axes.set_ylabel("share of recall the others keep")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, markerscale=1.2)
    return figure
